/*
 * pending.h - requests that wait for the commit of the batch under way. A slot
 * holds what the answer needs; slots are made once, in locked memory, since
 * each has its client's session keys.
 */
#ifndef KMSD_ACTIVATE_PENDING_H
#define KMSD_ACTIVATE_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/message.h"
#include "libkms/core/seal.h"

struct activate;
struct peer;

enum batch_answer {
	BATCH_PLAIN,   /* status alone */
	BATCH_LEAF,    /* lease of the batch under way */
	BATCH_JOURNAL, /* lease of a batch on disk */
};

struct batch_slot {
	struct peer *peer;
	uint64_t token;
	struct seal_keys keys;
	struct message_reply reply;
	enum batch_answer answer;
	bool settled; /* true whatever becomes of the batch */
	uint32_t leaf;
	uint64_t number;   /* BATCH_JOURNAL: of the batch */
	uint64_t sequence; /* BATCH_JOURNAL: highest of the client */
};

struct batch;
struct batch *batch_new(size_t slots); /* NULL: memory */
void batch_free(struct batch *b);
size_t batch_octets(size_t slots); /* of locked memory */

/* A zeroed slot, or NULL when all are taken: batch_finish, then ask again. */
struct batch_slot *batch_take(struct batch *b);
size_t batch_waiting(const struct batch *b);

/*
 * Commit what is staged, counting and logging as batch_finish does, but answer nobody.
 * KMS_E_FULL, KMS_E_IO.
 */
int batch_commit(struct activate *a);
/* Commit what is staged and answer all who wait: their leases, or KMS_E_LEDGER. */
void batch_finish(struct activate *a);
/*
 * Now and then: lets the ledger carry an old overlay into its index though nobody asks
 * anything.
 */
void batch_idle(struct activate *a);

#endif
