/*
 * seeds_journal.c - makes the seeds of fuzz_journal: seeds_journal DIRECTORY. The
 * same bytes each time, so that a changed layout shows in the tree.
 */
#include <stdio.h>
#include <string.h>

#include "kmsdb/segment.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"

static size_t
add_batch(uint8_t *out, struct batch_header *h, unsigned entries)
{
	struct merkle_tree *tree = merkle_tree_new(entries);
	struct entry_client e = { .kind = ENTRY_LEASE,
		.time = 1728000000,
		.expires = 1728086400,
		.operation = 1,
		.sequence = h->number,
		.until = 28801440,
		.width = 1440 };
	struct aside aside = { .salt = { 1 }, .address = { [15] = 1 }, .name = "seed" };
	uint8_t entry[ENTRY_CLIENT_MAX], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	uint8_t leaf[MERKLE_HASH], header[BATCH_HEADER], signature[BATCH_SIGNATURE] = { 1 };
	size_t n = 0, len;

	aside_commit(&e.commitments, &aside);
	for (unsigned i = 0; i < entries; i++) {
		e.cmid[0] = (uint8_t)i;
		item.entry_len = entry_client_encode(entry, sizeof(entry), &e);
		item.aside_len = aside_encode(beside, sizeof(beside), &aside);
		merkle_leaf(leaf, entry, item.entry_len);
		merkle_tree_add(tree, leaf);
		n += item_encode(out + RECORD_HEAD + n, ITEM_MAX, &item);
	}
	h->size = entries;
	merkle_tree_close(tree, h->root);
	merkle_tree_free(tree);
	batch_header_encode(header, h);
	len = record_seal(out, n, header, signature);
	batch_header_hash(h->previous, header);
	h->number++;
	return len;
}

static int
save(const char *dir, const char *name, const uint8_t *octets, size_t len)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "wb");
	return out == NULL || fwrite(octets, 1, len, out) != len || fclose(out) != 0;
}

int
main(int argc, char **argv)
{
	static uint8_t octets[65536];
	struct segment_header s = { .first = 1 };
	struct batch_header h = { .number = 1, .time = 1728000000 };
	size_t at = SEGMENT_SECTOR, one, two;

	if (argc != 2)
		return 2;
	segment_header_encode(octets, &s);
	at += add_batch(octets + at, &h, 1);
	one = at;
	at += add_batch(octets + at, &h, 5);
	two = at;
	segment_footer_encode(octets + at, h.number, h.previous);
	at += SEGMENT_SECTOR;
	return save(argv[1], "empty", octets, SEGMENT_SECTOR) ||
	       save(argv[1], "one", octets, one) || save(argv[1], "closed", octets, at) ||
	       save(argv[1], "cut", octets, two - 300) ||
	       save(argv[1], "record", octets + one, two - one) ||
	       save(argv[1], "footer", octets + two, SEGMENT_SECTOR);
}
