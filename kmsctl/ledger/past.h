/*
 * past.h - what the ledger's own history asks of the administrator: batches that clients hold and
 * the journal lacks, a ledger that was lost, a clock that went back. Pure.
 */
#ifndef KMSCTL_LEDGER_PAST_H
#define KMSCTL_LEDGER_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/host/reply.h"
#include "kmsdb/kmsdb.h"

#define PAST_LINES 4

struct past_line {
	const char *check; /* as doctor names it */
	bool bad;          /* else a warning */
	char text[300];
	const char *next;
};

/* From the row `ledger` of a running kmsd's status. */
void past_of_reply(struct kmsdb_history *h, const struct reply_row *ledger);
/* Returns how many lines there are; 0: nothing to say. */
unsigned past_lines(struct past_line out[PAST_LINES], const struct kmsdb_history *h, uint64_t now);

#endif
