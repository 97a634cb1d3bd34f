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
#include "libkms/core/entry_about.h"

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

/* What ended a seat: entry_about_ends_seat. */
typedef void (*recent_ended_fn)(const struct entry_about *e, void *arg);

/* Called in the order of the journal; ended may be NULL. */
struct recent_calls {
	recent_fn client;
	recent_ended_fn ended;
	void *arg;
};
/* recent_seats (recent.h) of such a user; t is zeros before. KMS_OK or the status, fault set. */
int recent_ask(struct ctl *ctl, struct recent *t, bool all, const struct recent_calls *calls,
    struct fault *fault);
/*
 * One page of it, from batch *from on (0: as many bytes of the newest journal as wanted); *from:
 * where the next one begins, 0: there is none. An answer is bounded, so a page is, too.
 */
int recent_ask_page(struct ctl *ctl, struct recent *t, uint64_t *from, uint64_t bytes,
    const struct recent_calls *calls, struct fault *fault);

#endif
