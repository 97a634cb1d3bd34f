/*
 * opening.h - what a batch begins with, before the first entry that asks for it: CLOCK when the
 * time has gone back since the last batch, and RESTORED and START until a START of this run is on
 * disk.
 */
#ifndef KMSD_ACTIVATE_OPENING_H
#define KMSD_ACTIVATE_OPENING_H

#include <stdbool.h>
#include <stdint.h>

struct activate;

#define OPENING_SKEW 60 /* seconds that the clock may go back without an entry */

struct opening {
	bool due;      /* START is not on disk yet */
	bool staged;   /* it is in the batch under way */
	bool lost;     /* there was no ledger, although there should be one */
	uint64_t time; /* of the batch under way: that of its first entry, seconds */
};

/* A new run, which can sign now. */
void opening_start(struct activate *a);
/* For the first entry of a batch. What kmsdb_stage returns. */
int opening_stage(struct activate *a);
/* The batch is on disk, or it is undone. */
void opening_settled(struct activate *a, bool on_disk);

/*
 * Until the second after START, at most a little longer than one: what a client is given by this
 * run is then dated later than its START, and what it was given before a ledger was set back is not
 * (history.h).
 */
void opening_wait(struct activate *a);

#endif
