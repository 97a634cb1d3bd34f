/*
 * forward.h - to and from kmsd-activate: requests under their token and the
 * credits of WELCOME, replies back to the connection they name and to no other.
 */
#ifndef KMSD_FRONT_FORWARD_H
#define KMSD_FRONT_FORWARD_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/front/connection_table.h"
#include "kmsd/ipc/channel.h"

/* Connections that may wait for a credit, for each credit; beyond: OVERLOAD. */
#define FORWARD_WAITING 8

/* What forward asks of a connection: a whole frame for the client, its turn for a credit, the end.
 */
struct forward_calls {
	void (*reply)(struct connection *c, const uint8_t *frame, size_t len, bool close_after);
	void (*resume)(struct connection *c);
	void (*close)(struct connection *c);
};

struct forward {
	const struct forward_calls *calls;
	struct ipc_channel *channel;
	struct event readable, writable;
	bool welcome;
	bool writing;     /* writable is added */
	unsigned credits; /* left */
	unsigned asked;   /* frames unanswered */
	struct connection_queue waiting;
	unsigned waiting_count, waiting_max;
};

/* Owns fd, also when it fails. KMS_OK, KMS_E_NO_MEMORY. */
int forward_open(struct front *f, int fd, const struct forward_calls *calls);
void forward_close(struct front *f);
/* Tell activate that this front is ready. Nothing is accepted before its WELCOME. */
int forward_ready(struct front *f, uint32_t layers);

/* Where a request may be received, straight into the channel's buffer; NULL: memory. */
uint8_t *forward_room(struct front *f, size_t size);
/* The first length bytes of that room are s's frame. */
int forward_commit(struct front *f, const struct connection *c, uint8_t verb, uint32_t length);
int forward_put(struct front *f, const struct connection *c, uint8_t verb, const uint8_t *frame,
    uint32_t length);
/* Something that is not answered and needs no credit. */
void forward_tell(struct front *f, const struct connection *c, uint8_t verb, const uint8_t *body,
    uint32_t length);
/* Queues for a credit; false: the queue is full. */
bool forward_wait(struct front *f, struct connection *c);
void forward_unwait(struct front *f, struct connection *c);
/*
 * Called once for each turn of the event loop: gives credits to waiting connections, writes what is
 * queued.
 */
void forward_turn(struct front *f);

#endif
