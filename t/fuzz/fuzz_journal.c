/*
 * fuzz_journal.c - a segment of arbitrary bytes: its header, then item after
 * item until one is not a batch. What is taken for a batch keeps every promise.
 */
#include <string.h>

#include "kmsdb/segment.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
must_be_a_batch(const struct record *r, size_t avail)
{
	MUST(r->length <= avail && r->length <= RECORD_MAX && r->length % SEGMENT_SECTOR == 0);
	MUST(r->batch.size > 0 && r->batch.size <= RECORD_ENTRIES);
	MUST(r->octets[r->length - 1] != 0);
	for (uint32_t i = 0; i < r->batch.size; i++) {
		const struct item *item = &r->items[i];

		MUST(item->entry >= r->octets + RECORD_HEAD);
		MUST(item->entry + item->entry_len + 1 <= r->octets + r->length - RECORD_TRAILER);
		MUST(item->aside + item->aside_len <= r->octets + r->length - RECORD_TRAILER);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct merkle_tree *tree;
	static struct record r;
	struct segment_header h;
	uint8_t again[SEGMENT_SECTOR];
	const char *why;
	size_t at = 0;

	if (tree == NULL)
		tree = merkle_tree_new(RECORD_ENTRIES);
	if (segment_header_decode(&h, data, size) == KMS_OK) {
		segment_header_encode(again, &h);
		/* By another version of kmsd of the same schema. */
		MUST(memcmp(again, data, 72) == 0);
		at = SEGMENT_SECTOR;
	}
	while (at < size && segment_item(&r, data + at, size - at, tree, &why) == SEGMENT_BATCH) {
		must_be_a_batch(&r, size - at);
		at += r.length;
	}
	return 0;
}
