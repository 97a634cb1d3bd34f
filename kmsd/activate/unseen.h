/*
 * unseen.h - whose seat of a full pool is taken back: those that were not seen for longest, found
 * by a walk over the index. The walk is done in pieces, one a turn of the event loop, and at most
 * one a minute for a pool; what it finds is looked at again before it is offered to the decision.
 */
#ifndef KMSD_ACTIVATE_UNSEEN_H
#define KMSD_ACTIVATE_UNSEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"
#include "policy/files/publisher_list.h"

#define UNSEEN_PIECE 1000 /* rows of the index a turn */
#define UNSEEN_POOLS 16   /* pools of which something is known; another takes the oldest's place */
#define UNSEEN_LIST 64    /* clients found for one pool */
#define UNSEEN_PAUSE 60   /* seconds from the beginning of one walk to that of the next */
#define UNSEEN_RETRY 5    /* seconds: told to a client while a walk is under way */

struct activate;

struct unseen;
struct unseen *unseen_new(struct activate *a); /* NULL: memory */
void unseen_free(struct unseen *u);

/*
 * The next client of the pool that may lose its seat, the longest unseen first; i counts up from 0
 * with each call for one request. It counts, is not borrowed, is not `asking`, and was not seen for
 * the pool's time. False: there is none, and a walk may have begun.
 */
bool unseen_next(struct unseen *u, const struct publisher_product *of, const uint8_t asking[16],
    unsigned *i, struct kmsdb_client *out);
/*
 * In how many seconds a client may ask again that unseen_next had nothing for: while a walk is
 * under way, or when there may be more than one walk can tell. 0: it would not help.
 */
uint32_t unseen_wait(const struct unseen *u, const struct publisher_product *of);

#endif
