/*
 * deadline.h - which connection has waited too long. One queue for each kind of time-out, in order
 * of its beginning, checked once a second: a request needs no timer heap.
 */
#ifndef KMSD_FRONT_DEADLINE_H
#define KMSD_FRONT_DEADLINE_H

#include <stdint.h>
#include <sys/queue.h>

struct connection;

enum deadline {
	DEADLINE_NONE,
	DEADLINE_FIRST,      /* connected, has sent no request */
	DEADLINE_FRAME,      /* an incomplete frame; or a refused client that does not close */
	DEADLINE_IDLE,       /* between two frames */
	DEADLINE_ANSWER,     /* activate does not answer it */
	DEADLINE_SEND,       /* does not take its reply */
	DEADLINE_RELAY_IDLE, /* a relayed client between two requests */
	DEADLINES
};

TAILQ_HEAD(deadline_queue, connection);

struct deadlines {
	struct deadline_queue queue[DEADLINES];
	unsigned seconds[DEADLINES];
};

void deadlines_init(struct deadlines *d);
/* Put s at the end of a queue, beginning now. DEADLINE_NONE: out of all. */
void deadline_set(struct deadlines *d, struct connection *c, enum deadline kind, uint64_t now);
/* A connection whose time is over (never early, at most a second late), or NULL. */
struct connection *deadline_expired(struct deadlines *d, uint64_t now);

#endif
