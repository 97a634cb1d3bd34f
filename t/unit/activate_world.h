/*
 * activate_world.h - for tests of kmsd-activate that need no process: a state directory with host
 * identity and ledger, and the newest batch of the journal as it is on disk.
 */
#ifndef KMS_T_UNIT_ACTIVATE_WORLD_H
#define KMS_T_UNIT_ACTIVATE_WORLD_H

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "t/unit/core_test.h"

struct world {
	struct activate a;
	char path[64];
};

static inline void
world_open(struct world *w)
{
	struct kmsdb_options o = { .overlay_records = 100, .have_sign_pk = true };
	struct kmsdb_info info;
	char why[256] = "";

	assert_int_equal(host_identity_open(
			     &w->a.key, w->a.state_dir, 1, &w->a.secrets, &w->a.new_identity, why),
	    KMS_OK);
	memcpy(o.sign_pk, host_identity_sign_pk(w->a.key), 32);
	assert_int_equal(kmsdb_open(&w->a.db, w->a.state_dir, &o, NULL), KMS_OK);
	kmsdb_info(w->a.db, &info);
	w->a.last_batch = info.last_batch;
}

static inline void
world_close(struct world *w)
{
	kmsdb_close(w->a.db);
	host_identity_free(w->a.key);
	w->a.db = NULL;
	w->a.key = NULL;
}

static inline int
world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_true(w != NULL && sodium_init() >= 0);
	strcpy(w->path, "/tmp/test_activate.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->a.state_dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->a.state_dir >= 0);
	assert_non_null(w->a.pending = pending_new(4));
	budget_init(&w->a.budget, 1);
	world_open(w);
	*state = w;
	return 0;
}

static inline int
world_remove(void **state)
{
	struct world *w = *state;
	char command[128];

	world_close(w);
	pending_free(w->a.pending);
	close(w->a.state_dir);
	snprintf(command, sizeof(command), "rm -r '%s'", w->path);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* The newest batch: its header with signature, and the kinds of its entries in order. */
struct world_batch {
	struct batch_header header;
	uint8_t octets[BATCH_HEADER + BATCH_SIGNATURE];
	uint8_t kinds[16];
	uint8_t first[512]; /* its first entry */
	size_t first_len;
	unsigned count;
};

static inline int
world_take(const struct kmsdb_batch_view *b, void *arg)
{
	struct world_batch *out = arg;

	out->header = b->header;
	memcpy(out->octets, b->header_octets, BATCH_HEADER);
	memcpy(out->octets + BATCH_HEADER, b->signature, BATCH_SIGNATURE);
	out->count = b->header.size;
	for (unsigned i = 0; i < out->count && i < sizeof(out->kinds); i++)
		out->kinds[i] = (uint8_t)entry_kind(b->items[i].entry, b->items[i].entry_len);
	out->first_len = b->items[0].entry_len;
	memcpy(out->first, b->items[0].entry,
	    out->first_len < sizeof(out->first) ? out->first_len : sizeof(out->first));
	return 0;
}

static inline void
world_last(struct world *w, struct world_batch *out)
{
	memset(out, 0, sizeof(*out));
	assert_int_equal(kmsdb_journal_each(w->a.state_dir, 1, world_take, out, NULL), KMS_OK);
}

/* An entry as others would ask for it, committed at that time. */
static inline int
world_entry(struct world *w, uint64_t now)
{
	struct entry_admin e = { .kind = ENTRY_POLICY, .time = now, .text = "pack", .text_len = 4 };
	uint8_t entry[256];
	const struct item item = { .entry = entry,
		.entry_len = entry_admin_encode(entry, sizeof(entry), &e) };
	uint32_t leaf;
	int rc;

	w->a.now = now;
	rc = activate_stage(&w->a, &item, &leaf);
	return rc != KMS_OK ? rc : pending_commit(&w->a);
}

#endif
