/*
 * test_kmsdb_journal.c - a journal that was cut, zeroed, changed, or has lost a
 * segment: what was never acknowledged is cleared, everything else is refused, and nothing is
 * dropped in silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/segment.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/merkle.h"
#include "t/unit/ledger_fixture.h"

#define BATCHES 3
#define TAIL 1024 /* zeros kept behind the last batch */

/* Where things are in the only segment of a small journal. */
struct small {
	struct fixture f;
	char name[32];
	uint8_t *octets; /* of the segment, shortened to end + TAIL */
	size_t len;
	size_t last, end; /* of the last batch */
};

static int
find_last(const struct kmsdb_batch_view *b, void *arg)
{
	struct small *s = arg;

	s->last = b->offset;
	return 0;
}

static int
setup(void **state)
{
	struct small *s = calloc(1, sizeof(*s));
	char names[2][32];

	fixture_make(&s->f, NULL);
	fixture_open(&s->f);
	fixture_leases(&s->f, 1, 1, 1, FIXTURE_NOW);
	fixture_leases(&s->f, 2, 4, 1, FIXTURE_NOW);
	fixture_leases(&s->f, 3, 5, 2, FIXTURE_NOW);
	fixture_close(&s->f);
	assert_int_equal(fixture_segments(&s->f, names, 2), 1);
	snprintf(s->name, sizeof(s->name), "%s", names[0]);
	s->octets = fixture_read(&s->f, s->name, &s->len);
	assert_int_equal(s->len, s->f.opt.segment_size);
	assert_int_equal(
	    kmsdb_journal_each(s->f.dirfd, 1, find_last, s, fixture_fault(&s->f)), KMS_OK);
	s->end = s->last + record_length(5 * (2 + ENTRY_CLIENT_FIXED + 1 + 35 + 16));
	assert_int_equal(s->octets[s->end - 1], 0xa5);
	s->len = s->end + TAIL;
	fixture_copy(&s->f, "kmsdb/index", "full-index");
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct small *s = *state;

	fixture_remove(&s->f);
	free(s->octets);
	free(s);
	return 0;
}

static int
count_batch(const struct kmsdb_batch_view *b, void *arg)
{
	uint64_t *count = arg;

	assert_int_equal(b->header.number, ++*count);
	return 0;
}

static int
read_all(struct small *s, uint64_t *count)
{
	*count = 0;
	return kmsdb_journal_each(s->f.dirfd, 1, count_batch, count, fixture_fault(&s->f));
}

static uint64_t
last_batch(struct fixture *f)
{
	struct kmsdb_info info;

	kmsdb_info(f->db, &info);
	return info.last_batch;
}

/* Opened on the journal alone: two batches, the third cleared, and room for another third. */
static void
opens_without_last(struct small *s, size_t cut)
{
	fixture_drop_index(&s->f);
	s->f.torn = 0;
	fixture_open(&s->f);
	assert_int_equal(last_batch(&s->f), BATCHES - 1);
	assert_int_equal(s->f.torn, cut > s->last);
	assert_int_equal(
	    kmsdb_pool_count(s->f.db, s->f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 5);
	fixture_leases(&s->f, 50, 1, 1, FIXTURE_NOW);
	fixture_close(&s->f);
}

/* Cut at every byte of the last batch: the file ends there, and zeros from there. */
static void
test_cut(void **state)
{
	struct small *s = *state;
	uint8_t *zeroed = calloc(1, s->len);
	uint64_t count;

	for (size_t cut = s->last; cut < s->end; cut++) {
		fixture_write(&s->f, s->name, s->octets, cut);
		assert_int_equal(read_all(s, &count), KMS_OK);
		assert_int_equal(count, BATCHES - 1);
		if (cut % 7 == 0 || cut + 20 > s->end || cut < s->last + 20)
			opens_without_last(s, cut);
		memcpy(zeroed, s->octets, cut);
		fixture_write(&s->f, s->name, zeroed, s->len);
		assert_int_equal(read_all(s, &count), KMS_OK);
		assert_int_equal(count, BATCHES - 1);
		if (cut % 7 == 3 || cut + 20 > s->end || cut < s->last + 20)
			opens_without_last(s, cut);
	}
	free(zeroed);
}

/* A write reaches the disk sector by sector in any order: each lost one is a torn batch. */
static void
test_lost_sectors(void **state)
{
	struct small *s = *state;
	size_t sectors = (s->end - s->last) / SEGMENT_SECTOR;
	uint8_t *torn = malloc(s->len);
	uint64_t count;

	assert_true(sectors == 2 || sectors == 3);
	for (unsigned lost = 1; lost < 1u << sectors; lost++) {
		memcpy(torn, s->octets, s->len);
		for (size_t i = 0; i < sectors; i++) {
			if (lost >> i & 1)
				memset(torn + s->last + i * SEGMENT_SECTOR, 0, SEGMENT_SECTOR);
		}
		fixture_write(&s->f, s->name, torn, s->len);
		assert_int_equal(read_all(s, &count), KMS_OK);
		assert_int_equal(count, BATCHES - 1);
		opens_without_last(s, lost + 1u == 1u << sectors ? s->last : s->end);
	}
	free(torn);
}

/* What the index contains the journal must have: the same cuts, with an index that knows better. */
static void
test_cut_below_the_index(void **state)
{
	struct small *s = *state;

	for (size_t cut = s->last; cut < s->end; cut += 41) {
		fixture_copy(&s->f, "full-index", "kmsdb/index");
		fixture_write(&s->f, s->name, s->octets, cut);
		assert_int_equal(fixture_try_open(&s->f), KMS_E_INDEX);
		assert_non_null(strstr(s->f.fault.text, s->name));
		assert_int_equal(fixture_check(&s->f), KMS_E_INDEX);
	}
	fixture_write(&s->f, s->name, s->octets, 512);
	assert_int_equal(fixture_try_open(&s->f), KMS_E_INDEX);
	/* An undamaged one opens, and the check finds nothing. */
	fixture_write(&s->f, s->name, s->octets, s->len);
	assert_int_equal(fixture_check(&s->f), KMS_OK);
	fixture_open(&s->f);
}

static size_t
number(const uint8_t *at, unsigned octets)
{
	size_t v = 0;

	while (octets-- > 0)
		v = v << 8 | *at++;
	return v;
}

/* Is the byte one that nothing covers: of a name beside an entry, or of the version in the header?
 */
static bool
uncovered(const struct small *s, size_t at)
{
	const uint8_t *record = s->octets + SEGMENT_SECTOR;

	if (at >= 72 && at < 96)
		return true;
	for (; record < s->octets + s->end; record += number(record + 8, 4)) {
		size_t from = (size_t)(record - s->octets) + RECORD_HEAD;

		for (size_t n = number(record + 16 + 64, 4); n > 0; n--) {
			from += 2 + number(s->octets + from, 2);
			if (at > from && at <= from + s->octets[from])
				return true;
			from += 1 + (size_t)s->octets[from];
		}
	}
	return false;
}

/*
 * One byte changed, at every place: in a header or a batch it is found and said where; in the
 * zeros behind, where an unfinished write may have left its remains, all batches are still read,
 * and the check tells.
 */
static void
test_flip(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	struct small *s = *state;
	uint64_t count;

	for (size_t at = 0; at < s->len; at++) {
		uint8_t flip = flips[at % 3];
		bool beside = uncovered(s, at);
		int rc;
		s->octets[at] ^= flip;
		fixture_write(&s->f, s->name, s->octets, s->len);
		rc = read_all(s, &count);
		if (beside) {
			/* A name is no reason not to start, and never one to say that a batch was
			 * changed. */
			assert_true(rc == KMS_OK || at < 96);
			fixture_copy(&s->f, "full-index", "kmsdb/index");
			rc = at < 96 || at % 5 > 0 ? KMS_OK : fixture_try_open(&s->f);
			assert_int_equal(rc, KMS_OK);
			fixture_close(&s->f);
		} else if (at >= s->end) {
			assert_int_equal(rc, KMS_OK);
			assert_int_equal(count, BATCHES);
		} else {
			assert_int_equal(rc, KMS_E_ALTERED);
			assert_non_null(strstr(s->f.fault.text, s->name));
			assert_non_null(strstr(s->f.fault.text, "offset"));
		}
		if (at % 101 == 0 && !beside) {
			fixture_copy(&s->f, "full-index", "kmsdb/index");
			assert_int_equal(
			    fixture_check(&s->f), at >= s->end ? KMS_E_TORN : KMS_E_ALTERED);
			rc = fixture_try_open(&s->f);
			/* At start only what the index lacks is read, and its last batch. */
			if (at < SEGMENT_SECTOR || (at >= s->last && at < s->end))
				assert_int_equal(rc, KMS_E_ALTERED);
			else
				assert_int_equal(rc, KMS_OK);
			fixture_close(&s->f);
			if (at >= s->end)
				assert_int_equal(fixture_check(&s->f), KMS_OK);
		}
		s->octets[at] ^= flip;
	}
}

/* A batch zeroed out in the middle is not a torn tail: there are others after it. */
static void
test_zeroed_middle(void **state)
{
	struct small *s = *state;
	uint8_t *holed = malloc(s->len);
	uint64_t count;

	for (size_t from = SEGMENT_SECTOR; from < s->last; from += SEGMENT_SECTOR) {
		memcpy(holed, s->octets, s->len);
		memset(holed + from, 0, s->last - from);
		fixture_write(&s->f, s->name, holed, s->len);
		assert_int_equal(read_all(s, &count), KMS_E_ALTERED);
	}
	free(holed);
}

/* Far behind the last batch no write can have left anything. */
static void
test_far_padding(void **state)
{
	struct small *s = *state;
	uint8_t *whole = calloc(1, 1 << 20);

	memcpy(whole, s->octets, s->end);
	whole[(1 << 20) - 5] = 1;
	fixture_write(&s->f, s->name, whole, 1 << 20);
	assert_int_equal(fixture_check(&s->f), KMS_E_ALTERED);
	whole[(1 << 20) - 5] = 0;
	fixture_write(&s->f, s->name, whole, 1 << 20);
	assert_int_equal(fixture_check(&s->f), KMS_OK);
	free(whole);
}

/* Several segments: fill 1 MiB with batches of admin entries, which are large. */
static void
fill_segments(struct fixture *f, unsigned batches)
{
	uint8_t entry[ENTRY_MAX], blob[3300];
	struct entry_admin a = { .kind = ENTRY_CERTIFICATE,
		.time = FIXTURE_NOW,
		.blob = blob,
		.blob_len = sizeof(blob) };
	struct item item = { .entry = entry };
	uint32_t leaf;

	f->time = FIXTURE_NOW;
	for (unsigned b = 0; b < batches; b++) {
		for (unsigned i = 0; i < 72; i++) {
			memset(blob, (int)(b + i) | 1, sizeof(blob));
			item.entry_len = entry_admin_encode(entry, sizeof(entry), &a);
			assert_true(item.entry_len > 0);
			assert_int_equal(kmsdb_stage(f->db, &item, &leaf), KMS_OK);
		}
		fixture_commit(f);
		fixture_leases(f, 1000 + b, 1, 1, FIXTURE_NOW);
	}
}

static void
fill_and_die(struct fixture *f)
{
	fill_segments(f, 20);
}

static int
segments_setup(void **state)
{
	struct small *s = calloc(1, sizeof(*s));
	char names[16][32];

	fixture_make(&s->f, NULL);
	fixture_open(&s->f);
	fill_segments(&s->f, 20);
	fixture_close(&s->f);
	assert_true(fixture_segments(&s->f, names, 16) >= 4);
	fixture_copy(&s->f, "kmsdb/index", "full-index");
	*state = s;
	return 0;
}

static void
test_segments(void **state)
{
	struct small *s = *state;
	uint64_t count;

	assert_int_equal(read_all(s, &count), KMS_OK);
	assert_int_equal(count, 40);
	assert_int_equal(fixture_check(&s->f), KMS_OK);
	fixture_drop_index(&s->f);
	fixture_open(&s->f);
	assert_int_equal(last_batch(&s->f), 40);
	assert_int_equal(
	    kmsdb_pool_count(s->f.db, s->f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 20);
	fixture_leases(&s->f, 1, 1, 1, FIXTURE_NOW);
}

static int
count_from(const struct kmsdb_batch_view *b, void *arg)
{
	uint64_t *first = arg;

	if (*first == 0)
		*first = b->header.number;
	return KMS_OK;
}

/* Where to begin for the newest part: a segment's first batch, of no more segments than are asked
 * for. */
static void
test_newest(void **state)
{
	struct small *s = *state;
	char names[16][32];
	size_t n = fixture_segments(&s->f, names, 16);
	const uint64_t size = s->f.opt.segment_size;
	uint64_t from, first;
	bool all;

	for (size_t back = 0; back < n; back++) {
		for (uint64_t extra = 0; extra < 2; extra++) {
			/* The last segment is read in any case, and one byte needs one more. */
			size_t expected = n - 1 - back;

			if (extra == 1 && expected > 0)
				expected--;
			assert_int_equal(kmsdb_journal_newest(s->f.dirfd, back * size + extra,
					     &from, &all, fixture_fault(&s->f)),
			    KMS_OK);
			assert_int_equal(from, strtoull(names[expected], NULL, 10));
			assert_int_equal(all, expected == 0);
			first = 0;
			assert_int_equal(kmsdb_journal_each(s->f.dirfd, from, count_from, &first,
					     fixture_fault(&s->f)),
			    KMS_OK);
			assert_int_equal(first, from);
		}
	}
	assert_int_equal(
	    kmsdb_journal_newest(s->f.dirfd, UINT64_MAX, &from, &all, fixture_fault(&s->f)),
	    KMS_OK);
	assert_int_equal(from, 1);
	assert_true(all);
}

/* Each segment taken away in turn: with an index and without one, it is missed by name. */
static void
test_missing_segment(void **state)
{
	struct small *s = *state;
	char names[16][32];
	size_t n = fixture_segments(&s->f, names, 16);
	uint64_t count;

	for (size_t i = 0; i < n; i++) {
		size_t len;
		uint8_t *octets = fixture_read(&s->f, names[i], &len);
		fixture_unlink(&s->f, names[i]);
		assert_int_equal(read_all(s, &count), KMS_E_MISSING);
		assert_non_null(strstr(s->f.fault.text, names[i]));
		fixture_copy(&s->f, "full-index", "kmsdb/index");
		assert_int_equal(fixture_try_open(&s->f), KMS_E_MISSING);
		assert_non_null(strstr(s->f.fault.text, names[i]));
		assert_int_equal(fixture_check(&s->f), KMS_E_MISSING);
		fixture_drop_index(&s->f);
		assert_int_equal(fixture_try_open(&s->f), KMS_E_MISSING);
		assert_non_null(strstr(s->f.fault.text, names[i]));
		fixture_write(&s->f, names[i], octets, len);
		free(octets);
	}
	assert_int_equal(read_all(s, &count), KMS_OK);
}

static void
test_swapped_segments(void **state)
{
	struct small *s = *state;
	char names[16][32];
	size_t la, lb, n = fixture_segments(&s->f, names, 16);
	uint8_t *a = fixture_read(&s->f, names[1], &la), *b = fixture_read(&s->f, names[2], &lb);
	uint64_t count;

	fixture_write(&s->f, names[1], b, lb);
	fixture_write(&s->f, names[2], a, la);
	assert_int_equal(read_all(s, &count), KMS_E_ALTERED);
	assert_non_null(strstr(s->f.fault.text, names[1]));
	fixture_write(&s->f, names[1], a, la);
	fixture_write(&s->f, names[2], b, lb);
	assert_int_equal(read_all(s, &count), KMS_OK);
	/* One byte in the zeros, the footer or the last batch of a closed segment. */
	for (size_t at = la - 1; at > la - 260000; at -= 997) {
		a[at] ^= 0x10;
		fixture_write(&s->f, names[1], a, la);
		assert_int_equal(read_all(s, &count), KMS_E_ALTERED);
		a[at] ^= 0x10;
	}
	assert_true(n > 3);
	free(a);
	free(b);
}

/* Died between making a segment and closing the one before: the next start does it. */
static void
test_footer_left_out(void **state)
{
	struct small *s = *state;
	char names[16][32];
	size_t len, n = fixture_segments(&s->f, names, 16);
	uint8_t *octets = fixture_read(&s->f, names[n - 2], &len), *last;
	size_t footer = len - SEGMENT_SECTOR, last_len;
	uint64_t count, whole;
	char number[21];

	while (memcmp(octets + footer, "KMSJNEXT", 8) != 0)
		footer -= SEGMENT_SECTOR;
	memset(octets + footer, 0, SEGMENT_SECTOR);
	fixture_write(&s->f, names[n - 2], octets, len);
	assert_int_equal(read_all(s, &count), KMS_E_ALTERED);
	last = fixture_read(&s->f, names[n - 1], &last_len);
	memset(last + SEGMENT_SECTOR, 0, last_len - SEGMENT_SECTOR);
	fixture_write(&s->f, names[n - 1], last, last_len);
	snprintf(number, sizeof(number), "%.20s", names[n - 1]);
	whole = strtoull(number, NULL, 10) - 1;
	assert_int_equal(read_all(s, &count), KMS_OK);
	assert_int_equal(count, whole);
	fixture_drop_index(&s->f);
	fixture_open(&s->f);
	fixture_leases(&s->f, 1, 1, 1, FIXTURE_NOW);
	fixture_close(&s->f);
	assert_int_equal(fixture_check(&s->f), KMS_OK);
	assert_int_equal(read_all(s, &count), KMS_OK);
	assert_int_equal(count, whole + 1);
	free(octets);
	free(last);
}

/* A wrong signature on the last batch stops the start; one anywhere is found by the check. */
static void
test_other_key(void **state)
{
	struct small *s = *state;

	fixture_drop_index(&s->f);
	s->f.opt.sign_pk[3] ^= 1;
	assert_int_equal(fixture_try_open(&s->f), KMS_E_ALTERED);
	assert_non_null(strstr(s->f.fault.text, "signed"));
	s->f.opt.sign_pk[3] ^= 1;
	s->f.sign_pk[3] ^= 1;
	/* The journal's own START names the key that signed it, which is no proof. */
	assert_int_equal(fixture_check(&s->f), KMS_E_UNKNOWN_HOST);
	s->f.sign_pk[3] ^= 1;
}

/* -- other versions, and names -- */

static int
last_hash(const struct kmsdb_batch_view *b, void *arg)
{
	batch_header_hash(arg, b->header_octets);
	return 0;
}

/* A batch of one item behind the last, signed as kmsd would, whatever is in it. */
static void
append(struct small *s, const struct item *item, uint64_t time)
{
	uint8_t *octets = calloc(1, 1 << 20), *record = octets + s->end;
	uint8_t header[BATCH_HEADER], signature[BATCH_SIGNATURE], leaf[MERKLE_HASH];
	struct batch_header h = { .number = BATCHES + 1, .size = 1, .time = time };
	struct merkle_tree *tree = merkle_tree_new(1);
	size_t n;

	memcpy(octets, s->octets, s->end);
	assert_int_equal(
	    kmsdb_journal_each(s->f.dirfd, 1, last_hash, h.previous, fixture_fault(&s->f)), KMS_OK);
	memcpy(h.host_id, s->f.host_id, 16);
	merkle_leaf(leaf, item->entry, item->entry_len);
	merkle_tree_add(tree, leaf);
	merkle_tree_close(tree, h.root);
	merkle_tree_free(tree);
	batch_header_encode(header, &h);
	assert_int_equal(fixture_sign(signature, header, &s->f), KMS_OK);
	n = item_encode(record + RECORD_HEAD, ITEM_MAX, item);
	assert_true(n > 0);
	record_seal(record, n, header, signature);
	fixture_write(&s->f, s->name, octets, 1 << 20);
	free(octets);
}

/* What nobody knows here stops each reader, by name. */
static void
test_unknown_entry(void **state)
{
	struct small *s = *state;
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .client = 9, .product = 1, .pool = 1, .sequence = 1
	};
	static const struct {
		size_t at;
		uint8_t value;
		const char *words;
	} rows[] = {
		{ 1, 127, "entry kind 127, version 2" },
		{ 1, 39, "entry kind 39, version 2" },
		{ 0, 3, "entry kind 1, version 3" },
		{ 2, 0x01, "entry kind 1, version 2" },
	};
	struct fixture_item made;
	uint64_t count;

	e.time = FIXTURE_NOW;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture_encode(&s->f, &made, &e);
		made.entry[rows[i].at] = rows[i].value;
		fixture_write(&s->f, s->name, s->octets, s->len);
		append(s, &made.item, FIXTURE_NOW);
		assert_int_equal(read_all(s, &count), KMS_E_SCHEMA);
		assert_int_equal(count, BATCHES);
		assert_non_null(strstr(s->f.fault.text, "batch 4, entry 0: written by another"));
		assert_non_null(strstr(s->f.fault.text, rows[i].words));
		fixture_copy(&s->f, "full-index", "kmsdb/index");
		fixture_copy(&s->f, "kmsdb/index/data.mdb", "before");
		assert_int_equal(fixture_try_open(&s->f), KMS_E_SCHEMA);
		assert_non_null(strstr(s->f.fault.text, rows[i].words));
		fixture_same(&s->f, "kmsdb/index/data.mdb", "before");
		assert_int_equal(fixture_check(&s->f), KMS_E_SCHEMA);
		assert_int_equal(
		    kmsdb_rebuild(s->f.dirfd, &s->f.opt, fixture_fault(&s->f)), KMS_E_SCHEMA);
		fixture_same(&s->f, "kmsdb/index/data.mdb", "before");
		assert_int_not_equal(faccessat(s->f.dirfd, "kmsdb/index.new", F_OK, 0), 0);
	}
}

/* A journal of the first version: refused, and nothing is changed or left behind. */
static void
test_old_journal(void **state)
{
	static const char line[] =
	    ".seg: written by another version: journal version 1; this is kmsd " PACKAGE_VERSION
	    ", which reads journal version 2. Install the kmsd that wrote it again, or restore";
	const char *src = getenv("KMS_SRC");
	char command[1500];
	struct fixture f;
	uint64_t count = 0;

	(void)state;
	fixture_make(&f, NULL);
	snprintf(command, sizeof(command),
	    "cp -r '%s/t/matrix/old/journal/kmsdb' '%s/kmsdb' && cp -r '%s/kmsdb' '%s/before'",
	    src != NULL ? src : ".", f.path, f.path, f.path);
	assert_int_equal(system(command), 0);
	assert_int_equal(fixture_try_open(&f), KMS_E_SCHEMA);
	assert_non_null(strstr(f.fault.text, line));
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_E_SCHEMA);
	assert_non_null(strstr(f.fault.text, line));
	assert_int_equal(fixture_check(&f), KMS_E_SCHEMA);
	assert_int_equal(
	    kmsdb_journal_each(f.dirfd, 1, count_batch, &count, fixture_fault(&f)), KMS_E_SCHEMA);
	assert_non_null(strstr(f.fault.text, line));
	snprintf(command, sizeof(command),
	    "rm -f '%s'/kmsdb/*lock*; diff -r '%s/before' '%s/kmsdb'", f.path, f.path, f.path);
	assert_int_equal(system(command), 0);
	fixture_remove(&f);
}

/* Damaged names: kmsd starts, and they count as erased. A time far from the batch is found. */
static void
test_spoilt_names(void **state)
{
	struct small *s = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 9,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW };
	struct fixture_item made;
	struct kmsdb_cold cold;
	uint8_t cmid[16];

	fixture_cmid(cmid, 9);
	fixture_encode(&s->f, &made, &e);
	made.aside[0] = 7;
	append(s, &made.item, FIXTURE_NOW);
	fixture_drop_index(&s->f);
	fixture_open(&s->f);
	assert_int_equal(s->f.spoilt, 1);
	assert_int_equal(kmsdb_cold_get(s->f.db, cmid, &cold), KMS_OK);
	assert_string_equal(cold.name, "");
	fixture_close(&s->f);
	assert_int_equal(fixture_check(&s->f), KMS_OK);
	/* Names of another client. */
	fixture_write(&s->f, s->name, s->octets, s->len);
	made.aside[0] = 1;
	made.aside[34] ^= 1;
	append(s, &made.item, FIXTURE_NOW);
	fixture_drop_index(&s->f);
	fixture_open(&s->f);
	fixture_close(&s->f);
	assert_int_equal(fixture_check(&s->f), KMS_E_ALTERED);
	/* And all is well but the time. */
	for (int late = 0; late < 2; late++) {
		fixture_write(&s->f, s->name, s->octets, s->len);
		fixture_encode(&s->f, &made, &e);
		append(s, &made.item, FIXTURE_NOW + BATCH_SKEW + (uint64_t)late);
		fixture_drop_index(&s->f);
		fixture_open(&s->f);
		fixture_close(&s->f);
		assert_int_equal(fixture_check(&s->f), late ? KMS_E_ALTERED : KMS_OK);
	}
}

static void
test_crash_without_close(void **state)
{
	struct fixture f;
	char names[16][32];

	(void)state;
	fixture_make(&f, NULL);
	fixture_crash(&f, fill_and_die);
	assert_true(fixture_segments(&f, names, 16) >= 4);
	fixture_open(&f);
	assert_int_equal(last_batch(&f), 40);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_sectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_below_the_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zeroed_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_far_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_segments, segments_setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest, segments_setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_segment, segments_setup, teardown),
		cmocka_unit_test_setup_teardown(test_swapped_segments, segments_setup, teardown),
		cmocka_unit_test_setup_teardown(test_footer_left_out, segments_setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spoilt_names, setup, teardown),
		cmocka_unit_test(test_old_journal),
		cmocka_unit_test(test_crash_without_close),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
