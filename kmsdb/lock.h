/*
 * lock.h - one writer: an open file description lock on kmsdb/lock, gone
 * with the process however it ends.
 */
#ifndef KMSDB_LOCK_H
#define KMSDB_LOCK_H

/* KMS_E_EXISTS: somebody else writes. dirfd: kmsdb/. */
int lock_take(int dirfd, int *fd, char why[256]);
/* 1: there is a writer. */
int lock_held(int dirfd);

#endif
