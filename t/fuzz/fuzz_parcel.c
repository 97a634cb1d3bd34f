/*
 * fuzz_parcel.c - what the process that talks to other hosts hands over: bytes as they are, and
 * batches that the other host signed, of whatever entries. A batch is taken whole or not at all,
 * nobody but the host can add one, and afterwards the ledger passes its check.
 *
 * Steps (steps.h):
 *   p  the bytes are a parcel                       s  the bytes are items (item.h) of one batch,
 *   w  items that this host stages itself              which the other host signs next
 *   c  the parcel made last again, with a byte that is changed: place (4), what to add
 *   o  close and open       v  check       r  rebuild       g  both chains go out as parcels
 */
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/parcel.h"
#include "kmsdb/share.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/lib/scratch.h"

#define STEPS 12
#define NOW 1760000000u

struct host {
	uint8_t sign_pk[32], sign_sk[64], id[16];
};
struct play {
	char path[SCRATCH_PATH + 8];
	int dirfd;
	struct host own, other;
	struct kmsdb_options opt;
	struct kmsdb *db;
	uint64_t time;      /* of the newest own batch */
	uint8_t before[32]; /* hash of the other host's newest batch */
	uint64_t last;      /* and its number */
	uint8_t made[PARCEL_ONE_MAX], out[PARCEL_ONE_MAX];
	size_t made_len;
	struct item items[RECORD_ENTRIES];
};

static void
make_host(struct host *h, uint8_t number)
{
	const uint8_t seed[32] = { 7, number };

	crypto_sign_seed_keypair(h->sign_pk, h->sign_sk, seed);
	certificate_host_id(h->id, h->sign_pk);
}

static int
sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	crypto_sign_detached(sig, NULL, header, BATCH_HEADER, ((struct play *)arg)->own.sign_sk);
	return KMS_OK;
}

static void
open_ledger(struct play *p)
{
	struct fault fault = { 0 };

	kmsdb_close(p->db);
	p->db = NULL;
	MUST(kmsdb_open(&p->db, p->dirfd, &p->opt, &fault) == KMS_OK);
	MUST(kmsdb_share_follow(p->db, p->other.sign_pk, &fault) == KMS_OK);
}

/* -- what is handed over -- */

/* Reading and writing it again gives the same bytes. */
static void
read_parcel(struct play *p, const uint8_t *octets, size_t len)
{
	struct parcel_reader r;
	struct parcel_writer w;
	struct foreign_batch b;
	int rc = parcel_open(&r, octets, len, p->items);

	parcel_begin(&w, p->out);
	while (rc == KMS_OK && (rc = parcel_next(&r, &b)) == KMS_OK) {
		MUST(b.count > 0 && b.count <= RECORD_ENTRIES);
		for (uint32_t i = 0; i < b.count; i++)
			MUST(b.items[i].entry >= octets &&
			     b.items[i].aside + b.items[i].aside_len <= octets + len);
		MUST(parcel_add(&w, &b) == KMS_OK);
	}
	MUST(rc == KMS_E_NOT_FOUND || rc == KMS_E_FORMAT || rc == KMS_E_SCHEMA ||
	     rc == KMS_E_TOO_LARGE);
	if (rc == KMS_E_NOT_FOUND)
		MUST(parcel_end(&w) == len && memcmp(p->out, octets, len) == 0);
}

static int
take(struct play *p, const uint8_t *octets, size_t len)
{
	struct kmsdb_member before, after;
	struct fault fault = { 0 };
	unsigned taken;
	int rc;

	read_parcel(p, octets, len);
	MUST(kmsdb_share_member(p->db, p->other.id, &before) == KMS_OK);
	rc = kmsdb_share_take(p->db, octets, len, &taken, &fault);
	MUST(kmsdb_share_member(p->db, p->other.id, &after) == KMS_OK);
	MUST(after.last == before.last + taken && taken <= PARCEL_BATCHES);
	MUST(rc == KMS_OK ? fault.text[0] == '\0' : fault.text[0] != '\0');
	/* What the other host did not sign is never there. */
	MUST(after.last <= p->last);
	MUST(after.last != p->last || memcmp(after.hash, p->before, 32) == 0 || p->last == 0);
	return rc;
}

/* One batch of what the bytes have, as that host could have written it or not. */
static void
hand_over(struct play *p, const uint8_t *data, size_t len)
{
	uint8_t header[BATCH_HEADER], signature[BATCH_SIGNATURE], leaf[MERKLE_HASH], hash[32],
	    before[32];
	struct batch_header h = { .number = p->last + 1 };
	struct foreign_batch b = { header, signature, p->items, 0 };
	struct merkle_tree *tree = merkle_tree_new(RECORD_ENTRIES);
	struct parcel_writer w;
	struct wire_reader r;
	uint64_t last = p->last;

	MUST(tree != NULL);
	wire_reader_init(&r, data, len);
	while (b.count < RECORD_ENTRIES && wire_left(&r) > 0 &&
	       item_read(&r, &p->items[b.count]) == KMS_OK) {
		const struct item *item = &p->items[b.count++];

		merkle_leaf(leaf, item->entry, item->entry_len);
		merkle_tree_add(tree, leaf);
		if (h.time == 0)
			h.time = entry_time(item->entry, item->entry_len);
	}
	if (b.count > 0) {
		h.size = b.count;
		memcpy(h.host_id, p->other.id, 16);
		memcpy(h.previous, p->before, 32);
		merkle_tree_close(tree, h.root);
		batch_header_encode(header, &h);
		crypto_sign_detached(signature, NULL, header, BATCH_HEADER, p->other.sign_sk);
		batch_header_hash(hash, header);
		parcel_begin(&w, p->made);
		MUST(parcel_add(&w, &b) == KMS_OK);
		p->made_len = parcel_end(&w);
		memcpy(before, p->before, 32);
		p->last++;
		memcpy(p->before, hash, 32);
		if (take(p, p->made, p->made_len) != KMS_OK) {
			p->last = last;
			memcpy(p->before, before, 32);
		}
	}
	merkle_tree_free(tree);
}

static void
change(struct play *p, const struct step *s)
{
	size_t at;

	if (s->len < 5 || p->made_len == 0)
		return;
	at = (s->data[0] | (size_t)s->data[1] << 8 | (size_t)s->data[2] << 16) % p->made_len;
	p->made[at] = (uint8_t)(p->made[at] + s->data[4]);
	(void)take(p, p->made, p->made_len);
}

/* -- what this host does -- */

/* Only what kmsd could have written: it begins no base while it follows a chain. */
static void
write_own(struct play *p, const uint8_t *data, size_t len)
{
	struct wire_reader r;
	struct item item;
	uint32_t leaf;

	wire_reader_init(&r, data, len);
	while (wire_left(&r) > 0 && item_read(&r, &item) == KMS_OK) {
		uint64_t at = entry_time(item.entry, item.entry_len);

		if (entry_check(item.entry, item.entry_len) != KMS_OK ||
		    entry_kind(item.entry, item.entry_len) == ENTRY_BASE ||
		    item_names(&item) == KMS_E_ALTERED)
			continue;
		if (kmsdb_staged(p->db) == 0)
			p->time = at;
		if (batch_time_near(at, p->time))
			(void)kmsdb_stage(p->db, &item, &leaf);
	}
	MUST(kmsdb_commit(p->db, p->own.id, p->time, sign, p) == KMS_OK);
}

static void
complain(int status, const char *line, void *arg)
{
	MUST(line[0] != '\0');
}

static void
check(struct play *p)
{
	kmsdb_close(p->db);
	p->db = NULL;
	MUST(kmsdb_check(p->dirfd, p->own.sign_pk, NULL, complain, p) == KMS_OK);
	open_ledger(p);
}

static void
rebuild(struct play *p)
{
	struct fault fault = { 0 };

	kmsdb_close(p->db);
	p->db = NULL;
	MUST(kmsdb_rebuild(p->dirfd, &p->opt, &fault) == KMS_OK);
	open_ledger(p);
}

/* What goes out is a parcel that the next host can read. */
static void
give(struct play *p)
{
	struct fault fault = { 0 };
	struct parcel_reader r;
	struct foreign_batch b;
	unsigned count;
	size_t len;

	for (int own = 0; own < 2; own++) {
		MUST(kmsdb_share_parcel(p->db, own ? NULL : p->other.id, 1, p->out, &len, &count,
			 &fault) == KMS_OK);
		MUST((len == 0) == (count == 0));
		if (count == 0)
			continue;
		MUST(parcel_open(&r, p->out, len, p->items) == KMS_OK);
		while (parcel_next(&r, &b) == KMS_OK)
			count--;
		MUST(count == 0);
	}
}

/* -- the whole -- */

static void
play_step(struct play *p, const struct step *s)
{
	switch (s->what) {
	case 'p':
		(void)take(p, s->data, s->len);
		break;
	case 's':
		hand_over(p, s->data, s->len);
		break;
	case 'c':
		change(p, s);
		break;
	case 'w':
		write_own(p, s->data, s->len);
		break;
	case 'o':
		open_ledger(p);
		break;
	case 'v':
		check(p);
		break;
	case 'r':
		rebuild(p);
		break;
	case 'g':
		give(p);
		break;
	}
}

static void
begin(struct play *p)
{
	static char root[SCRATCH_PATH];

	MUST(sodium_init() >= 0);
	MUST(root[0] != '\0' || scratch_make(root));
	snprintf(p->path, sizeof(p->path), "%s/state", root);
	MUST(mkdir(p->path, 0700) == 0);
	MUST((p->dirfd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
	make_host(&p->own, 0);
	make_host(&p->other, 1);
	p->time = NOW;
	p->opt = (struct kmsdb_options){ .segment_size = 1 << 20,
		.overlay_records = 64,
		.map_size = 1 << 20,
		.checkpoint_seconds = 3600,
		.have_sign_pk = true };
	memcpy(p->opt.sign_pk, p->own.sign_pk, 32);
	open_ledger(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = { data, size, STEPS };
	struct play *p = calloc(1, sizeof(*p));
	struct step s;

	MUST(p != NULL);
	begin(p);
	while (steps_next(&steps, &s))
		play_step(p, &s);
	check(p);
	kmsdb_close(p->db);
	close(p->dirfd);
	scratch_remove(p->path);
	free(p);
	return 0;
}
