/*
 * segment.c - codec of segment headers, batch records and footers, and the decision whether other
 * bytes were torn or altered.
 *
 * The rule uses a property of disks: a 512-byte sector is written completely or not at all. A
 * record was acknowledged only after all its sectors were written; so a record with a sector of
 * zeros, or without its trailer, is torn, provided that nothing follows it. (Erased asides are
 * zeros too, but shorter than a sector, and there is an entry between two of them.) Any other
 * invalid record was changed afterwards.
 */
#include "kmsdb/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "libkms/core/fast_sha256.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

#define CHECK 16
static const uint8_t SEGMENT_MAGIC[8] = "KMSJSEG1";
static const uint8_t RECORD_MAGIC[8] = "KMSJBAT1";
static const uint8_t FOOTER_MAGIC[8] = "KMSJNEXT";
/* The last byte is not zero, and one flipped bit does not make it zero: see segment_item. */
static const uint8_t END_MAGIC[8] = { 'K', 'M', 'S', 'J', 'E', 'N', 'D', 0xa5 };

void
segment_name(char out[SEGMENT_NAME], uint64_t first)
{
	snprintf(out, SEGMENT_NAME, "%020" PRIu64 ".seg", first);
}

bool
segment_name_parse(const char *name, uint64_t *first)
{
	uint64_t n = 0;

	if (strlen(name) != SEGMENT_NAME - 1 || strcmp(name + 20, ".seg") != 0)
		return false;
	for (int i = 0; i < 20; i++) {
		if (name[i] < '0' || name[i] > '9' || n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(name[i] - '0');
	}
	*first = n;
	return n > 0;
}

static void
check_octets(uint8_t out[CHECK], const uint8_t *in, size_t len)
{
	uint8_t hash[MERKLE_HASH];

	fast_sha256(hash, in, len, "", 0);
	memcpy(out, hash, CHECK);
}

static bool
check_holds(const uint8_t *in, size_t len)
{
	uint8_t check[CHECK];

	check_octets(check, in, len);
	return memcmp(check, in + len, CHECK) == 0;
}

void
segment_header_encode(uint8_t out[SEGMENT_SECTOR], const struct segment_header *h)
{
	struct wire_writer w;

	memset(out, 0, SEGMENT_SECTOR);
	wire_writer_init(&w, out, SEGMENT_SECTOR);
	wire_put(&w, SEGMENT_MAGIC, sizeof(SEGMENT_MAGIC));
	wire_put_u32(&w, SEGMENT_SCHEMA);
	wire_put_u32(&w, SEGMENT_SECTOR);
	wire_put_u64(&w, h->first);
	wire_put(&w, h->previous, 32);
	check_octets(out + 56, out, 56);
	wire_writer_init(&w, out + 72, SEGMENT_MAKER);
	wire_put_text(&w, PACKAGE_VERSION, SEGMENT_MAKER);
}

int
segment_header_decode(struct segment_header *h, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint32_t size;
	bool text;

	if (len < SEGMENT_SECTOR || memcmp(in, SEGMENT_MAGIC, sizeof(SEGMENT_MAGIC)) != 0 ||
	    !check_holds(in, 56))
		return KMS_E_ALTERED;
	wire_reader_init(&r, in + 8, 48);
	h->schema = wire_get_u32(&r);
	size = wire_get_u32(&r);
	h->first = wire_get_u64(&r);
	wire_get(&r, h->previous, 32);
	wire_reader_init(&r, in + 72, SEGMENT_MAKER);
	text = wire_get_text(&r, h->maker, SEGMENT_MAKER);
	if (!text)
		h->maker[0] = '\0';
	if (h->schema != SEGMENT_SCHEMA)
		return KMS_E_SCHEMA;
	if (size != SEGMENT_SECTOR || h->first == 0 || !text ||
	    !octets_zero(in + 96, SEGMENT_SECTOR - 96))
		return KMS_E_ALTERED;
	return KMS_OK;
}

void
segment_footer_encode(uint8_t out[SEGMENT_SECTOR], uint64_t next, const uint8_t previous[32])
{
	struct wire_writer w;

	memset(out, 0, SEGMENT_SECTOR);
	wire_writer_init(&w, out, SEGMENT_SECTOR);
	wire_put(&w, FOOTER_MAGIC, sizeof(FOOTER_MAGIC));
	wire_put_u64(&w, next);
	wire_put(&w, previous, 32);
	check_octets(out + 48, out, 48);
	memcpy(out + SEGMENT_SECTOR - 8, END_MAGIC, sizeof(END_MAGIC));
}

size_t
record_length(size_t n)
{
	return (RECORD_HEAD + n + RECORD_TRAILER + SEGMENT_SECTOR - 1) / SEGMENT_SECTOR *
	       SEGMENT_SECTOR;
}

size_t
record_seal(uint8_t *record, size_t n, const uint8_t header[BATCH_HEADER],
    const uint8_t signature[BATCH_SIGNATURE])
{
	size_t length = record_length(n);
	struct wire_writer w;

	wire_writer_init(&w, record, length);
	wire_put(&w, RECORD_MAGIC, sizeof(RECORD_MAGIC));
	wire_put_u32(&w, (uint32_t)length);
	wire_put_u32(&w, (uint32_t)n);
	wire_put(&w, header, BATCH_HEADER);
	wire_put(&w, signature, BATCH_SIGNATURE);
	check_octets(record + RECORD_HEAD - CHECK, record, RECORD_HEAD - CHECK);
	wire_writer_init(&w, record + RECORD_HEAD + n, length - RECORD_HEAD - n);
	wire_put_zero(&w, length - RECORD_HEAD - n - RECORD_TRAILER);
	wire_put_u32(&w, (uint32_t)length);
	wire_put(&w, END_MAGIC, sizeof(END_MAGIC));
	return length;
}

/* Views of head and items; false when the shape is not that of a record. */
static bool
record_parse(struct record *r, const uint8_t *at, uint32_t length, uint32_t n)
{
	struct wire_reader in;

	r->length = length;
	r->octets = at;
	r->header = at + 16;
	r->signature = r->header + BATCH_HEADER;
	if (batch_header_decode(&r->batch, r->header) != KMS_OK || r->batch.size == 0 ||
	    r->batch.size > RECORD_ENTRIES)
		return false;
	wire_reader_init(&in, at + RECORD_HEAD, n);
	for (uint32_t i = 0; i < r->batch.size; i++) {
		if (item_read(&in, &r->items[i]) != KMS_OK)
			return false;
	}
	if (wire_finish(&in) != KMS_OK)
		return false;
	at += RECORD_HEAD + n;
	length -= RECORD_HEAD + n;
	wire_reader_init(&in, at + length - RECORD_TRAILER, 4);
	return octets_zero(at, length - RECORD_TRAILER) && wire_get_u32(&in) == r->length &&
	       memcmp(at + length - 8, END_MAGIC, sizeof(END_MAGIC)) == 0;
}

static bool
has_hole(const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length; i += SEGMENT_SECTOR) {
		if (octets_zero(at + i, SEGMENT_SECTOR))
			return true;
	}
	return false;
}

static bool
root_holds(const struct record *r, struct merkle_tree *scratch)
{
	uint8_t hash[MERKLE_HASH];

	merkle_tree_reset(scratch);
	for (uint32_t i = 0; i < r->batch.size; i++) {
		if (merkle_tree_add_entry(scratch, r->items[i].entry, r->items[i].entry_len) !=
		    KMS_OK)
			return false;
	}
	merkle_tree_close(scratch, hash);
	return memcmp(hash, r->batch.root, MERKLE_HASH) == 0;
}

/* Does a record or footer begin on a later sector? Then what comes before it was once complete. */
static bool
record_follows(const uint8_t *at, size_t avail)
{
	for (size_t i = SEGMENT_SECTOR; i + RECORD_HEAD <= avail; i += SEGMENT_SECTOR) {
		const uint8_t *p = at + i;
		if (memcmp(p, RECORD_MAGIC, 8) == 0 && check_holds(p, RECORD_HEAD - CHECK))
			return true;
		if (memcmp(p, FOOTER_MAGIC, 8) == 0 && check_holds(p, 48))
			return true;
	}
	return false;
}

/* No record begins here, and the first sector gives no reason. */
static enum segment_item
headless(const uint8_t *at, size_t avail, const char **why)
{
	if (octets_zero(at, avail))
		return SEGMENT_END;
	if (record_follows(at, avail)) {
		*why = "zeros in place of a batch, and more batches after it";
		return SEGMENT_ALTERED;
	}
	*why = "bytes after the last batch that are not a batch";
	return SEGMENT_TORN;
}

/*
 * An invalid head: cut off when nothing comes after it, because a complete record would have its
 * trailer there.
 */
static enum segment_item
bad_head(const uint8_t *at, size_t avail, size_t head, const char **why)
{
	if (avail <= head || octets_zero(at + head, avail - head)) {
		*why = "a head that is cut off";
		return SEGMENT_TORN;
	}
	*why = "a head does not match its check bytes";
	return SEGMENT_ALTERED;
}

static enum segment_item
footer_item(struct record *r, const uint8_t *at, size_t avail, const char **why)
{
	struct wire_reader in;

	if (avail < SEGMENT_SECTOR || !check_holds(at, 48))
		return bad_head(at, avail, SEGMENT_SECTOR - 1, why);
	wire_reader_init(&in, at + 8, 40);
	r->batch.number = wire_get_u64(&in);
	wire_get(&in, r->batch.previous, 32);
	if (at[SEGMENT_SECTOR - 1] == 0)
		return bad_head(at, avail, SEGMENT_SECTOR - 1, why);
	if (!octets_zero(at + 64, SEGMENT_SECTOR - 72) ||
	    memcmp(at + SEGMENT_SECTOR - 8, END_MAGIC, 8) != 0) {
		*why = "bytes in the padding of a footer";
		return SEGMENT_ALTERED;
	}
	return SEGMENT_FOOTER;
}

/* A record with a valid head whose rest is invalid or incomplete. */
static enum segment_item
bad_body(const uint8_t *at, size_t avail, uint32_t length, const char **why)
{
	bool torn = avail < length || at[length - 1] == 0 || has_hole(at, length);

	if (torn && (avail <= length || octets_zero(at + length, avail - length))) {
		*why = "a batch that is only partly written";
		return SEGMENT_TORN;
	}
	*why = "the entries, padding or trailer of a batch were changed";
	return SEGMENT_ALTERED;
}

enum segment_item
segment_item(struct record *r, const uint8_t *at, size_t avail, struct merkle_tree *scratch,
    const char **why)
{
	struct wire_reader in;
	uint32_t length, n;

	*why = "";
	if (avail > 2 * RECORD_MAX)
		avail = 2 * RECORD_MAX;
	if (octets_zero(at, avail < RECORD_HEAD ? avail : RECORD_HEAD))
		return headless(at, avail < RECORD_MAX ? avail : RECORD_MAX, why);
	if (avail >= 8 && memcmp(at, FOOTER_MAGIC, 8) == 0)
		return footer_item(r, at, avail, why);
	if (avail < RECORD_HEAD || memcmp(at, RECORD_MAGIC, 8) != 0 ||
	    !check_holds(at, RECORD_HEAD - CHECK))
		return bad_head(at, avail, RECORD_HEAD, why);
	wire_reader_init(&in, at + 8, 8);
	length = wire_get_u32(&in);
	n = wire_get_u32(&in);
	if (n > RECORD_OCTETS || length != record_length(n)) {
		*why = "a batch with impossible lengths";
		return SEGMENT_ALTERED;
	}
	if (avail < length || !record_parse(r, at, length, n) || !root_holds(r, scratch))
		return bad_body(at, avail, length, why);
	return SEGMENT_BATCH;
}
