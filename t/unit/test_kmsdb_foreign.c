/*
 * test_kmsdb_foreign.c - the chain of another host: what is taken, what is refused and why, and
 * what is left after each: nothing changed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/foreign.h"
#include "kmsdb/segment.h"
#include "t/unit/ledger_fixture.h"

#define BATCHES 5
#define SEGMENT (1024 * 1024)

/* A batch that the other host wrote. */
struct kept {
	uint8_t header[BATCH_HEADER], signature[BATCH_SIGNATURE];
	uint32_t count;
	struct fixture_item made[8];
	struct item items[8];
};
struct world {
	struct fixture here, there;
	struct kept batches[BATCHES + 1]; /* by number */
	struct foreign *f;
};

static int
keep(const struct kmsdb_batch_view *b, void *arg)
{
	struct world *w = arg;
	struct kept *k = &w->batches[b->header.number];

	memcpy(k->header, b->header_octets, sizeof(k->header));
	memcpy(k->signature, b->signature, sizeof(k->signature));
	k->count = b->header.size;
	for (uint32_t i = 0; i < k->count; i++) {
		struct item *item = &k->items[i];

		memcpy(k->made[i].entry, b->items[i].entry, b->items[i].entry_len);
		memcpy(k->made[i].aside, b->items[i].aside, b->items[i].aside_len);
		*item = (struct item){ k->made[i].entry, b->items[i].entry_len, k->made[i].aside,
			b->items[i].aside_len };
	}
	return 0;
}

/* Read to its end, to be written. */
static int
open_chain(struct world *w, const uint8_t sign_pk[32], struct foreign **f)
{
	struct fault *fault = fixture_fault(&w->here);
	struct scan *s = NULL;
	uint8_t host[16];
	int rc = foreign_make(w->here.dirfd, sign_pk, host, fault);

	*f = NULL;
	if (rc == KMS_OK)
		rc = foreign_open(f, w->here.dirfd, host, fault);
	if (rc == KMS_OK)
		rc = foreign_scan(*f, NULL, &s, fault);
	while (rc == KMS_OK)
		rc = foreign_next(*f, s, fault);
	if (rc == KMS_E_NOT_FOUND)
		rc = foreign_write(*f, s, SEGMENT, fault);
	scan_close(s);
	if (rc != KMS_OK) {
		foreign_close(*f);
		*f = NULL;
	}
	return rc;
}

static void
open_here(struct world *w)
{
	assert_int_equal(open_chain(w, w->there.sign_pk, &w->f), KMS_OK);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_make(&w->here, NULL);
	fixture_make(&w->there, NULL);
	fixture_open(&w->there);
	for (uint32_t n = 1; n <= BATCHES; n++)
		fixture_leases(&w->there, n, n, n, FIXTURE_NOW + n);
	fixture_close(&w->there);
	assert_int_equal(
	    kmsdb_journal_each(w->there.dirfd, 1, keep, w, fixture_fault(&w->there)), KMS_OK);
	assert_int_equal(w->batches[BATCHES].count, BATCHES);
	open_here(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	foreign_close(w->f);
	fixture_remove(&w->here);
	fixture_remove(&w->there);
	free(w);
	return 0;
}

static int
take(struct world *w, const struct kept *k)
{
	const struct foreign_batch b = { k->header, k->signature, k->items, k->count };
	uint64_t last = foreign_last(w->f);
	int rc = foreign_take(w->f, &b, NULL, NULL, NULL, fixture_fault(&w->here));

	assert_int_equal(foreign_last(w->f), rc == KMS_OK ? last + 1 : last);
	if (rc != KMS_OK && rc != KMS_E_EXISTS)
		assert_true(w->here.fault.text[0] != '\0');
	return rc;
}

static int
count(const struct kmsdb_batch_view *b, void *arg)
{
	assert_int_equal(b->header.number, ++*(uint64_t *)arg);
	return 0;
}

static void
has(struct world *w, uint64_t batches)
{
	uint64_t found = 0;

	assert_int_equal(
	    kmsdb_journal_each(foreign_directory(w->f), 1, count, &found, fixture_fault(&w->here)),
	    KMS_OK);
	assert_int_equal(found, batches);
}

/* Signed again, as only the host can. */
static void
sign_again(struct world *w, struct kept *k)
{
	crypto_sign_detached(k->signature, NULL, k->header, BATCH_HEADER, w->there.sign_sk);
}

static void
test_in_order(void **state)
{
	struct world *w = *state;

	assert_int_equal(foreign_last(w->f), 0);
	assert_memory_equal(foreign_host(w->f), w->there.host_id, 16);
	for (uint32_t n = 1; n <= BATCHES; n++)
		assert_int_equal(take(w, &w->batches[n]), KMS_OK);
	for (uint32_t n = 1; n <= BATCHES; n++)
		assert_int_equal(take(w, &w->batches[n]), KMS_E_EXISTS);
	has(w, BATCHES);
	foreign_close(w->f);
	open_here(w);
	assert_int_equal(foreign_last(w->f), BATCHES);
	has(w, BATCHES);
}

static void
test_gap(void **state)
{
	struct world *w = *state;

	assert_int_equal(take(w, &w->batches[2]), KMS_E_MISSING);
	assert_int_equal(take(w, &w->batches[1]), KMS_OK);
	assert_int_equal(take(w, &w->batches[3]), KMS_E_MISSING);
	assert_int_equal(take(w, &w->batches[2]), KMS_OK);
	assert_int_equal(take(w, &w->batches[3]), KMS_OK);
	has(w, 3);
}

/* Who hands it over changes what he likes; only the host can sign it. */
static void
test_altered(void **state)
{
	struct world *w = *state;
	struct kept k;

	assert_int_equal(take(w, &w->batches[1]), KMS_OK);
	for (size_t at = 0; at < BATCH_HEADER; at++) {
		int rc;

		k = w->batches[2];
		k.header[at] ^= 1;
		rc = take(w, &k);
		assert_true(
		    rc == KMS_E_SIGNATURE || rc == KMS_E_FORMAT || rc == KMS_E_UNKNOWN_HOST);
	}
	k = w->batches[2];
	k.signature[63] ^= 1;
	assert_int_equal(take(w, &k), KMS_E_SIGNATURE);
	k = w->batches[2];
	k.made[1].entry[40] ^= 1;
	k.items[1].entry = k.made[1].entry;
	assert_int_equal(take(w, &k), KMS_E_ALTERED);
	k = w->batches[2];
	k.count = 1;
	assert_int_equal(take(w, &k), KMS_E_FORMAT);
	k.count = 0;
	assert_int_equal(take(w, &k), KMS_E_FORMAT);
	k = w->batches[2];
	k.items[0].entry_len--;
	assert_int_equal(take(w, &k), KMS_E_FORMAT);
	k = w->batches[2];
	k.made[0].entry[0] = 9;
	k.items[0].entry = k.made[0].entry;
	assert_int_equal(take(w, &k), KMS_E_SCHEMA);
	assert_int_equal(take(w, &w->batches[2]), KMS_OK);
	has(w, 2);
}

/* Names are not signed: without them it is the same batch. */
static void
test_without_names(void **state)
{
	struct world *w = *state;
	struct kept k = w->batches[1];

	k.items[0].aside_len = 0;
	assert_int_equal(take(w, &k), KMS_OK);
	assert_int_equal(take(w, &w->batches[1]), KMS_E_EXISTS);
	has(w, 1);
}

/* The host itself signs another batch: a copy of it, or one that was set back. */
static void
test_fork(void **state)
{
	struct world *w = *state;
	struct kept k;

	for (uint32_t n = 1; n <= 3; n++)
		assert_int_equal(take(w, &w->batches[n]), KMS_OK);
	k = w->batches[2];
	k.header[BATCH_HEADER - 1] ^= 1; /* another time */
	sign_again(w, &k);
	assert_int_equal(take(w, &k), KMS_E_CHAIN);
	k = w->batches[4];
	k.header[40] ^= 1; /* another batch before */
	sign_again(w, &k);
	assert_int_equal(take(w, &k), KMS_E_CHAIN);
	k = w->batches[1];
	memcpy(k.header, w->batches[1].header, BATCH_HEADER);
	k.header[BATCH_HEADER - 1] ^= 1;
	sign_again(w, &k);
	assert_int_equal(take(w, &k), KMS_E_CHAIN);
	assert_int_equal(take(w, &w->batches[4]), KMS_OK);
	has(w, 4);
}

/* A part of a batch at the end is what a crash leaves; anything else is refused. */
static void
test_stored(void **state)
{
	struct world *w = *state;
	struct segment_header head = { .first = 1 };
	char name[SEGMENT_NAME], hex[33], path[128];
	uint8_t octet;
	struct foreign *none;
	int fd;

	for (uint32_t n = 1; n <= 2; n++)
		assert_int_equal(take(w, &w->batches[n]), KMS_OK);
	foreign_close(w->f);
	w->f = NULL;
	segment_name(name, head.first);
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", w->there.host_id[i]);
	snprintf(path, sizeof(path), "foreign/%s/kmsdb/journal/%s", hex, name);
	fd = openat(w->here.dirfd, path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &octet, 1, SEGMENT_SECTOR + 140), 1);
	octet ^= 1; /* of the signature of batch 1: its check bytes do not match either */
	assert_int_equal(pwrite(fd, &octet, 1, SEGMENT_SECTOR + 140), 1);
	assert_int_equal(open_chain(w, w->there.sign_pk, &none), KMS_E_ALTERED);
	assert_null(none);
	octet ^= 1;
	assert_int_equal(pwrite(fd, &octet, 1, SEGMENT_SECTOR + 140), 1);
	close(fd);
	open_here(w);
	assert_int_equal(foreign_last(w->f), 2);
	assert_int_equal(take(w, &w->batches[3]), KMS_OK);
}

/* The journal of one host in the folder of another. */
static void
test_exchanged(void **state)
{
	struct world *w = *state;
	char hex[33], from[80], to[64];
	uint8_t id[16], other_pk[32], other_sk[64];

	crypto_sign_keypair(other_pk, other_sk);
	assert_int_equal(take(w, &w->batches[1]), KMS_OK);
	foreign_close(w->f);
	assert_int_equal(open_chain(w, other_pk, &w->f), KMS_OK);
	memcpy(id, foreign_host(w->f), 16);
	assert_int_equal(take(w, &w->batches[1]), KMS_E_UNKNOWN_HOST);
	foreign_close(w->f);
	w->f = NULL;
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", w->there.host_id[i]);
	snprintf(from, sizeof(from), "foreign/%s", hex);
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	snprintf(to, sizeof(to), "foreign/%s", hex);
	assert_int_equal(renameat(w->here.dirfd, to, w->here.dirfd, "foreign/aside"), 0);
	assert_int_equal(renameat(w->here.dirfd, from, w->here.dirfd, to), 0);
	/* Its key is that of the other one, too. */
	assert_int_equal(
	    foreign_open(&w->f, w->here.dirfd, id, fixture_fault(&w->here)), KMS_E_UNKNOWN_HOST);
	assert_null(w->f);
	snprintf(from, sizeof(from), "%s/key", to);
	assert_int_equal(unlinkat(w->here.dirfd, from, 0), 0);
	assert_int_equal(open_chain(w, other_pk, &w->f), KMS_E_UNKNOWN_HOST);
	assert_null(w->f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_altered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exchanged, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
