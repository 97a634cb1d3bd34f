/*
 * connection.h - one client's connection: frames its octets, has at most one
 * request in flight, and holds a buffer only while a frame or a reply is in parts.
 */
#ifndef KMSD_FRONT_CONNECTION_H
#define KMSD_FRONT_CONNECTION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "kmsd/front/deadline.h"

struct front;
struct relayed;

enum session_state {
	SESSION_FREE,
	SESSION_READING,   /* nothing, or part of a frame, has come */
	SESSION_WAITING,   /* for a credit; what the client sends stays in the kernel */
	SESSION_ASKED,     /* activate has its request */
	SESSION_ANSWERING, /* part of the reply is still to be sent */
	SESSION_RELAYED,   /* relay/session.h has it */
	SESSION_DRAINING,  /* refused: the last word is out, wait for the client to close */
};

/* Small: ten thousand of these are idle at once. */
struct session {
	struct event event;
	struct front *front;
	TAILQ_ENTRY(session) timed;  /* deadline.h */
	TAILQ_ENTRY(session) queued; /* waiting for a credit, or free */
	uint64_t since;
	uint8_t *in;             /* frame begun, FRAME_HEADER + FRAME_MAX_REQUEST octets */
	uint8_t *out;            /* rest of a reply */
	struct relayed *relayed; /* SESSION_RELAYED */
	uint32_t out_at, out_len;
	uint32_t index, generation; /* together its token */
	uint32_t drained;
	int fd;
	uint16_t in_len;
	uint16_t port;
	uint8_t address[16];
	uint8_t state;
	uint8_t deadline;
	bool greeted;     /* the last it sent was HELLO: its request is to come */
	uint8_t watching; /* EV_READ, EV_WRITE, both or 0 */
	bool closing;     /* after this reply */
};

TAILQ_HEAD(session_queue, session);

/* A slab in blocks that never move, so that events may live inside. */
struct sessions {
	struct session **blocks;
	uint32_t block_count;
	unsigned open;
	struct session_queue free;
};

void sessions_init(struct sessions *t);
void sessions_free(struct sessions *t);
/* zeroed but for its name; NULL: memory */
struct session *sessions_take(struct sessions *t);
void sessions_give(struct sessions *t, struct session *s);
/* also a free one; NULL: past the end */
struct session *sessions_at(struct sessions *t, uint32_t index);

uint64_t session_token(const struct session *s);
enum session_lookup {
	SESSION_FOUND, /* and waits for a reply */
	SESSION_LEFT,  /* closed since: not a fault of activate */
	SESSION_NEVER, /* nobody of that name asked */
};
/* *out is set when found. */
enum session_lookup session_find(struct sessions *t, uint64_t token, struct session **out);

/*
 * Takes the descriptor, also when it fails (KMS_E_NO_MEMORY). The source is already counted in
 * the throttle.
 */
int session_open(struct front *f, int fd, const uint8_t address[16], uint16_t port);
void session_close(struct session *s);

/* For the relay: what to wait for (EV_READ, EV_WRITE, both or 0), and the client's clock. */
void session_watch(struct session *s, short what);
void session_deadline(struct session *s, enum deadline kind);

/* Its turn has come: there is a credit. */
void session_resume(struct session *s);
/* A whole frame for the client. */
void session_reply(struct session *s, const uint8_t *frame, size_t len, bool close_after);
/* Its deadline is over. */
void session_expired(struct session *s);
/* Stop: take requests that have already arrived, then close what is not in flight. */
void sessions_stop(struct front *f);

#endif
