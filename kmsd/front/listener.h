/*
 * listener.h - the listening sockets that kmsd bound: accept within the
 * limits, and stay calm when descriptors run out.
 */
#ifndef KMSD_FRONT_LISTENER_H
#define KMSD_FRONT_LISTENER_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct front;

#define LISTENERS_MAX 64

struct listener {
	struct event event;
	struct front *front;
	int fd;
};

struct listeners {
	struct listener at[LISTENERS_MAX];
	unsigned count;
	bool accepting;
	bool paused;     /* no descriptors: try again at the next second or close */
	uint64_t closed; /* connections closed when it paused */
	int reserve;     /* closed for a moment to tell a client that the front is full */
	int reserve_of;  /* descriptor that the reserve duplicates */
};

/* Owns fd. KMS_OK or KMS_E_LIMIT. */
int listeners_add(struct front *f, int fd);
/* The reserve is a duplicate of descriptor of: nothing can be opened once confined. */
int listeners_prepare(struct front *f, int of);
/* Once for each turn of the event loop: accept once activate welcomes, or when a place is free. */
void listeners_turn(struct front *f);
void listeners_resume(struct front *f);
void listeners_close(struct front *f);

#endif
