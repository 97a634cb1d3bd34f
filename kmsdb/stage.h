/*
 * stage.h - what open.c needs from stage.c.
 */
#ifndef KMSDB_STAGE_H
#define KMSDB_STAGE_H

#include "kmsdb/ledger.h"

void stage_undo(struct kmsdb *db); /* everything staged, newest first */
void readback_free(struct readback *r);

#endif
