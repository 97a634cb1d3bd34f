/*
 * test_witness.c - what a client keeps of the records of hosts: row by row what a header does to
 * it, who may ask for one, and which host makes room for another.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/wire.h"
#include "libkms/client/witness.h"
#include "libkms/kms_error.h"
#include "t/lib/testhost.h"

#define T 1700000000u
#define YEAR (365u * 86400u)

/* A header that the host signs; root makes two of one number different. */
static void
sign_header(
    const struct testhost *h, uint64_t number, uint8_t root, uint8_t out[MESSAGE_HEADER_SIZE])
{
	struct batch_header b = { .number = number, .size = 1, .time = T };

	memcpy(b.host_id, h->cert.host_id, sizeof(b.host_id));
	b.previous[0] = number > 1;
	b.root[0] = root;
	batch_header_encode(out, &b);
	crypto_sign_detached(out + BATCH_HEADER, NULL, out, BATCH_HEADER, h->sign_sk);
}

static int
lease(struct state *s, const struct testhost *h, uint64_t number, uint8_t root, uint64_t now)
{
	uint8_t header[MESSAGE_HEADER_SIZE];

	sign_header(h, number, root, header);
	return witness_lease(s, &h->cert, header, now);
}

static void
make_host(struct testhost *h, uint8_t seed)
{
	testhost_init(h, 0x50, seed, T - YEAR, T + YEAR);
}

/* One lease after the other. */
static const struct {
	const char *what;
	struct {
		uint64_t number;
		uint8_t root;
		int rc;
	} leases[5];
	uint64_t highest;
	uint64_t pair[2]; /* 0: no evidence */
} histories[] = {
	{ "one", { { 7, 1, KMS_OK } }, 7, { 0, 0 } },
	{ "the first batch", { { 1, 1, KMS_OK } }, 1, { 0, 0 } },
	{ "upwards", { { 7, 1, KMS_OK }, { 8, 2, KMS_OK }, { 800, 3, KMS_OK } }, 800, { 0, 0 } },
	{ "the same again", { { 7, 1, KMS_OK }, { 7, 1, KMS_OK } }, 7, { 0, 0 } },
	{ "another one of that number", { { 7, 1, KMS_OK }, { 7, 2, KMS_E_HISTORY } }, 7,
	    { 7, 7 } },
	{ "a lower one", { { 7, 1, KMS_OK }, { 6, 2, KMS_E_HISTORY } }, 7, { 7, 6 } },
	{ "the first pair stays",
	    { { 7, 1, KMS_OK }, { 6, 2, KMS_E_HISTORY }, { 7, 3, KMS_E_HISTORY },
		{ 5, 4, KMS_E_HISTORY } },
	    7, { 7, 6 } },
	{ "it moves on after that, and the pair stays",
	    { { 7, 1, KMS_OK }, { 6, 2, KMS_E_HISTORY }, { 9, 3, KMS_OK }, { 8, 4, KMS_E_HISTORY },
		{ 10, 5, KMS_OK } },
	    10, { 7, 6 } },
};

static uint64_t
number_at(const uint8_t header[MESSAGE_HEADER_SIZE])
{
	struct batch_header b;

	return batch_header_decode(&b, header) == KMS_OK ? b.number : 0;
}

static void
test_histories(void **arg)
{
	struct testhost h;

	make_host(&h, 1);
	for (size_t i = 0; i < sizeof(histories) / sizeof(*histories); i++) {
		struct state s = { 0 };

		for (size_t j = 0; j < 5 && histories[i].leases[j].number > 0; j++)
			if (lease(&s, &h, histories[i].leases[j].number,
				histories[i].leases[j].root, T + j) != histories[i].leases[j].rc)
				fail_msg("%s: lease %zu", histories[i].what, j);
		assert_int_equal(s.host_count, 1);
		if (number_at(s.hosts[0].highest) != histories[i].highest)
			fail_msg("%s: highest", histories[i].what);
		if (witness_evidence(&s) != (histories[i].pair[0] > 0))
			fail_msg("%s: evidence", histories[i].what);
		for (int n = 0; n < 2 && s.hosts[0].evidence; n++)
			if (number_at(s.hosts[0].contradiction[n]) != histories[i].pair[n])
				fail_msg("%s: pair", histories[i].what);
	}
}

/* What is not a header of this host changes nothing, and is told to nobody. */
static void
test_foreign_headers(void **arg)
{
	struct testhost h, other;
	struct state s = { 0 };
	struct witness w;
	uint8_t header[MESSAGE_HEADER_SIZE];

	make_host(&h, 1);
	make_host(&other, 2);
	witness_for(&w, &s, &h.cert);
	assert_true(w.number == 0 && !w.shown);
	assert_int_equal(lease(&s, &h, 7, 1, T), KMS_OK);
	sign_header(&other, 3, 1, header);
	assert_int_equal(witness_lease(&s, &h.cert, header, T), KMS_OK);
	for (size_t at = 0; at < sizeof(header); at++) {
		sign_header(&h, 3, 1, header);
		header[at] ^= 1;
		assert_int_equal(witness_lease(&s, &h.cert, header, T), KMS_OK);
	}
	assert_false(witness_evidence(&s));
	assert_int_equal(s.host_count, 1);
	witness_for(&w, &s, &h.cert);
	assert_true(w.number == 7);
	witness_for(&w, &s, &other.cert);
	assert_true(w.number == 0);
	/* A state file that somebody changed: the host is not told, and its next lease mends it. */
	s.hosts[0].highest[30] ^= 1;
	witness_for(&w, &s, &h.cert);
	assert_true(w.number == 0);
	assert_int_equal(lease(&s, &h, 3, 1, T), KMS_OK);
	witness_for(&w, &s, &h.cert);
	assert_true(w.number == 3);
	assert_false(witness_evidence(&s));
}

/* What the tail of a request has. */
static void
test_text(void **arg)
{
	struct testhost h;
	struct state s = { 0 };
	struct witness w;
	uint8_t want[MESSAGE_WITNESS_SIZE] = { 0, 0, 0, 0, 0, 0, 1, 2 },
		header[MESSAGE_HEADER_SIZE];

	make_host(&h, 1);
	assert_int_equal(lease(&s, &h, 0x102, 1, T), KMS_OK);
	witness_for(&w, &s, &h.cert);
	sign_header(&h, 0x102, 1, header);
	crypto_hash_sha256(want + 8, header, BATCH_HEADER);
	assert_memory_equal(w.text, want, sizeof(want));
	assert_false(w.shown);
}

/* Requests, their answers' TLV 4, and the number of the lease with it; 0: without. */
static const struct {
	const char *what;
	unsigned count;
	struct {
		uint64_t show, lease;
	} answers[4];
	/* of the request that comes next */
	uint64_t number;
	bool shown;
} questions[] = {
	{ "not asked", 1, { { 0, 8 } }, 8, false },
	{ "asked for another number", 1, { { 8, 8 } }, 8, false },
	{ "asked for a lower one", 1, { { 6, 8 } }, 8, false },
	{ "asked", 1, { { 7, 0 } }, 7, true },
	{ "asked, with a lease: it stays", 1, { { 7, 8 } }, 7, true },
	{ "shown once", 2, { { 7, 8 }, { 0, 9 } }, 7, true },
	{ "shown once, and asked again", 2, { { 7, 8 }, { 7, 9 } }, 7, true },
	{ "shown twice", 3, { { 7, 8 }, { 0, 9 }, { 0, 10 } }, 10, false },
	{ "shown twice, and asked again", 3, { { 7, 8 }, { 7, 9 }, { 7, 10 } }, 10, false },
	{ "shown without a lease", 3, { { 7, 0 }, { 0, 0 }, { 0, 0 } }, 7, false },
	{ "asked again later", 4, { { 7, 0 }, { 7, 0 }, { 7, 0 }, { 7, 0 } }, 7, true },
	{ "asked for each number", 4, { { 7, 8 }, { 7, 9 }, { 9, 10 }, { 9, 11 } }, 11, false },
};

static void
test_questions(void **arg)
{
	struct testhost h;

	make_host(&h, 1);
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		struct state s = { 0 };
		struct witness w;

		assert_int_equal(lease(&s, &h, 7, 1, T), KMS_OK);
		for (size_t j = 0; j < questions[i].count; j++) {
			uint64_t show = questions[i].answers[j].show,
				 number = questions[i].answers[j].lease;

			witness_for(&w, &s, &h.cert);
			witness_answered(&s, &h.cert, &w, show, T + j);
			if (number > 0)
				assert_int_equal(lease(&s, &h, number, 1, T + j), KMS_OK);
		}
		witness_for(&w, &s, &h.cert);
		if (w.number != questions[i].number || w.shown != questions[i].shown)
			fail_msg("%s: %d %d", questions[i].what, (int)w.number, w.shown);
	}
}

#define MANY (STATE_HOSTS + 2)

static void
make_hosts(struct testhost hosts[MANY])
{
	for (unsigned i = 0; i < MANY; i++)
		make_host(&hosts[i], (uint8_t)(i + 1));
}

/* A list that is full: host n was last used at T + n. */
static void
fill(struct state *s, const struct testhost hosts[MANY])
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < STATE_HOSTS; i++)
		assert_int_equal(lease(s, &hosts[i], 7, 1, T + i), KMS_OK);
	assert_int_equal(s->host_count, STATE_HOSTS);
}

static void
give_lease(struct state *s, const struct testhost *h)
{
	struct aside names = { 0 };
	struct entry_client e;
	uint8_t pk[32] = { 9 };

	testhost_entry(h, &e, &names, pk, T, 60);
	s->bundle_len = testhost_bundle(h, s->bundle, sizeof(s->bundle), &e, &names);
	assert_true(s->bundle_len > 0);
}

/* The host that is missing after the next one came; STATE_HOSTS: the next one. */
static unsigned
gone(struct state *s, const struct testhost hosts[MANY])
{
	unsigned missing = MANY;

	assert_int_equal(lease(s, &hosts[STATE_HOSTS], 7, 1, T + 100), KMS_OK);
	assert_int_equal(s->host_count, STATE_HOSTS);
	for (unsigned i = 0; i <= STATE_HOSTS; i++)
		if (!witness_knows(s, hosts[i].cert.host_id)) {
			assert_int_equal(missing, MANY);
			missing = i;
		}
	return missing;
}

static void
test_room(void **arg)
{
	struct testhost *hosts = calloc(MANY, sizeof(*hosts));
	struct state *s = calloc(1, sizeof(*s));
	struct witness w;

	make_hosts(hosts);
	fill(s, hosts);
	assert_int_equal(gone(s, hosts), 0);
	fill(s, hosts); /* an answer is a use too */
	witness_for(&w, s, &hosts[0].cert);
	witness_answered(s, &hosts[0].cert, &w, 0, T + 50);
	assert_int_equal(gone(s, hosts), 1);
	fill(s, hosts); /* not the one that the lease is of */
	give_lease(s, &hosts[0]);
	assert_int_equal(gone(s, hosts), 1);
	fill(s, hosts); /* nor those that there is evidence against */
	give_lease(s, &hosts[1]);
	assert_int_equal(lease(s, &hosts[0], 6, 1, T), KMS_E_HISTORY);
	assert_int_equal(lease(s, &hosts[2], 6, 1, T + 2), KMS_E_HISTORY);
	assert_int_equal(gone(s, hosts), 3);
	fill(s, hosts); /* nobody can go */
	give_lease(s, &hosts[STATE_HOSTS - 1]);
	for (unsigned i = 0; i < STATE_HOSTS - 1; i++)
		assert_int_equal(lease(s, &hosts[i], 7, 2, T + i), KMS_E_HISTORY);
	assert_int_equal(gone(s, hosts), STATE_HOSTS);
	witness_for(&w, s, &hosts[STATE_HOSTS].cert);
	assert_true(w.number == 0);
	free(s);
	free(hosts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_foreign_headers),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
