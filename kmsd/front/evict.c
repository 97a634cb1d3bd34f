/*
 * evict.c - a short walk along the queues of deadline.h, which are in order of time.
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

/*
 * The first idle one in the queue; of that source only, if it is not ANY. One among the first few
 * is the aim: those of a source that has a large part of all are never far away, and a long walk at
 * each new connection would itself keep others waiting.
 */
#define WALK 512
#define ANY                                                                                        \
	UINT64_MAX /* no source: an IPv4 one begins with zeros, and this is no /64 of a host       \
		    */

static struct connection *
longest(const struct front *f, enum deadline kind, uint64_t source)
{
	struct connection *c;
	unsigned steps = 0;

	TAILQ_FOREACH(c, &f->deadlines.queue[kind], timed)
	{
		if (++steps > WALK)
			break;
		if (idle(f, c) &&
		    (source == ANY || (c->counted && address_source(c->address) == source)))
			return c;
	}
	return NULL;
}

static struct connection *
oldest_of(const struct front *f, uint64_t source)
{
	struct connection *c, *oldest = NULL;

	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
		c = longest(f, waiting[i], source);
		if (c != NULL && (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	return oldest;
}

bool
evict(struct front *f, const uint8_t *address)
{
	struct connection *c = NULL;
	char text[ADDRESS_PORT_TEXT];
	uint64_t source;

	if (address != NULL)
		c = oldest_of(f, address_source(address));
	else if (throttle_largest(&f->throttle, &source))
		c = oldest_of(f, source);
	/* Those of the largest source are all busy: whoever is idle longest. */
	if (c == NULL && address == NULL)
		c = oldest_of(f, ANY);
	if (c == NULL)
		return false;
	log_limited(LOG_NOTICE, "connection-evicted",
	    "%s: closed after %llu s without a request, to make room for another connection",
	    address_port_text(text, c->address, c->port), (unsigned long long)(f->now - c->since));
	f->stats.evicted++;
	connection_close(c);
	return true;
}
