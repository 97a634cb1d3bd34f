/*
 * child_loop.h - what the event loop of a child that does little else beside its work has for kmsd:
 * its messages while the process serves, and the log's summary of events that it held back.
 */
#ifndef KMSD_COMMON_CHILD_LOOP_H
#define KMSD_COMMON_CHILD_LOOP_H

#include <stdbool.h>

#include "kmsd/common/child.h"

struct event;
struct event_base;

struct child_loop {
	/* The caller's, which sets them first; they outlive it. */
	const struct child_role *role;
	struct config *config; /* changed by a reload */
	struct event_base *base;
	struct event *parent, *tick;
	unsigned ticks;
	bool stopping; /* kmsd asked for it, or has ended */
};

/* Before the sandbox. KMS_OK, KMS_E_NO_MEMORY. */
int child_loop_open(struct child_loop *l);
void child_loop_close(struct child_loop *l);

#endif
