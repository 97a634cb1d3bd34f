/*
 * ledger_ask.h - what is in the ledger, for a user who may not open its files: members of
 * control_group and monitor_group ask kmsd. For all others it is read as before.
 */
#ifndef KMSCTL_LEDGER_LEDGER_ASK_H
#define KMSCTL_LEDGER_LEDGER_ASK_H

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"

/* ask_quietly; when kmsd does not run, the fault tells such a user who may look. */
int ledger_ask(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, struct fault *f);
/*
 * Every client in the order of CMIDs, as kmsdb_each_client: fn not 0 stops and is returned. KMS_OK,
 * or the status, fault set.
 */
int ledger_each_client(struct ctl *ctl,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg,
    struct fault *fault);
/* Says that the ledger cannot be read, and why. The exit code for it. */
int ledger_failed(struct ctl *ctl, int rc, const struct fault *fault);
/*
 * One client, and what else is known of it (zeros: nothing). KMS_OK, or the status, fault set:
 * KMS_E_NOT_FOUND when there is none.
 */
int ledger_one_client(struct ctl *ctl, const uint8_t cmid[16], struct kmsdb_client *c,
    struct kmsdb_cold *cold, struct fault *fault);

#endif
