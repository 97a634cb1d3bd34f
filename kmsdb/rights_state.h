/*
 * rights_state.h - the rights of a host that counts together with others: what its index and the
 * entries since then make of them. purse.c changes them.
 *
 * A host that does not share (it has written no SHARE, and follows no chain) has none of this, and
 * its entries do nothing here.
 */
#ifndef KMSDB_RIGHTS_STATE_H
#define KMSDB_RIGHTS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/lingering.h"
#include "kmsdb/overlay.h"
#include "kmsdb/right_rows.h"
#include "libkms/core/entry_share.h"

#define RIGHTS_POOLS 1024 /* of which others give this host rights */

/* Sums of the entries GIVE that this host wrote, or others for it. */
struct rights_given {
	uint8_t publisher[8];
	uint16_t pool;
	uint64_t received, given;
};
struct rights_state {
	bool shares; /* it has written a SHARE */
	bool first;  /* the last one of them: it has the first rights */
	struct rights_given *pools;
	size_t pool_count, pool_room;
	struct entry_held *held; /* of this host */
	size_t held_count, held_room;
	struct lingering lingering;
};

/* What undoes one entry: rows of two pools at most, that of its act and that of the act before. */
struct rights_undo {
	unsigned rows;
	struct {
		uint8_t key[ROW_RIGHT_KEY];
		bool put, lingered;
		struct overlay_old old;
		uint8_t row[ROW_RIGHT];
		struct linger before;
	} row[2];
	uint8_t kind; /* SHARE, GIVE, HELD that changed the state; else 0 */
	bool own, shares, first;
	struct entry_give give;
};

void rights_state_free(struct rights_state *s);
/* The sums of a pool. make: they are made when absent. NULL: absent, or no memory. */
struct rights_given *rights_state_pool(
    struct rights_state *s, const uint8_t publisher[8], uint16_t pool, bool make);
/*
 * A GIVE by this host, or to it. What others give beyond the limit is lost: no host can make this
 * one run out of memory. KMS_E_NO_MEMORY.
 */
int rights_state_give(struct rights_state *s, const struct entry_give *g, bool own);
int rights_state_held(struct rights_state *s, const struct entry_held *h);

#endif
