/*
 * lease_read.h - lease files (libkms/core/lease_file.h) in kmsissue's commands: kmsclient
 * export-lease writes them.
 */
#ifndef KMSCTL_ISSUE_LEASE_READ_H
#define KMSCTL_ISSUE_LEASE_READ_H

#include "kmsctl/issue/issue.h"
#include "libkms/core/lease_file.h"

/* Is it one, of whatever version? */
bool lease_read_is(const void *data, size_t len);
/* A message for every failure; path is what it names. out->lease borrows from data. */
int lease_read(struct issue *i, const char *path, const void *data, size_t len,
    const struct minisig_key *publisher, struct lease_told *out);
/* kmsissue show: publisher NULL: its signature is not checked. */
int lease_show(struct issue *i, const void *data, size_t len, const struct minisig_key *publisher);

#endif
