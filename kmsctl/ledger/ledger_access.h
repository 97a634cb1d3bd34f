/*
 * ledger_access.h - the ledger's files, which belong to the activation process's user.
 *
 * Root works on them as that user, so that no file is made there that kmsd cannot open
 * afterwards: from ledger_access_directory or ledger_access_open to ledger_access_close.
 */
#ifndef KMSCTL_LEDGER_LEDGER_ACCESS_H
#define KMSCTL_LEDGER_LEDGER_ACCESS_H

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"

/* The state directory as a descriptor; -1: it has been said why. */
int ledger_access_directory(struct ctl *ctl);
/* The ledger, read-only. KMS_OK or status, fault set. */
int ledger_access_open(struct ctl *ctl, struct kmsdb **db, struct fault *fault);
/*
 * May this user open it? False: it is closed to him, and kmsd may tell what is in it
 * (ledger_ask.h).
 */
bool ledger_access_may(const struct ctl *ctl);
/* Closes what was opened (db NULL, fd -1: nothing) and restores the user's own rights. */
void ledger_access_close(struct kmsdb *db, int fd);

#endif
