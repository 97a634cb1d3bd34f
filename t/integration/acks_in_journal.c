/*
 * acks_in_journal STATE-DIR ACKS - is every lease that siege was given in the journal?
 *
 * Compares each acknowledged bundle's entry, batch header and signature, byte for byte,
 * with the journal, and prints how many there were. Exit 0 when all are there.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/wire.h"
#include "libkms/core/lease.h"
#include "t/lib/player.h"

struct ack {
	uint64_t batch;
	struct lease lease; /* borrows from the file */
};

struct acks {
	uint8_t *data; /* the file */
	struct ack *list;
	size_t count, next; /* sorted by batch; next to be met */
	uint64_t batches, missing;
};

static int
by_batch(const void *a, const void *b)
{
	const struct ack *x = a, *y = b;

	return x->batch < y->batch ? -1 : x->batch > y->batch;
}

static void
read_acks(struct acks *acks, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct wire_reader r;
	struct stat st;
	uint8_t *data;

	if (fd == -1 || fstat(fd, &st) == -1 || (data = malloc((size_t)st.st_size + 1)) == NULL ||
	    read(fd, data, (size_t)st.st_size) != st.st_size)
		player_die(path);
	close(fd);
	acks->data = data;
	acks->list = calloc((size_t)st.st_size / 64 + 1, sizeof(*acks->list));
	wire_reader_init(&r, data, (size_t)st.st_size);
	while (acks->list != NULL && wire_left(&r) > 0) {
		struct ack *a = &acks->list[acks->count++];
		struct batch_header h;
		uint32_t len = wire_get_u32(&r);
		const uint8_t *bundle = wire_view(&r, len);

		if (bundle == NULL || lease_decode(&a->lease, bundle, len) != KMS_OK ||
		    batch_header_decode(&h, a->lease.header) != KMS_OK)
			player_die("acks: damaged");
		a->batch = h.number;
	}
	qsort(acks->list, acks->count, sizeof(*acks->list), by_batch);
}

static bool
stands_in(const struct ack *a, const struct kmsdb_batch_view *b)
{
	return a->lease.index < b->header.size &&
	       memcmp(a->lease.header, b->header_octets, BATCH_HEADER) == 0 &&
	       memcmp(a->lease.signature, b->signature, BATCH_SIGNATURE) == 0 &&
	       a->lease.entry_len == b->items[a->lease.index].entry_len &&
	       memcmp(a->lease.entry, b->items[a->lease.index].entry, a->lease.entry_len) == 0;
}

static int
meet_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct acks *acks = arg;

	acks->batches++;
	for (; acks->next < acks->count && acks->list[acks->next].batch <= b->header.number;
	     acks->next++)
		if (acks->list[acks->next].batch < b->header.number ||
		    !stands_in(&acks->list[acks->next], b)) {
			fprintf(stderr, "acks_in_journal: lease of batch %llu is not there\n",
			    (unsigned long long)acks->list[acks->next].batch);
			acks->missing++;
		}
	return 0;
}

int
main(int argc, char **argv)
{
	struct acks acks = { 0 };
	struct fault fault = { 0 };
	int dir, rc;

	if (argc != 3 || (dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		player_die("usage: acks_in_journal STATE-DIR ACKS");
	read_acks(&acks, argv[2]);
	if ((rc = kmsdb_journal_each(dir, 1, meet_batch, &acks, &fault)) != KMS_OK) {
		fprintf(
		    stderr, "acks_in_journal: %s: %s\n", kms_strerror((uint32_t)rc), fault.text);
		return 1;
	}
	acks.missing += acks.count - acks.next;
	free(acks.list);
	free(acks.data);
	printf("acknowledged=%zu batches=%llu missing=%llu\n", acks.count,
	    (unsigned long long)acks.batches, (unsigned long long)acks.missing);
	return acks.missing != 0;
}
