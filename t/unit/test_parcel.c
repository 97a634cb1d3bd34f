/*
 * test_parcel.c - the layout of a parcel, its bounds, and what each kind of bad bytes is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsdb/parcel.h"
#include "libkms/kms_error.h"

#define HEAD 10
#define ITEM (2 + 40 + 1 + 3)

static uint8_t octets[PARCEL_ONE_MAX + 1];
static struct item items[RECORD_ENTRIES];

/* A batch of so many items; nobody verifies it here. */
static void
make(struct foreign_batch *b, uint8_t header[BATCH_HEADER], uint64_t number, uint32_t count)
{
	static const uint8_t entry[40] = { 1, 2 }, aside[3] = { 3 }, signature[BATCH_SIGNATURE];
	static struct item made[RECORD_ENTRIES];
	struct batch_header h = { .number = number, .size = count, .time = 1760000000 };

	h.previous[0] = number > 1;
	batch_header_encode(header, &h);
	for (uint32_t i = 0; i < count; i++)
		made[i] = (struct item){ entry, sizeof(entry), aside, sizeof(aside) };
	*b = (struct foreign_batch){ header, signature, made, count };
}

/* Two batches, of one item and of two. */
static size_t
write_two(void)
{
	struct parcel_writer w;
	struct foreign_batch b;
	uint8_t header[BATCH_HEADER];

	parcel_begin(&w, octets);
	make(&b, header, 1, 1);
	assert_int_equal(parcel_add(&w, &b), KMS_OK);
	make(&b, header, 2, 2);
	assert_int_equal(parcel_add(&w, &b), KMS_OK);
	return parcel_end(&w);
}

/* How many batches were read before the status. */
static int
read_all(size_t len, unsigned *batches)
{
	struct parcel_reader p;
	struct foreign_batch b;
	int rc = parcel_open(&p, octets, len, items);

	*batches = 0;
	while (rc == KMS_OK && (rc = parcel_next(&p, &b)) == KMS_OK)
		++*batches;
	return rc;
}

static void
test_layout(void **state)
{
	static const uint8_t head[HEAD] = { 'K', 'M', 'S', 'P', 'A', 'R', 'C', '1', 0, 2 };
	struct parcel_reader p;
	struct foreign_batch b;
	size_t len = write_two();

	(void)state;
	assert_int_equal(len, HEAD + 2 * PARCEL_BATCH_HEAD + 3 * ITEM);
	assert_memory_equal(octets, head, HEAD);
	assert_int_equal(octets[HEAD + PARCEL_BATCH_HEAD - 1], ITEM);
	assert_int_equal(parcel_open(&p, octets, len, items), KMS_OK);
	for (uint32_t n = 1; n <= 2; n++) {
		assert_int_equal(parcel_next(&p, &b), KMS_OK);
		assert_int_equal(b.count, n);
		assert_memory_equal(b.header, "KMSBATCH", 8);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(b.items[i].entry_len, 40);
			assert_int_equal(b.items[i].entry[1], 2);
			assert_int_equal(b.items[i].aside_len, 3);
			assert_int_equal(b.items[i].aside[0], 3);
		}
	}
	assert_int_equal(parcel_next(&p, &b), KMS_E_NOT_FOUND);
}

/* A byte at a place becomes that one, or the parcel gets longer or shorter. */
#define FIRST HEAD        /* batch */
#define SIZE (FIRST + 64) /* of the header: how many entries */
#define LENGTH (FIRST + PARCEL_BATCH_HEAD - 4)
#define ENTRY (FIRST + PARCEL_BATCH_HEAD)
static const struct {
	const char *name;
	size_t at;
	uint8_t octet;
	int longer;
	int status;
	unsigned batches;
} bad[] = {
	{ "nothing is wrong", 0, 'K', 0, KMS_E_NOT_FOUND, 2 },
	{ "no parcel", 0, 'X', 0, KMS_E_FORMAT, 0 },
	{ "of another version", 7, '2', 0, KMS_E_SCHEMA, 0 },
	{ "no batch", 9, 0, 0, KMS_E_FORMAT, 0 },
	{ "more batches than there are", 9, 3, 0, KMS_E_FORMAT, 2 },
	{ "fewer batches than there are", 9, 1, 0, KMS_E_FORMAT, 1 },
	{ "too many batches", 9, 65, 0, KMS_E_FORMAT, 0 },
	{ "very many batches", 8, 1, 0, KMS_E_FORMAT, 0 },
	{ "no header of a batch", FIRST, 'X', 0, KMS_E_FORMAT, 0 },
	{ "number 0", FIRST + 31, 0, 0, KMS_E_FORMAT, 0 },
	{ "a batch of none", SIZE + 3, 0, 0, KMS_E_FORMAT, 0 },
	{ "more entries than there are", SIZE + 3, 2, 0, KMS_E_FORMAT, 0 },
	{ "too many entries", SIZE, 0x80, 0, KMS_E_FORMAT, 0 },
	{ "items that are shorter", LENGTH + 3, ITEM - 1, 0, KMS_E_FORMAT, 0 },
	{ "items that are longer", LENGTH + 3, ITEM + 1, 0, KMS_E_FORMAT, 0 },
	{ "items of no length", LENGTH + 3, 0, 0, KMS_E_FORMAT, 0 },
	{ "items that are longer than all", LENGTH, 0xff, 0, KMS_E_FORMAT, 0 },
	{ "an entry that is shorter", ENTRY + 1, 39, 0, KMS_E_FORMAT, 0 },
	{ "an entry that is longer than all", ENTRY, 0xff, 0, KMS_E_FORMAT, 0 },
	{ "names that are longer", ENTRY + 42, 4, 0, KMS_E_FORMAT, 0 },
	{ "an octet more", 0, 'K', 1, KMS_E_FORMAT, 2 },
	{ "an octet less", 0, 'K', -1, KMS_E_FORMAT, 1 },
	{ "too long for two", 0, 'K', PARCEL_MAX, KMS_E_TOO_LARGE, 0 },
	{ "longer than any", 0, 'K', PARCEL_ONE_MAX, KMS_E_TOO_LARGE, 0 },
};

static void
test_bad(void **state)
{
	unsigned batches;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = write_two();
		int rc;

		octets[bad[i].at] = bad[i].octet;
		len += (size_t)bad[i].longer;
		rc = read_all(len > sizeof(octets) ? sizeof(octets) : len, &batches);
		if (rc != bad[i].status || batches != bad[i].batches)
			fail_msg("%s: %d after %u batches", bad[i].name, rc, batches);
	}
}

static void
test_cut(void **state)
{
	size_t len = write_two();
	unsigned batches;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(read_all(n, &batches), KMS_E_FORMAT);
		assert_true(batches <= 1);
	}
}

/* As many as fit: by number, and by size. */
static void
test_full(void **state)
{
	struct parcel_writer w;
	struct foreign_batch b;
	uint8_t header[BATCH_HEADER];
	unsigned batches;

	(void)state;
	parcel_begin(&w, octets);
	assert_int_equal(parcel_end(&w), 0);
	for (uint64_t n = 1; n <= PARCEL_BATCHES; n++) {
		make(&b, header, n, 1);
		assert_int_equal(parcel_add(&w, &b), KMS_OK);
	}
	assert_int_equal(parcel_add(&w, &b), KMS_E_TOO_LARGE);
	assert_int_equal(read_all(parcel_end(&w), &batches), KMS_E_NOT_FOUND);
	assert_int_equal(batches, PARCEL_BATCHES);
	parcel_begin(&w, octets);
	make(&b, header, 1, RECORD_ENTRIES);
	for (batches = 0; parcel_add(&w, &b) == KMS_OK; batches++)
		assert_true(w.len <= PARCEL_MAX);
	assert_int_equal(batches, PARCEL_MAX / (PARCEL_BATCH_HEAD + RECORD_ENTRIES * ITEM));
	assert_int_equal(w.count, batches);
	assert_int_equal(read_all(parcel_end(&w), &batches), KMS_E_NOT_FOUND);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
