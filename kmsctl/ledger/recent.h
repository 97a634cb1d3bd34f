/*
 * recent.h - what clients did lately, entry by entry, from the newest part of the journal: for
 * questions that the index cannot answer, because it keeps only the last entry of each client.
 */
#ifndef KMSCTL_LEDGER_RECENT_H
#define KMSCTL_LEDGER_RECENT_H

#include "kmsctl/kmsctl.h"
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

/*
 * Calls fn for every client's entry, oldest first. CTL_OK, or the exit code of the failure that
 * was printed.
 */
int recent_read(struct ctl *ctl, struct recent *t, bool all, recent_fn fn, void *arg);
/* Prints what was searched: "searched" for a program, a line for a person. */
void recent_print(struct ctl *ctl, const struct recent *t);

#endif
