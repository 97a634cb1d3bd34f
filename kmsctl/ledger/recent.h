/*
 * recent.h - what clients did lately, entry by entry, from the newest part of the journal: for
 * questions that the index cannot answer, because it keeps only the last entry of each client.
 */
#ifndef KMSCTL_LEDGER_RECENT_H
#define KMSCTL_LEDGER_RECENT_H

#include "kmsctl/ledger/recent_ask.h"
#include "kmsdb/kmsdb.h"

/*
 * Calls fn for every client's entry, oldest first. CTL_OK, or the exit code of the failure that
 * was printed.
 */
int recent_read(struct ctl *ctl, struct recent *t, bool all, recent_fn fn, void *arg);
/* The same, and for every entry that ended a client's seat. */
int recent_seats(struct ctl *ctl, struct recent *t, bool all, const struct recent_calls *calls);
/*
 * The same for every entry, also of what is no client. It opens the ledger's files, so kmsd is not
 * asked. t->entries stays 0.
 */
typedef void (*recent_item_fn)(const struct item *item, uint64_t batch, void *arg);
int recent_items(struct ctl *ctl, struct recent *t, bool all, recent_item_fn fn, void *arg);
/* Prints what was searched: "searched" for a program, a line for a person. */
void recent_print(struct ctl *ctl, const struct recent *t);

#endif
