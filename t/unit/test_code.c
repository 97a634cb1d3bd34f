/*
 * test_code.c - codes that are typed: round trips, the vector of kms.key(5), every single
 * mistake found in its group, and what must be refused.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/core/certificate.h"
#include "libkms/core/minisig.h"
#include "policy/code.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The host key of kms.key(5)'s example, signed by the publisher whose seed is 32 times 7. */
static const char example[] =
    "# KMS host key for Customer Ltd. Install it with: kmsctl key install FILE\n"
    "[host-key]\n"
    "id = 4f4daab7-3c0d-490c-b47a-cad929c715b3\n"
    "publisher = 88ab0519ffbb013f\n"
    "customer = Customer Ltd\n"
    "group = writer-server\n"
    "issued = 2026-11-23T14:32:46Z\n"
    "not-before = 2026-11-23T14:32:46Z\n"
    "not-after = 2029-11-22T14:32:46Z\n"
    "capacity = 0\n"
    "hosts = 6\n"
    "confirmations = 10\n";

struct fixture {
	struct minisig_key publisher;
	uint8_t secret[64];
	struct host_key key;
	uint8_t signature[64];
	char code[CODE_TEXT];
};

static int
setup(void **state)
{
	static struct fixture f;
	uint8_t seed[32], digest[64];
	struct fault err;

	memset(seed, 7, sizeof(seed));
	crypto_sign_seed_keypair(f.publisher.pk, f.secret, seed);
	assert_int_equal(host_key_parse(&f.key, example, strlen(example), &err), KMS_OK);
	memcpy(f.publisher.id, f.key.publisher, 8);
	crypto_generichash(
	    digest, sizeof(digest), (const uint8_t *)example, strlen(example), NULL, 0);
	crypto_sign_detached(f.signature, NULL, digest, sizeof(digest), f.secret);
	assert_int_equal(host_key_code(f.code, &f.key, f.signature), KMS_OK);
	*state = &f;
	return 0;
}

static int
parse(const char *code, struct fault *err)
{
	uint8_t signature[64];
	struct host_key key;

	return host_key_code_parse(&key, signature, code, strlen(code), err);
}

static void
test_round_trip(void **state)
{
	struct fixture *f = *state;
	uint8_t signature[64];
	struct host_key key;
	struct fault err;
	char text[2048];

	assert_int_equal(
	    host_key_code_parse(&key, signature, f->code, strlen(f->code), &err), KMS_OK);
	assert_memory_equal(&key, &f->key, sizeof(key));
	assert_memory_equal(signature, f->signature, 64);
	assert_true(host_key_format(text, sizeof(text), &key) > 0);
	assert_string_equal(text, example);
}

/* Lengths, dates and limits at their ends. */
static void
test_extremes(void **state)
{
	struct fixture *f = *state;
	struct host_key k = f->key, again;
	uint8_t signature[64];
	char code[CODE_TEXT];
	struct fault err;

	memset(k.customer, 'c', 64);
	memset(k.group, 'g', 32);
	k.issued = k.not_after = VALUE_TIME_MAX;
	k.not_before = 0;
	k.capacity = UINT32_MAX;
	k.hosts = k.confirmations = UINT16_MAX;
	assert_int_equal(host_key_code(code, &k, f->signature), KMS_OK);
	assert_int_equal(host_key_code_parse(&again, signature, code, strlen(code), &err), KMS_OK);
	assert_memory_equal(&k, &again, sizeof(k));
	k = f->key;
	k.customer[1] = '\0';
	k.group[1] = '\0';
	k.issued = k.not_before = k.not_after = 0;
	assert_int_equal(host_key_code(code, &k, f->signature), KMS_OK);
	assert_int_equal(host_key_code_parse(&again, signature, code, strlen(code), &err), KMS_OK);
	assert_int_equal(again.not_after, 0);
	assert_string_equal(again.customer, "C");
	k.not_before = 1;
	assert_int_equal(host_key_code(code, &k, f->signature), KMS_E_ARGUMENT);
}

/* As a hand, a mail program or a word processor makes it. */
static void
test_tolerance(void **state)
{
	struct fixture *f = *state;
	char text[CODE_INPUT], *to = text;
	struct fault err;

	for (const char *c = f->code; *c != '\0'; c++)
		if (strchr("-\n", *c) == NULL)
			*to++ = *c;
	*to = '\0';
	assert_int_equal(parse(text, &err), KMS_OK);
	to = text;
	for (const char *c = f->code; *c != '\0'; c++) {
		if (*c == '-')
			to += sprintf(to, " \xe2\x80\x94 ");
		else if (*c == '\n')
			to += sprintf(to, "\r\n\t ");
		else if (*c == '0')
			*to++ = 'o';
		else if (*c == '1')
			*to++ = (c - f->code) % 2 ? 'l' : 'I';
		else if (*c == 'V')
			*to++ = 'u';
		else
			*to++ = *c >= 'A' ? *c + 'a' - 'A' : *c;
	}
	*to = '\0';
	assert_int_equal(parse(text, &err), KMS_OK);
	/* Cut anywhere: only what is written counts. */
	to = text;
	for (const char *c = f->code; *c != '\0'; c++) {
		*to++ = *c;
		if ((c - f->code) % 7 == 3)
			*to++ = ' ';
	}
	*to = '\0';
	assert_int_equal(parse(text, &err), KMS_OK);
}

static unsigned
group_at(size_t at)
{
	return (unsigned)(at / (CODE_GROUP + 1)) + 1;
}

/* Each character, replaced by each other: the group is named, and no other. */
static void
test_every_wrong_character(void **state)
{
	struct fixture *f = *state;
	char code[CODE_TEXT], want[64];
	struct fault err;

	for (size_t i = 0; f->code[i] != '\0'; i++) {
		if (strchr("-\n", f->code[i]) != NULL)
			continue;
		for (const char *c = alphabet; *c != '\0'; c++) {
			if (*c == f->code[i])
				continue;
			strcpy(code, f->code);
			code[i] = *c;
			assert_int_equal(parse(code, &err), KMS_E_FORMAT);
			snprintf(want, sizeof(want), "group %u (%.5s) is mistyped", group_at(i),
			    code + i / 6 * 6);
			assert_string_equal(err.text, want);
		}
	}
}

static void
test_every_exchange(void **state)
{
	struct fixture *f = *state;
	char code[CODE_TEXT], want[32];
	struct fault err;

	for (size_t i = 0; f->code[i + 1] != '\0'; i++) {
		if (i % 6 >= 4 || f->code[i] == f->code[i + 1])
			continue;
		strcpy(code, f->code);
		code[i] = f->code[i + 1];
		code[i + 1] = f->code[i];
		assert_int_equal(parse(code, &err), KMS_E_FORMAT);
		snprintf(want, sizeof(want), "group %u (", group_at(i));
		assert_memory_equal(err.text, want, strlen(want));
	}
}

/* Groups left out, entered twice, exchanged, cut short. */
static void
test_every_group(void **state)
{
	struct fixture *f = *state;
	size_t len = strlen(f->code);
	unsigned groups = (unsigned)(len + 1) / 6;
	char code[2 * CODE_TEXT], want[64];
	struct fault err;

	for (unsigned g = 0; g < groups; g++) {
		int rc;

		snprintf(code, sizeof(code), "%.*s%s", (int)(6 * g), f->code,
		    g + 1 < groups ? f->code + 6 * (g + 1) : "");
		rc = parse(code, &err);
		snprintf(want, sizeof(want), "group %u is missing", g + 1);
		if (g == 0)
			snprintf(want, sizeof(want), "group");
		else if (g + 1 == groups)
			snprintf(want, sizeof(want), "only %u of %u groups: the end is missing",
			    groups - 1, groups);
		assert_int_equal(rc, g + 1 == groups ? KMS_E_TRUNCATED : KMS_E_FORMAT);
		assert_memory_equal(err.text, want, strlen(want));

		snprintf(code, sizeof(code), "%.*s-%s", (int)(6 * g + 5), f->code, f->code + 6 * g);
		assert_int_equal(parse(code, &err), KMS_E_FORMAT);
		if (g + 1 < groups)
			snprintf(want, sizeof(want), "group %u is there twice", g + 2);
		else
			snprintf(want, sizeof(want), "group");
		assert_memory_equal(err.text, want, strlen(want));

		snprintf(code, sizeof(code), "%.*s%s", (int)(6 * g), f->code, f->code + 6 * g + 1);
		assert_int_equal(parse(code, &err), KMS_E_FORMAT);
		snprintf(
		    want, sizeof(want), "group %u has 4 characters where 5 are expected", g + 1);
		assert_string_equal(err.text, want);
		if (g == 0)
			continue;
		strcpy(code, f->code);
		memcpy(code + 6 * (g - 1), f->code + 6 * g, 5);
		memcpy(code + 6 * g, f->code + 6 * (g - 1), 5);
		assert_int_equal(parse(code, &err), KMS_E_FORMAT);
		snprintf(want, sizeof(want), "groups %u and %u are exchanged", g, g + 1);
		assert_string_equal(err.text, want);
	}
}

/*
 * Two mistypings whose check characters are those of an exchange: x^2 + x^20 is x^3, which is what
 * another last bit of the third character adds to a check. Only the check of the whole tells them
 * apart.
 */
static void
test_like_exchange(void **state)
{
	static const size_t mistyped[] = { 6 * 2 + 2, 6 * 20 + 2 };
	struct fixture *f = *state;
	char code[CODE_TEXT], want[64];
	struct fault err;

	strcpy(code, f->code);
	for (size_t i = 0; i < 2; i++)
		code[mistyped[i]] = alphabet[(strchr(alphabet, code[mistyped[i]]) - alphabet) ^ 1];
	assert_int_equal(parse(code, &err), KMS_E_FORMAT);
	snprintf(want, sizeof(want), "groups 3 (%.5s) and 21 (%.5s) are mistyped", code + 12,
	    code + 120);
	assert_string_equal(err.text, want);

	/* The first group, too, which says how long the code is. */
	memcpy(code, f->code + 6 * 5, 5);
	memcpy(code + 5, f->code + 5, strlen(f->code + 5) + 1);
	memcpy(code + 6 * 5, f->code, 5);
	assert_int_equal(parse(code, &err), KMS_E_FORMAT);
	assert_string_equal(err.text, "groups 1 and 6 are exchanged");
}

static void
test_cut(void **state)
{
	struct fixture *f = *state;
	char code[CODE_TEXT];
	struct fault err;

	for (size_t n = 0; n < strlen(f->code); n++) {
		bool whole = n >= 5 && n % 6 >= 5;
		int rc;

		if (n > 0 && n % 6 == 0) /* a separator at the end says nothing */
			whole = true;
		snprintf(code, sizeof(code), "%.*s", (int)n, f->code);
		rc = parse(code, &err);
		assert_int_equal(rc, whole ? KMS_E_TRUNCATED : KMS_E_FORMAT);
		assert_true(err.text[0] != '\0');
		if (whole)
			assert_int_equal(err.line, (n + 1) / 6);
	}
}

static void
test_several(void **state)
{
	struct fixture *f = *state;
	char code[CODE_TEXT];
	struct fault err;

	strcpy(code, f->code);
	code[6] = code[6] == '0' ? '2' : '0';
	code[18] = code[18] == '0' ? '2' : '0';
	code[30] = code[30] == '0' ? '2' : '0';
	assert_int_equal(parse(code, &err), KMS_E_FORMAT);
	assert_non_null(strstr(err.text, "groups 2 ("));
	assert_non_null(strstr(err.text, "), 4 ("));
	assert_non_null(strstr(err.text, ") and 6 ("));
	assert_non_null(strstr(err.text, " are mistyped"));
}

static void
test_bad_input(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "there is no code" },
		{ " - \n", "there is no code" },
		{ "K1", "a group has 5 characters" },
		{ "K1*", "group 1 contains '*'" },
		{ "K1\x01", "group 1 contains a character" },
		{ "K1\xff", "group 1 contains a character" },
		{ "[host-key]", "group 1 contains '['" },
		{ "AAAAA", "group 1 (AAAAA) is mistyped" },
		{ "ZZZZZ-ZZZZZ-ZZZZZ", "group" },
	};
	uint8_t octets[CODE_OCTETS] = { 0 }, out[CODE_OCTETS];
	char code[CODE_TEXT], *large;
	struct fault err;
	size_t len;

	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(parse(bad[i].text, &err), KMS_E_FORMAT);
		assert_memory_equal(err.text, bad[i].says, strlen(bad[i].says));
	}
	assert_non_null(large = malloc(CODE_INPUT + 1));
	memset(large, 'A', CODE_INPUT + 1);
	assert_int_equal(
	    code_parse(out, &len, CODE_HOST_KEY, large, CODE_INPUT + 1, &err), KMS_E_TOO_LARGE);
	assert_int_equal(
	    code_parse(out, &len, CODE_HOST_KEY, large, CODE_INPUT, &err), KMS_E_TOO_LARGE);
	free(large);
	/* Of the other kind; well formed and empty; too long to be written. */
	assert_true(code_format(code, sizeof(code), CODE_CONFIRMATION, octets, 80) > 0);
	assert_int_equal(parse(code, &err), KMS_E_FORMAT);
	assert_non_null(strstr(err.text, "kmsctl key confirm"));
	assert_true(code_format(code, sizeof(code), CODE_HOST_KEY, octets, 150) > 0);
	assert_int_equal(parse(code, &err), KMS_E_FORMAT);
	assert_string_equal(err.text, "the code contains no KMS host key");
	assert_int_equal(
	    code_parse(out, &len, CODE_CONFIRMATION, code, strlen(code), &err), KMS_E_FORMAT);
	assert_non_null(strstr(err.text, "kmsctl key install"));
	assert_int_equal(
	    code_format(code, sizeof(code), CODE_HOST_KEY, octets, CODE_OCTETS + 1), 0);
	assert_int_equal(code_format(code, 20, CODE_HOST_KEY, octets, 100), 0);
}

/* Whatever bytes: written, read back, the same; one cut short is refused as a form. */
static void
test_any_octets(void **state)
{
	uint8_t in[CODE_OCTETS], out[CODE_OCTETS];
	char code[CODE_TEXT];
	struct fault err;
	size_t n;

	for (size_t len = 1; len <= CODE_OCTETS; len++) {
		randombytes_buf(in, len);
		assert_true(code_format(code, sizeof(code), CODE_CONFIRMATION, in, len) > 0);
		assert_int_equal(
		    code_parse(out, &n, CODE_CONFIRMATION, code, strlen(code), &err), KMS_OK);
		assert_int_equal(n, len);
		assert_memory_equal(in, out, len);
	}
}

static struct policy_pack *
new_pack(void)
{
	struct policy_pack *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->groups[0].name, "writer-client");
	p->groups[0].covers = 1;
	strcpy(p->groups[1].name, "writer-server");
	p->groups[1].covers = 3;
	strcpy(p->groups[2].name, "empty");
	p->groups[2].covers = 4;
	p->group_count = 3;
	for (unsigned i = 0; i < 3; i++) {
		memset(p->products[i].id, (int)i + 1, 16);
		p->products[i].group = i == 2 ? 1 : 0;
	}
	p->product_count = 3;
	return p;
}

static void
test_confirmation(void **state)
{
	struct fixture *f = *state;
	struct confirm_code c = { .serial = 300,
		.issued = 1795444366,
		.confirmation = 10,
		.major = 1,
		.minor = 2 },
			    again;
	struct policy_pack *pack = new_pack();
	uint8_t octets[CODE_OCTETS], cert[CERTIFICATE_MAX];
	struct certificate decoded;
	size_t n, len;

	memcpy(c.key, f->key.id, 8);
	n = confirm_code_octets(octets, &c);
	assert_int_equal(confirm_code_decode(&again, octets, n), KMS_OK);
	assert_memory_equal(&c, &again, sizeof(c));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(confirm_code_decode(&again, octets, i), KMS_E_FORMAT);
	octets[n] = 0;
	assert_int_equal(confirm_code_decode(&again, octets, n + 1), KMS_E_FORMAT);

	assert_int_equal(
	    confirm_code_certificate(cert, sizeof(cert), &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_OK);
	crypto_sign_detached(c.signature, NULL, cert, len - 64, f->secret);
	assert_int_equal(
	    confirm_code_certificate(cert, sizeof(cert), &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_OK);
	assert_int_equal(
	    certificate_verify(&decoded, cert, len, f->publisher.id, f->publisher.pk), KMS_OK);
	assert_int_equal(decoded.product_count, 3);
	assert_int_equal(decoded.serial, 300);
	assert_string_equal(decoded.customer, "Customer Ltd");
	/* Another pack makes another certificate, which the signature is not of. */
	pack->product_count = 2;
	assert_int_equal(
	    confirm_code_certificate(cert, sizeof(cert), &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_OK);
	assert_int_equal(certificate_verify(&decoded, cert, len, f->publisher.id, f->publisher.pk),
	    KMS_E_SIGNATURE);
	assert_int_equal(
	    confirm_code_certificate(cert, 280, &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_E_TOO_LARGE);
	strcpy(f->key.group, "empty");
	assert_int_equal(
	    confirm_code_certificate(cert, sizeof(cert), &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_E_NOT_COVERED);
	strcpy(f->key.group, "none");
	assert_int_equal(
	    confirm_code_certificate(cert, sizeof(cert), &len, &c, &f->key, pack, f->publisher.pk),
	    KMS_E_NOT_COVERED);
	strcpy(f->key.group, "writer-server");
	free(pack);
}

/* Numbers that have a shorter form, are too large, or never end. */
static void
test_numbers(void **state)
{
	static const struct {
		uint8_t octets[12];
		size_t len;
	} bad[] = {
		{ { 0x80, 0x01 }, 2 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }, 10 },
		{ { 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, 10 },
	};
	uint8_t octets[CODE_OCTETS];
	struct confirm_code c;

	for (size_t i = 0; i < COUNT(bad); i++) {
		memset(octets, 1, sizeof(octets));
		memcpy(octets + 8, bad[i].octets, bad[i].len);
		assert_int_equal(
		    confirm_code_decode(&c, octets, 8 + bad[i].len + 4 + 64), KMS_E_FORMAT);
	}
	/* confirmation 0, and a version above 65535 */
	memset(octets, 1, sizeof(octets));
	octets[10] = 0;
	assert_int_equal(confirm_code_decode(&c, octets, 8 + 5 + 64), KMS_E_FORMAT);
	memset(octets, 1, sizeof(octets));
	memcpy(octets + 11, "\x84\x80\x00", 3);
	assert_int_equal(confirm_code_decode(&c, octets, 8 + 7 + 64), KMS_E_FORMAT);
}

static void
test_looks_like(void **state)
{
	static const char *const yes[] = { "K145A", "k145a-00000", "K1 45 A", "o0il1" };
	static const char *const no[] = { "", "K14", "-----", "customer.kmskey", "/tmp/K1234",
		"K1234/", "./K1234", "K123*" };

	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(code_looks_like(yes[i]));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(code_looks_like(no[i]));
}

static void
test_installation_id(void **state)
{
	uint8_t host[16], key[16];
	char id[INSTALLATION_ID + 1], other[INSTALLATION_ID + 1];

	memset(host, 1, sizeof(host));
	memset(key, 2, sizeof(key));
	installation_id(id, host, key);
	assert_int_equal(strlen(id), INSTALLATION_ID);
	for (unsigned g = 0; g < 9; g++) {
		unsigned sum = 0;

		for (unsigned i = 0; i < 7; i++) {
			unsigned d = (unsigned)(id[8 * g + i] - '0');

			assert_true(d <= 9);
			d = i % 2 == 1 ? 2 * d : d;
			sum += d > 9 ? d - 9 : d;
		}
		assert_int_equal(sum % 10, 0);
		if (g < 8)
			assert_int_equal(id[8 * g + 7], '-');
	}
	key[15]++;
	installation_id(other, host, key);
	assert_string_not_equal(id, other);
}

/* kms.key(5) shows this code and this installation id. */
static void
test_page(void **state)
{
	struct fixture *f = *state;
	const char *src = getenv("KMS_SRC");
	uint8_t host[16];
	char path[512], *text = calloc(1, 65536), line[128], publisher[MINISIG_KEY_LINE + 1],
			id[INSTALLATION_ID + 1];
	const char *at = f->code;
	FILE *file;

	snprintf(path, sizeof(path), "%s/doc/kms.key.5", src != NULL ? src : ".");
	assert_non_null(text);
	if ((file = fopen(path, "r")) == NULL)
		fail_msg("%s cannot be read", path);
	assert_true(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	while (at != NULL) {
		const char *end = strchr(at, '\n');

		snprintf(line, sizeof(line), "\n%.*s\n", end ? (int)(end - at) : 100, at);
		if (strstr(text, line) == NULL)
			fail_msg("kms.key(5) lacks a line of the code:\n%s", f->code);
		at = end != NULL ? end + 1 : NULL;
	}
	minisig_key_format(publisher, &f->publisher);
	if (strstr(text, publisher) == NULL)
		fail_msg("kms.key(5) lacks the publisher's key: %s", publisher);
	memset(host, 0, sizeof(host));
	installation_id(id, host, f->key.id);
	if (strstr(text, id) == NULL)
		fail_msg("kms.key(5) lacks the installation id: %s", id);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_tolerance),
		cmocka_unit_test(test_every_wrong_character),
		cmocka_unit_test(test_every_exchange),
		cmocka_unit_test(test_every_group),
		cmocka_unit_test(test_like_exchange),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_any_octets),
		cmocka_unit_test(test_confirmation),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_looks_like),
		cmocka_unit_test(test_installation_id),
		cmocka_unit_test(test_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("code", tests, setup, NULL);
}
