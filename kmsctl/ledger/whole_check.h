/*
 * whole_check.h - the whole check of the ledger (kmsdb_check) with the keys that this host itself
 * has: a journal can name any key as its own.
 */
#ifndef KMSCTL_LEDGER_WHOLE_CHECK_H
#define KMSCTL_LEDGER_WHOLE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/kmsctl.h"

/*
 * fd: the state directory. *own: the key of keys/host.key was used, or without that file the one of
 * an installed certificate; false: there is neither, and the journal's own keys were. The rest as
 * kmsdb_check; a certificate of another host is a problem too.
 */
int whole_check(struct ctl *ctl, int fd, bool *own, uint64_t *erased,
    void (*report)(int status, const char *line, void *arg), void *arg);

#endif
