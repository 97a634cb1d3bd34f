/*
 * test_evidence.c - what a client can show against a host, as a product sees it: the pair that it
 * keeps, the file for others, and that nothing else verifies.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/client/state_file.h"
#include "libkms/kms.h"
#include "libkms/kms_error.h"
#include "t/lib/folder.h"
#include "t/lib/testhost.h"

#define T 1700000000u
#define YEAR (365u * 86400u)

struct world {
	char directory[FOLDER_PATH];
	char path[FOLDER_PATH + 2];
	struct testhost host, other;
	struct kms_options o;
};

static uint64_t
world_now(void *arg)
{
	return T;
}

static int
setup(void **arg)
{
	struct world *w = calloc(1, sizeof(*w));
	struct kms_client *c;

	if (!folder_make(w->directory))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/s", w->directory);
	testhost_init(&w->host, 0x50, 1, T - YEAR, T + YEAR);
	testhost_init(&w->other, 0x50, 2, T - YEAR, T + YEAR);
	w->o = (struct kms_options){ .size = sizeof(w->o),
		.publisher_key = w->host.publisher_text,
		.product = TESTHOST_PRODUCT,
		.state_file = w->path,
		.now = world_now };
	*arg = w;
	if (kms_open(&c, &w->o) != KMS_OK)
		return -1;
	kms_close(c);
	return 0;
}

static int
teardown(void **arg)
{
	static const char *const names[] = { "", ".key", ".lock" };
	struct world *w = *arg;
	char path[FOLDER_PATH + 16];
	int left;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s%s", w->path, names[i]);
		unlink(path);
	}
	left = rmdir(w->directory);
	free(w);
	return left;
}

static void
sign_header(
    const struct testhost *h, uint64_t number, uint8_t root, uint8_t out[MESSAGE_HEADER_SIZE])
{
	struct batch_header b = { .number = number, .size = 1, .time = T + root };

	memcpy(b.host_id, h->cert.host_id, sizeof(b.host_id));
	b.previous[0] = number > 1;
	b.root[0] = root;
	batch_header_encode(out, &b);
	crypto_sign_detached(out + BATCH_HEADER, NULL, out, BATCH_HEADER, h->sign_sk);
}

/* The state file has this evidence against the host, and the certificate of `asked`. */
static void
keep(struct world *w, const struct testhost *h, uint64_t first, uint64_t second,
    const struct testhost *asked)
{
	struct state_file *f;
	struct state_host *at;
	struct state *s;

	assert_int_equal(state_open(&f, &s, w->path, T, NULL), KMS_OK);
	at = &s->hosts[s->host_count++];
	memcpy(at->id, h->cert.host_id, sizeof(at->id));
	at->evidence = true;
	sign_header(h, first, 1, at->highest);
	sign_header(h, first, 1, at->contradiction[0]);
	sign_header(h, second, 2, at->contradiction[1]);
	memcpy(s->certificate, asked->certificate, asked->certificate_len);
	s->certificate_len = asked->certificate_len;
	assert_int_equal(state_save(f, NULL), KMS_OK);
	state_close(f);
}

static struct kms_client *
open_client(struct world *w)
{
	struct kms_client *c;

	assert_int_equal(kms_open(&c, &w->o), KMS_OK);
	return c;
}

static void
test_none(void **arg)
{
	struct kms_evidence_info e = { .size = sizeof(e) };
	struct kms_client *c = open_client(*arg);
	uint8_t file[EVIDENCE_FILE_MAX];
	size_t size = sizeof(file);

	assert_int_equal(kms_evidence(c, 0, &e), KMS_E_NOT_FOUND);
	assert_int_equal(kms_evidence_export(c, 0, file, &size), KMS_E_NOT_FOUND);
	assert_int_equal(kms_evidence(NULL, 0, &e), KMS_E_ARGUMENT);
	assert_int_equal(kms_evidence(c, 0, NULL), KMS_E_ARGUMENT);
	e.size = 0;
	assert_int_equal(kms_evidence(c, 0, &e), KMS_E_ARGUMENT);
	assert_int_equal(kms_evidence_export(c, 0, NULL, &size), KMS_E_ARGUMENT);
	assert_int_equal(kms_evidence_export(c, 0, file, NULL), KMS_E_ARGUMENT);
	kms_close(c);
}

/* What kms_evidence says of a pair in the state file. */
static const struct {
	const char *what;
	uint64_t first, second;
	bool asked; /* is the certificate that of this host? */
	int rc;
	uint32_t kind, verified;
} pairs[] = {
	{ "a contradiction", 9, 9, true, KMS_OK, KMS_CONTRADICTION, 1 },
	{ "a lower number", 9, 8, true, KMS_OK, KMS_WENT_BACK, 1 },
	{ "back to the first", 9, 1, true, KMS_OK, KMS_WENT_BACK, 1 },
	{ "of a host that was left", 9, 8, false, KMS_OK, KMS_WENT_BACK, 0 },
	{ "a higher number is none", 8, 9, true, KMS_E_FORMAT, 0, 0 },
};

static void
test_pairs(void **arg)
{
	struct world *w = *arg;
	struct kms_evidence_info e;
	struct kms_client *c;

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		keep(w, &w->host, pairs[i].first, pairs[i].second,
		    pairs[i].asked ? &w->host : &w->other);
		c = open_client(w);
		e.size = sizeof(e);
		if (kms_evidence(c, i, &e) != pairs[i].rc)
			fail_msg("%s", pairs[i].what);
		if (pairs[i].rc == KMS_OK) {
			assert_int_equal(e.kind, pairs[i].kind);
			assert_int_equal(e.verified, pairs[i].verified);
			assert_int_equal(e.number[0], pairs[i].first);
			assert_int_equal(e.number[1], pairs[i].second);
			assert_int_equal(e.time[1], T + 2);
			assert_string_equal(e.customer, pairs[i].verified ? "Test Customer" : "");
			assert_int_equal(
			    sodium_is_zero(e.signing_key, 32), pairs[i].verified ? 0 : 1);
			assert_memory_equal(e.host_id, w->host.cert.host_id, 16);
		}
		kms_close(c);
	}
}

static void
test_status(void **arg)
{
	struct world *w = *arg;
	struct kms_status_info s = { .size = sizeof(s) };
	struct kms_evidence_info e = { .size = offsetof(struct kms_evidence_info, verified) };
	struct kms_client *c;

	keep(w, &w->host, 9, 9, &w->host);
	c = open_client(w);
	assert_int_equal(kms_status(c, &s), KMS_OK);
	assert_int_equal(s.warning, KMS_E_HISTORY);
	assert_int_equal(s.last_status, KMS_OK);
	/* A product that was built against a shorter struct. */
	e.verified = 77;
	assert_int_equal(kms_evidence(c, 0, &e), KMS_OK);
	assert_int_equal(e.kind, KMS_CONTRADICTION);
	assert_int_equal(e.verified, 77);
	kms_close(c);
}

/* Nobody but the host can make it: each bit of the file counts. */
static void
test_file(void **arg)
{
	struct world *w = *arg;
	struct kms_evidence_info e = { .size = sizeof(e) };
	struct kms_client *c;
	uint8_t file[EVIDENCE_FILE_MAX + 1];
	size_t need = 0, size;

	keep(w, &w->host, 9, 8, &w->host);
	keep(w, &w->other, 5, 5, &w->host);
	c = open_client(w);
	assert_int_equal(kms_evidence_export(c, 0, NULL, &need), KMS_E_TOO_LARGE);
	size = need - 1;
	assert_int_equal(kms_evidence_export(c, 0, file, &size), KMS_E_TOO_LARGE);
	assert_int_equal(kms_evidence_export(c, 0, file, &size), KMS_OK);
	assert_int_equal(size, 8 + 1 + 2 + w->host.certificate_len + 2 * MESSAGE_HEADER_SIZE);
	assert_int_equal(kms_evidence_export(c, 1, file, &size), KMS_E_NOT_FOUND);
	kms_close(c);
	assert_int_equal(kms_evidence_verify(file, size, w->o.publisher_key, &e), KMS_OK);
	assert_int_equal(e.kind, KMS_WENT_BACK);
	assert_int_equal(e.verified, 1);
	assert_memory_equal(e.signing_key, w->host.cert.sign_pk, 32);
	assert_int_equal(kms_evidence_verify(file, size, w->o.publisher_key, NULL), KMS_OK);
	assert_int_equal(kms_evidence_verify(file, size, "RW", NULL), KMS_E_FORMAT);
	assert_int_equal(kms_evidence_verify(NULL, size, w->o.publisher_key, NULL), KMS_E_ARGUMENT);
	for (size_t i = 0; i < size; i++) {
		assert_int_not_equal(
		    kms_evidence_verify(file, i, w->o.publisher_key, NULL), KMS_OK);
		file[i] ^= 0x10;
		assert_int_not_equal(
		    kms_evidence_verify(file, size, w->o.publisher_key, NULL), KMS_OK);
		file[i] ^= 0x10;
	}
	file[size] = 0;
	assert_int_equal(
	    kms_evidence_verify(file, size + 1, w->o.publisher_key, NULL), KMS_E_TRAILING);
	assert_int_equal(
	    kms_evidence_verify(file, sizeof(file), w->o.publisher_key, NULL), KMS_E_TOO_LARGE);
}

/* The two headers of a file, and what they are worth. */
static const struct {
	const char *what;
	uint8_t by[2];
	uint64_t number[2];
	uint8_t root[2];
	int rc;
} files[] = {
	{ "went back", { 1, 1 }, { 9, 8 }, { 1, 2 }, KMS_OK },
	{ "a contradiction", { 1, 1 }, { 9, 9 }, { 1, 2 }, KMS_OK },
	{ "the same header twice", { 1, 1 }, { 9, 9 }, { 1, 1 }, KMS_E_FORMAT },
	{ "in the order of an honest record", { 1, 1 }, { 8, 9 }, { 1, 2 }, KMS_E_FORMAT },
	{ "another host's before", { 2, 1 }, { 9, 8 }, { 1, 2 }, KMS_E_FORMAT },
	{ "another host's behind", { 1, 2 }, { 9, 8 }, { 1, 2 }, KMS_E_FORMAT },
	{ "both another host's", { 2, 2 }, { 9, 8 }, { 1, 2 }, KMS_E_SIGNATURE },
};

static void
test_worth(void **arg)
{
	struct world *w = *arg;
	struct kms_client *c;
	uint8_t file[EVIDENCE_FILE_MAX];
	size_t size = sizeof(file);

	keep(w, &w->host, 9, 8, &w->host);
	c = open_client(w);
	assert_int_equal(kms_evidence_export(c, 0, file, &size), KMS_OK);
	kms_close(c);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		for (int n = 0; n < 2; n++)
			sign_header(files[i].by[n] == 1 ? &w->host : &w->other, files[i].number[n],
			    files[i].root[n], file + size - (2 - (size_t)n) * MESSAGE_HEADER_SIZE);
		if (kms_evidence_verify(file, size, w->o.publisher_key, NULL) != files[i].rc)
			fail_msg("%s", files[i].what);
	}
	file[7] = '2';
	assert_int_equal(kms_evidence_verify(file, size, w->o.publisher_key, NULL), KMS_E_SCHEMA);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_worth, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
