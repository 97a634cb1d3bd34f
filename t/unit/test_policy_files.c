/*
 * test_policy_files.c - the small files between publisher and customer (KMS
 * host key, confirmation request, host certificate file) and the values in them: round trips,
 * and what each must refuse.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/uuid.h"
#include "libkms/core/certificate.h"
#include "policy/host_key.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROOM 16384

static const char good_key[] = "[host-key]\n" /* 1 */
			       "id = 00000000-0000-4000-8000-000000000001\n"
			       "publisher = 0123456789abcdef\n" /* 3 */
			       "customer = Customer\n"
			       "group = g\n" /* 5 */
			       "issued = 2026-01-01\n"
			       "not-before = 2026-01-01\n" /* 7 */
			       "not-after = 2026-12-31\n";

/* text with the first `from` in it replaced. */
static const char *
replaced(const char *text, const char *from, const char *to)
{
	static char out[ROOM];
	const char *at = strstr(text, from);

	assert_non_null(at);
	snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return out;
}

static void
test_uuid(void **state)
{
	static const char *const bad[] = { "", "-", "00000000-0000-4000-8000-00000000001",
		"00000000-0000-4000-8000-0000000000011", "00000000-0000-4000-800000000000-0001",
		"{0000000-0000-4000-8000-000000000001}", "00000000-0000-0000-0000-000000000000",
		" 0000000-0000-4000-8000-000000000001", "00000000_0000_4000_8000_000000000001" };
	uint8_t id[16];
	char text[UUID_TEXT];

	assert_true(uuid_parse_not_nil(id, "9F3C1D60-52a7-4a6e-9b1c-0d5e8a7f4b21"));
	uuid_format(text, id);
	assert_string_equal(text, "9f3c1d60-52a7-4a6e-9b1c-0d5e8a7f4b21");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(uuid_parse_not_nil(id, bad[i]));
}

static void
test_minutes(void **state)
{
	static const struct {
		uint64_t minutes;
		const char *text;
	} rows[] = { { 0, "0m" }, { 1, "1m" }, { 59, "59m" }, { 60, "1h" }, { 61, "61m" },
		{ 720, "12h" }, { 1439, "1439m" }, { 1440, "1d" }, { 1500, "25h" },
		{ 43200, "30d" }, { UINT32_MAX, "4294967295m" } };
	char text[VALUE_MINUTES + 1];
	uint64_t back;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_string_equal(value_minutes_format(text, rows[i].minutes), rows[i].text);
		assert_true(value_minutes_parse(&back, text));
		assert_true(back == rows[i].minutes);
	}
}

static void
test_time(void **state)
{
	static const struct {
		const char *text;
		uint64_t time;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1972-02-29T23:59:59Z", 68255999 },
		{ "2000-02-29T12:00:00Z", 951825600 },
		{ "2026-11-23T14:00:00Z", 1795442400 },
		{ "2100-03-01T00:00:00Z", 4107542400 },
		{ "9999-12-31T23:59:59Z", VALUE_TIME_MAX },
	};
	static const char *const bad[] = { "", "2026", "2026-1-1", "1969-12-31T23:59:59Z",
		"2026-02-29", "2100-02-29", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Zz",
		"2026-01-01t00:00:00Z", "2026-01-01 00:00:00Z", "20260101" };
	char text[VALUE_TIME + 1];
	uint64_t t;

	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(value_time_parse(&t, good[i].text, false));
		assert_true(t == good[i].time);
		assert_true(value_time_format(text, t));
		assert_string_equal(text, good[i].text);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(value_time_parse(&t, bad[i], false));
	assert_false(value_time_format(text, VALUE_TIME_MAX + 1));
	assert_true(value_time_parse(&t, "2026-01-01", true));
	assert_true(t == 1767225600 + 86399);
	for (uint64_t day = 0; day < VALUE_TIME_MAX; day += 86400 * 13 + 12345) {
		assert_true(value_time_format(text, day));
		assert_true(value_time_parse(&t, text, false));
		assert_true(t == day);
	}
}

static void
test_key_round_trip(void **state)
{
	struct host_key k = { .capacity = 4294967295u, .hosts = 65535, .confirmations = 1 }, again;
	struct fault err;
	char text[ROOM];
	size_t len;

	memset(k.id, 0x42, 16);
	memset(k.publisher, 0xfe, 8);
	strcpy(k.customer, "M\xc3\xbcller & S\xc3\xb6hne; [Nord] = # \"x\"");
	strcpy(k.group, "writer-server.1_a");
	k.issued = 1795442400;
	k.not_before = 0;
	k.not_after = VALUE_TIME_MAX;
	len = host_key_format(text, sizeof(text), &k);
	assert_true(len > 0 && len == strlen(text));
	memset(&again, 0xff, sizeof(again));
	assert_int_equal(host_key_parse(&again, text, len, &err), KMS_OK);
	assert_memory_equal(&again, &k, sizeof(k));
	/* Every shorter room is refused and nothing is written past it. */
	for (size_t room = 0; room <= len; room++) {
		char small[ROOM];

		memset(small, 0x7f, sizeof(small));
		assert_int_equal(host_key_format(small, room, &k), 0);
		assert_int_equal(small[room], 0x7f);
	}
	assert_int_equal(host_key_format(text, len + 1, &k), len);
}

/* A value that would read back as another must not be written. */
static void
test_key_not_written(void **state)
{
	static const char *const customers[] = { "", " a", "a ", "a ;b", ";a", "a\nb = c", "a\tb",
		"a\x7f", "\xff" };
	static const char *const groups[] = { "", "a b", "a]", "-a", ".a" };
	struct host_key k;
	struct fault err;
	char text[ROOM];

	for (size_t i = 0; i < COUNT(customers) + COUNT(groups); i++) {
		assert_int_equal(host_key_parse(&k, good_key, sizeof(good_key) - 1, &err), KMS_OK);
		if (i < COUNT(customers))
			strcpy(k.customer, customers[i]);
		else
			strcpy(k.group, groups[i - COUNT(customers)]);
		assert_int_equal(host_key_format(text, sizeof(text), &k), 0);
	}
	assert_int_equal(host_key_parse(&k, good_key, sizeof(good_key) - 1, &err), KMS_OK);
	k.not_after = VALUE_TIME_MAX + 1;
	assert_int_equal(host_key_format(text, sizeof(text), &k), 0);
}

static void
test_key_bad(void **state)
{
	static const struct {
		const char *from, *to;
		int line;
		const char *message;
	} table[] = {
		{ "[host-key]", "[hostkey]", 1,
		    "unknown section [hostkey]: did you mean [host-key]?" },
		{ "[host-key]", "# nothing", 2, "key \"id\" comes before any [section]" },
		{ "id = 0", "id = x", 2, "id = \"x" },
		{ "0123456789abcdef", "0123456789abcde", 3,
		    "publisher = \"0123456789abcde\": it must be 16 hexadecimal digits" },
		{ "0123456789abcdef", "0123456789abcdeg", 3, "publisher = " },
		{ "customer = Customer", "customer =", 4, "customer = \"\"" },
		{ "customer = Customer",
		    "customer = 12345678901234567890123456789012345678901234567890123456789012345",
		    4, "customer = \"" },
		{ "group = g", "group = g h", 5, "group = \"g h\"" },
		{ "group = g", "grup = g", 5,
		    "unknown key \"grup\" in [host-key]: did you mean \"group\"?" },
		{ "group = g\n", "", 1, "[host-key] needs the key \"group\"" },
		{ "2026-12-31", "2025-12-31", 0, "not-after is before not-before" },
		{ "2026-12-31", "never", 8, "not-after = \"never\"" },
		{ "group = g", "group = g\nhosts = 0", 6,
		    "hosts = \"0\": it must be a number from 1 to 65535" },
		{ "group = g", "group = g\nhosts = 65536", 6, "hosts = \"65536\"" },
		{ "group = g", "group = g\nconfirmations = 0", 6, "confirmations = \"0\"" },
		{ "group = g", "group = g\ncapacity = -1", 6, "capacity = \"-1\"" },
		{ "group = g", "group = g\ngroup = h", 6,
		    "key \"group\" is given twice in [host-key]" },
		{ "2026-12-31\n", "2026-12-31\n[host-key]\n", 9, "second [host-key]" },
	};
	struct host_key k;
	struct fault err;

	for (size_t i = 0; i < COUNT(table); i++) {
		const char *text = replaced(good_key, table[i].from, table[i].to);
		int rc = host_key_parse(&k, text, strlen(text), &err);

		if (rc != KMS_E_FORMAT || err.line != table[i].line ||
		    strncmp(err.text, table[i].message, strlen(table[i].message)) != 0)
			fail_msg("%s: status %d, line %d: %s", table[i].to, rc, err.line, err.text);
	}
	assert_int_equal(host_key_parse(&k, good_key, sizeof(good_key) - 1, &err), KMS_OK);
	assert_int_equal(k.hosts, 6);
	assert_int_equal(k.confirmations, 10);
	assert_int_equal(k.capacity, 0);
	assert_true(k.not_after == 1798761599); /* the last second of its day */
}

static void
make_request(struct confirm_request *r)
{
	uint8_t sk[64], seed[32], octets[CONFIRM_REQUEST_SIGNED];

	memset(r, 0, sizeof(*r));
	memset(seed, 7, sizeof(seed));
	crypto_sign_seed_keypair(r->sign_pk, sk, seed);
	memset(r->host_key_id, 1, 16);
	memset(r->publisher, 2, 8);
	r->time = 1795442400;
	strcpy(r->host_name, "kms.example");
	confirm_request_octets(octets, r);
	crypto_sign_detached(r->signature, NULL, octets, sizeof(octets), sk);
}

static void
test_request(void **state)
{
	struct confirm_request r, again;
	struct fault err;
	uint8_t octets[CONFIRM_REQUEST_SIGNED];
	char text[ROOM];
	size_t len;

	make_request(&r);
	confirm_request_octets(octets, &r);
	assert_memory_equal(octets, "KMSREQ02", 8);
	assert_memory_equal(octets + 24, r.publisher, 8);
	assert_int_equal(octets[71], 1795442400 & 0xff);
	assert_memory_equal(octets + 72, "kms.example\0\0", 13);
	len = confirm_request_format(text, sizeof(text), &r);
	assert_true(len > 0 && len == strlen(text));
	assert_int_equal(confirm_request_parse(&again, text, len, &err), KMS_OK);
	assert_memory_equal(&again, &r, sizeof(r));
	assert_int_equal(confirm_request_format(text, len, &r), 0);
	strcpy(r.host_name, "a\nb");
	assert_int_equal(confirm_request_format(text, sizeof(text), &r), 0);
}

/* Every value is under the signature: a change to any of them is seen. */
static void
test_request_altered(void **state)
{
	static const char *const table[][2] = {
		{ "host-key = 01", "host-key = 02" },
		{ "publisher = 02", "publisher = 03" },
		{ "T14:00:00Z", "T14:00:01Z" },
		{ "kms.example", "kms.exampl" },
		{ "kms.example", "" },
	};
	struct confirm_request r, again;
	struct fault err;
	char text[ROOM];

	make_request(&r);
	confirm_request_format(text, sizeof(text), &r);
	for (size_t i = 0; i < COUNT(table); i++) {
		const char *other = replaced(text, table[i][0], table[i][1]);

		assert_int_equal(
		    confirm_request_parse(&again, other, strlen(other), &err), KMS_E_SIGNATURE);
		assert_non_null(strstr(err.text, "altered"));
	}
	r.signature[0] ^= 1;
	confirm_request_format(text, sizeof(text), &r);
	assert_int_equal(confirm_request_parse(&again, text, strlen(text), &err), KMS_E_SIGNATURE);
	r.signature[0] ^= 1;
	r.sign_pk[0] ^= 1;
	confirm_request_format(text, sizeof(text), &r);
	assert_int_equal(confirm_request_parse(&again, text, strlen(text), &err), KMS_E_SIGNATURE);
}

static void
test_request_bad(void **state)
{
	static const struct {
		const char *from, *to;
		int line;
		const char *message;
	} table[] = {
		{ "sign-key = ", "sign-key = AAAAA", 5, "sign-key = \"" },
		{ "sign-key = ", "exchange-key = ", 5, "unknown key \"exchange-key\"" },
		{ "sign-key = ", "sign-key = *", 5, "sign-key = \"" },
		{ "host-name", "hostname", 7,
		    "unknown key \"hostname\" in [confirmation-request]: did you mean \"host-name\"?" },
		{ "signature = ", "signatur = ", 8,
		    "unknown key \"signatur\" in [confirmation-request]" },
	};
	struct confirm_request r;
	struct fault err;
	char text[ROOM];

	make_request(&r);
	confirm_request_format(text, sizeof(text), &r);
	for (size_t i = 0; i < COUNT(table); i++) {
		const char *other = replaced(text, table[i].from, table[i].to);
		int rc = confirm_request_parse(&r, other, strlen(other), &err);

		if (rc != KMS_E_FORMAT || err.line != table[i].line ||
		    strncmp(err.text, table[i].message, strlen(table[i].message)) != 0)
			fail_msg("%s: status %d, line %d: %s", table[i].to, rc, err.line, err.text);
	}
}

static size_t
make_certificate(uint8_t out[CERTIFICATE_MAX], uint16_t products)
{
	struct certificate c = { .serial = 1, .product_count = products, .confirmation = 1 };
	size_t n;

	c.issued = c.not_before = 1795442400;
	c.not_after = 1895442400;
	strcpy(c.group, "g");
	strcpy(c.customer, "Customer");
	for (uint16_t i = 0; i < products; i++) {
		c.products[i][0] = 1;
		c.products[i][15] = (uint8_t)i;
	}
	n = certificate_encode(out, CERTIFICATE_MAX - 64, &c);
	assert_true(n > 0);
	memset(out + n, 0xff, 64);
	return n + 64;
}

static void
test_certificate(void **state)
{
	uint8_t octets[CERTIFICATE_MAX], again[CERTIFICATE_MAX];
	struct fault err;
	char text[ROOM];

	/* Lengths that leave one, two and no bytes over at the end of a line. */
	for (uint16_t products = 1; products <= CERTIFICATE_PRODUCTS; products++) {
		size_t len = make_certificate(octets, products), got;
		size_t n = certificate_file_format(text, sizeof(text), octets, len);

		assert_true(n > 0 && n == strlen(text));
		assert_int_equal(
		    certificate_file_parse(again, sizeof(again), &got, text, n, &err), KMS_OK);
		assert_int_equal(got, len);
		assert_memory_equal(again, octets, len);
		assert_int_equal(certificate_file_format(text, n, octets, len), 0);
		assert_int_equal(
		    certificate_file_parse(again, len - 1, &got, text, n, &err), KMS_E_FORMAT);
		assert_int_equal(got, 0);
	}
	assert_int_equal(certificate_file_format(text, sizeof(text), octets, 10), 0);
}

static void
test_certificate_bad(void **state)
{
	static const struct {
		const char *from, *to;
		int status, line;
		const char *message;
	} table[] = {
		{ "data = S01T", "data = S01*", KMS_E_FORMAT, 6, "data: this is not base64" },
		{ "data = S01T", "data = T01T", KMS_E_FORMAT, 0,
		    "data is not a host certificate: it has" },
		{ "data =", "date =", KMS_E_FORMAT, 6,
		    "unknown key \"date\" in [host-certificate]: did you mean \"data\"?" },
		{ "\n  ", "\n", KMS_E_FORMAT, 7, "not a \"key = value\" line" },
		{ "\n  ", "\ndata = ", KMS_E_FORMAT, 7, "key \"data\" is given twice" },
		{ "\n  ", "\n  # ", KMS_E_FORMAT, 0, "data is not a host certificate: it has" },
	};
	uint8_t octets[CERTIFICATE_MAX], again[CERTIFICATE_MAX];
	size_t len = make_certificate(octets, 3), got;
	struct fault err;
	char text[ROOM];

	certificate_file_format(text, sizeof(text), octets, len);
	for (size_t i = 0; i < COUNT(table); i++) {
		const char *other = replaced(text, table[i].from, table[i].to);
		int rc =
		    certificate_file_parse(again, sizeof(again), &got, other, strlen(other), &err);

		if (rc != table[i].status || got != 0 || err.line != table[i].line ||
		    strncmp(err.text, table[i].message, strlen(table[i].message)) != 0)
			fail_msg("%s: status %d, line %d: %s", table[i].to, rc, err.line, err.text);
	}
	/* A file cut at each of its line ends but the last, and one that goes on. */
	for (char *end = strrchr(text, '\n'); strstr(text, "data") < end;) {
		char cut[ROOM];

		for (end--; *end != '\n'; end--)
			;
		snprintf(cut, sizeof(cut), "%.*s", (int)(end - text) + 1, text);
		if (strstr(cut, "data") == NULL)
			break;
		assert_int_equal(
		    certificate_file_parse(again, sizeof(again), &got, cut, strlen(cut), &err),
		    KMS_E_TRUNCATED);
	}
	strcat(text, "  AAAA\n");
	assert_int_equal(
	    certificate_file_parse(again, sizeof(again), &got, text, strlen(text), &err),
	    KMS_E_TRAILING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minutes),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_key_round_trip),
		cmocka_unit_test(test_key_not_written),
		cmocka_unit_test(test_key_bad),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_altered),
		cmocka_unit_test(test_request_bad),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_certificate_bad),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
