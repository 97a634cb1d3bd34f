/*
 * evict.c - a walk along the queues of deadline.h, which are in order of time. Only a source that
 * has many connections makes the walk long, and then it ends early.
 */
#include "kmsd/front/evict.h"

#include <stddef.h>

#include "kmsd/common/log.h"
#include "kmsd/front/front.h"
#include "libkms/base/address.h"

/* Where connections wait for their client. */
static const enum deadline waiting[] = { DEADLINE_FIRST, DEADLINE_FRAME, DEADLINE_IDLE,
	DEADLINE_RELAY_IDLE };

/* No request of it is under way. */
static bool
idle(const struct front *f, const struct connection *c)
{
	return c->state == CONNECTION_READING || c->state == CONNECTION_DRAINING ||
	       (c->state == CONNECTION_RELAYED && !f->relay.calls->busy(c));
}

static struct connection *
longest(const struct front *f, enum deadline kind, uint64_t source)
{
	struct connection *c;

	TAILQ_FOREACH(c, &f->deadlines.queue[kind], timed)
	if (c->counted && idle(f, c) && address_source(c->address) == source)
		return c;
	return NULL;
}

bool
evict(struct front *f, const uint8_t *address)
{
	struct connection *c, *oldest = NULL;
	char text[ADDRESS_PORT_TEXT];
	uint64_t source;

	if (address != NULL)
		source = address_source(address);
	else if (!throttle_largest(&f->throttle, &source))
		return false;
	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
		c = longest(f, waiting[i], source);
		if (c != NULL && (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	if (oldest == NULL)
		return false;
	log_limited(LOG_NOTICE, "connection-evicted",
	    "%s: idle for %llu s, and its address has the most connections",
	    address_port_text(text, oldest->address, oldest->port),
	    (unsigned long long)(f->now - oldest->since));
	f->stats.evicted++;
	connection_close(oldest);
	return true;
}
