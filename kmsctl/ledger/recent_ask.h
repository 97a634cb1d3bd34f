/*
 * recent_ask.h - the newest part of the journal, entry by entry, for a user who may not open its
 * files: kmsd tells it (ledger_ask.h).
 */
#ifndef KMSCTL_LEDGER_RECENT_ASK_H
#define KMSCTL_LEDGER_RECENT_ASK_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"
#include "libkms/core/aside.h"
#include "libkms/core/entry.h"

#define RECENT_BYTES (UINT64_C(256) << 20) /* of journal, unless all of it is wanted */

struct recent {
	uint64_t from_batch, to_batch; /* 0: no batch */
	uint64_t from_time;            /* of from_batch */
	uint64_t entries;              /* of clients */
	bool whole;                    /* the whole journal */
};
/* names: zeros when they are erased. */
typedef void (*recent_fn)(
    const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg);

/* recent_read (recent.h) of such a user; t is zeros before. KMS_OK or the status, fault set. */
int recent_ask(
    struct ctl *ctl, struct recent *t, bool all, recent_fn fn, void *arg, struct fault *fault);

#endif
