/*
 * verify.h - a whole check under way (kmsdb_check): verify.c reads the journal, verify_index.c
 * compares the index with a scratch index that is made from it.
 */
#ifndef KMSDB_VERIFY_H
#define KMSDB_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/ledger.h"
#include "kmsdb/scan.h"

#define VERIFY_KEYS 64

struct verify_signer {
	uint8_t host_id[16];
	uint8_t sign_pk[32];
};
/*
 * A client whose row differs at batch upto: an unfinished checkpoint may have written it, as it is
 * at a later batch.
 */
struct verify_suspect {
	uint8_t cmid[ROW_CMID];
	bool settled;
};

struct verify {
	struct kmsdb *index;   /* as it is; NULL when it cannot be opened */
	struct kmsdb *scratch; /* as it should be */
	uint64_t upto;         /* last batch that index contains completely */
	uint64_t usage_upto;   /* the same of its usage: that is written first */
	bool others;           /* the scratch index has the other chains, up to where index does */
	struct verify_signer keys[VERIFY_KEYS];
	unsigned key_count;
	const uint8_t *sign_pk;
	bool unknown_key;
	struct verify_suspect *suspects; /* ascending */
	size_t suspect_count, suspect_room;
	unsigned differences;
	struct seats counted; /* recounted from the index's rows */
	uint64_t erased;      /* entries whose names are */
	int first;            /* error */
	void (*report)(int status, const char *line, void *arg);
	void *arg;
};

void verify_tell(struct verify *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Called when the scratch index has reached the index. */
void verify_index(struct verify *c);
/* Called when it has reached usage_upto. */
void verify_usage(struct verify *c);
/* A batch after that was replayed: rows of its clients may now be what the index has. */
void verify_later(struct verify *c, const struct record *r);
/* The end of the journal: rows that the index has as they never were. */
void verify_end(struct verify *c);

#endif
