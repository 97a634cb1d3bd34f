/*
 * generation.h - what changed since some batch, to be written to the index together.
 */
#ifndef KMSDB_GENERATION_H
#define KMSDB_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/base_state.h"
#include "kmsdb/chains.h"
#include "kmsdb/index.h"
#include "kmsdb/observed.h"
#include "kmsdb/overlay.h"
#include "kmsdb/usage_rows.h"

#define GENERATION_BATCHES 32768 /* batches a generation may hold */

struct batch_ref {
	uint64_t number, first, offset;
	uint8_t hash[32];
};

enum generation_table {
	GENERATION_HOT,
	GENERATION_COLD,     /* every CMID here is among the hot ones too */
	GENERATION_OBSERVED, /* by the commitment to the source address */
	/* own_rows.h */
	GENERATION_WITNESSES,
	GENERATION_RESTORED,
	GENERATION_INSTALLED,
	/* right_rows.h */
	GENERATION_RIGHTS,
	GENERATION_SHARE,
};
#define GENERATION_TABLES 8

struct generation {
	struct overlay *rows[GENERATION_TABLES];
	struct batch_ref *batches; /* numbers without a gap */
	size_t batch_count, batch_room;
	uint64_t last; /* last batch it contains */
	uint8_t hash[32];
	bool others;    /* batches of other chains changed it */
	uint64_t since; /* monotonic seconds of its first batch */
	/* Carrying: */
	size_t seat_count;
	uint64_t counter;
	struct index_floors floors;
	struct chains chains; /* how far each is in here */
	struct base_state base;
	uint64_t first; /* batch that the journal begins with: places of those before go */
	bool expires;   /* a floor of rows was raised: those below it are to be removed */
	struct usage_part usage;
	uint32_t *order;
	size_t carried;     /* records that are in the index */
	bool small_carried; /* all rows but those of clients */
};

/* The table of the index that the rows go to. */
enum index_table generation_index(enum generation_table table);
int generation_init(struct generation *g, size_t records);
void generation_free(struct generation *g);
void generation_clear(struct generation *g);
bool generation_full(const struct generation *g, size_t records);
bool generation_empty(const struct generation *g);
int generation_reserve(struct generation *g); /* room for one more batch */
void generation_add_batch(struct generation *g, const struct batch_ref *b);
void generation_add_other(struct generation *g); /* a batch of another chain */
/* False: not in this generation. */
bool generation_batch(const struct generation *g, uint64_t number, struct batch_ref *out);

#endif
