/*
 * connection_table.h - what is known of one client's connection, and all connections by number.
 */
#ifndef KMSD_FRONT_CONNECTION_TABLE_H
#define KMSD_FRONT_CONNECTION_TABLE_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct front;
struct conversation;

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_READING,   /* nothing, or part of a frame, has come */
	CONNECTION_WAITING,   /* for a credit; what the client sends stays in the kernel */
	CONNECTION_ASKED,     /* activate has its request */
	CONNECTION_ANSWERING, /* part of the reply is still to be sent */
	CONNECTION_RELAYED,   /* relay/conversation.h has it */
	CONNECTION_DRAINING,  /* refused: the last frame is sent, wait for the client to close */
};

/* Small: ten thousand of these are idle at once. */
struct connection {
	struct event event;
	struct front *front;
	TAILQ_ENTRY(connection) timed;  /* deadline.h */
	TAILQ_ENTRY(connection) queued; /* waiting for a credit, or free */
	uint64_t since;
	uint8_t *in;                       /* frame begun, FRAME_HEADER + FRAME_MAX_REQUEST bytes */
	uint8_t *out;                      /* rest of a reply */
	struct conversation *conversation; /* CONNECTION_RELAYED */
	uint32_t out_at, out_len;
	uint32_t index, generation; /* together its token */
	uint32_t drained;
	int fd;
	uint16_t in_len;
	uint16_t port;
	uint8_t address[16];
	uint8_t state;
	uint8_t deadline;
	bool greeted;     /* its last frame was HELLO: a request will follow */
	uint8_t watching; /* EV_READ, EV_WRITE, both or 0 */
	bool closing;     /* after this reply */
	bool proxied;     /* a balancer's: its PROXY header has not come yet */
	bool counted;     /* in the throttle, under its address */
	uint8_t unserved; /* answers in a row that were no REPLY */
};

TAILQ_HEAD(connection_queue, connection);

/* A slab in blocks that never move, so that events may live inside. */
struct connections {
	struct connection **blocks;
	uint32_t block_count;
	unsigned open;
	struct connection_queue free;
};

void connections_init(struct connections *t);
void connections_free(struct connections *t);
/* zeroed but for its name; NULL: memory */
struct connection *connections_take(struct connections *t);
void connections_give(struct connections *t, struct connection *c);
/* also a free one; NULL: past the end */
struct connection *connections_at(struct connections *t, uint32_t index);

uint64_t connection_token(const struct connection *c);
enum connection_lookup {
	CONNECTION_FOUND, /* and waits for a reply */
	CONNECTION_LEFT,  /* closed meanwhile: activate did nothing wrong */
	CONNECTION_NEVER, /* no connection of that number asked */
};
/* *out is set when found. */
enum connection_lookup connection_find(
    struct connections *t, uint64_t token, struct connection **out);

#endif
