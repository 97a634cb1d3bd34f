/*
 * lock.h - one writer, one check: open file description locks on files of kmsdb/, which end with
 * the process.
 */
#ifndef KMSDB_LOCK_H
#define KMSDB_LOCK_H

#include "libkms/base/fault.h"

#define LOCK_WRITER "lock"
#define LOCK_CHECK "lock.check"

/* KMS_E_EXISTS: another process has it. dirfd: kmsdb/. */
int lock_take(int dirfd, const char *name, int *fd, struct fault *fault);
/* 1: there is a writer. */
int lock_held(int dirfd);

#endif
