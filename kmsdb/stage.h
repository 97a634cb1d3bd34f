/*
 * stage.h - what open.c and retain.c need from stage.c.
 */
#ifndef KMSDB_STAGE_H
#define KMSDB_STAGE_H

#include "kmsdb/ledger.h"

void stage_undo(struct kmsdb *db); /* everything staged, newest first */
/* A batch read back from its segment: the last one is kept, because retries come in groups. */
struct readback {
	uint64_t number; /* 0: none */
	uint8_t *octets; /* RECORD_MAX */
	struct record record;
	struct merkle_tree *tree;
};
/* Made when it is not there, and empty; NULL: memory. */
struct readback *readback_take(struct kmsdb *db);
void readback_free(struct readback *r);

#endif
