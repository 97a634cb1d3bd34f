/*
 * migrate.h - an index written by an older kmsd becomes one of today's.
 */
#ifndef KMSDB_MIGRATE_H
#define KMSDB_MIGRATE_H

#include <stdbool.h>

#include "kmsdb/index.h"
#include "libkms/base/fault.h"

/* KMS_OK, KMS_E_SCHEMA. */
int migrate(struct index *ix, bool read_only, struct fault *fault);

#endif
