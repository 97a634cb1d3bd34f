/*
 * ledger_ask.h - what is in the ledger, for a user who may not open its files: members of
 * control_group and monitor_group ask kmsd. For all others it is read as before.
 */
#ifndef KMSCTL_LEDGER_LEDGER_ASK_H
#define KMSCTL_LEDGER_LEDGER_ASK_H

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"

/*
 * Every client in the order of CMIDs, as kmsdb_each_client: fn not 0 stops and is returned. KMS_OK,
 * or the status, fault set.
 */
int ledger_each_client(struct ctl *ctl,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg,
    struct fault *fault);
#endif
