/*
 * deadline.c - time-outs as queues. Each queue's time-out is the same for all
 * in it, so its head is always the next to expire.
 */
#include "kmsd/front/deadline.h"

#include <stddef.h>

#include "kmsd/front/connection_table.h"

void
deadlines_init(struct deadlines *d)
{
	for (unsigned i = 0; i < DEADLINES; i++) {
		TAILQ_INIT(&d->queue[i]);
		d->seconds[i] = 0;
	}
}

void
deadline_set(struct deadlines *d, struct connection *c, enum deadline kind, uint64_t now)
{
	/* A busy client comes back many times within one second: it stays where it is. */
	if (c->deadline == kind && c->since == now)
		return;
	if (c->deadline != DEADLINE_NONE)
		TAILQ_REMOVE(&d->queue[c->deadline], c, timed);
	c->deadline = kind;
	c->since = now;
	if (kind != DEADLINE_NONE)
		TAILQ_INSERT_TAIL(&d->queue[kind], c, timed);
}

struct connection *
deadline_expired(struct deadlines *d, uint64_t now)
{
	for (unsigned i = DEADLINE_NONE + 1; i < DEADLINES; i++) {
		struct connection *c = TAILQ_FIRST(&d->queue[i]);

		/* `now` moves in whole seconds and may be almost one behind: hence > and not >=. */
		if (c != NULL && now - c->since > d->seconds[i])
			return c;
	}
	return NULL;
}
