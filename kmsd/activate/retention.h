/*
 * retention.h - the journal does not grow for ever: has the ledger drop what is older than [ledger]
 * keep, in steps between which clients are answered (kmsdb/retain.h).
 */
#ifndef KMSD_ACTIVATE_RETENTION_H
#define KMSD_ACTIVATE_RETENTION_H

#include <stdint.h>

struct activate;

struct retention;
struct retention *retention_new(struct activate *a); /* NULL: memory */
void retention_free(struct retention *r);
/* Now and then: begins what is to be done; its steps follow by themselves. */
void retention_tick(struct retention *r);
/*
 * Seconds that the journal is kept, 0: for ever. keep: days, of kms.ini; least: seconds, of the
 * packs.
 */
uint64_t retention_keep(unsigned keep, uint64_t least);

#endif
