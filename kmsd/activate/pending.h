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

#include "libkms/core/item.h"
#include "libkms/core/message.h"
#include "libkms/core/seal.h"

struct activate;
struct front_peer;

enum pending_answer {
	PENDING_PLAIN,   /* status alone */
	PENDING_LEAF,    /* lease of the batch under way */
	PENDING_JOURNAL, /* lease of a batch on disk */
};

struct pending_slot {
	struct front_peer *peer;
	uint64_t token;
	struct seal_keys keys;
	struct message_reply reply;
	uint8_t challenge[MESSAGE_ECHO_SIZE]; /* what reply.challenge borrows, if it is there */
	enum pending_answer answer;
	bool settled; /* true whether or not the batch succeeds */
	uint32_t leaf;
	uint64_t number;   /* of the batch on disk that the answer tells of; 0: none */
	uint64_t sequence; /* PENDING_JOURNAL: the client's highest */
};

struct pending;
struct pending *pending_new(size_t slots); /* NULL: memory */
void pending_free(struct pending *p);
size_t pending_octets(size_t slots); /* of locked memory */

/*
 * Stages an entry for which no client waits (entry_len 0: it could not be encoded). Returns what
 * kmsdb_stage does, or KMS_E_FORMAT. When the batch is full it is finished first.
 */
int pending_stage(struct activate *a, const struct item *item);
/* A zeroed slot, or NULL when all are taken: pending_finish, then ask again. */
struct pending_slot *pending_take(struct pending *p);
size_t pending_waiting(const struct pending *p);

/*
 * Commits what is staged, counting and logging as pending_finish does, but sends no answers.
 * KMS_E_FULL, KMS_E_IO.
 */
int pending_commit(struct activate *a);
/* Commits what is staged and answers all waiting requests: with leases, or with KMS_E_LEDGER. */
void pending_finish(struct activate *a);
/*
 * Called now and then: lets the ledger write an old overlay to its index even when no request
 * comes.
 */
void pending_idle(struct activate *a);

#endif
