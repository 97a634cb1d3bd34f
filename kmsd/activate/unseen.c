/*
 * unseen.c - see unseen.h. The index is as old as the last checkpoint, a minute or so, and who is
 * found in it may have asked since: the row as it is now decides.
 */
#include "kmsd/activate/unseen.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "libkms/base/clock.h"

struct candidate {
	uint8_t cmid[16];
	uint64_t last_seen;
};
struct pool {
	uint8_t publisher[8];
	uint16_t number;
	uint32_t reclaim; /* minutes */
	uint64_t began;   /* monotonic seconds: the last walk; 0: none */
	bool walking;
	bool more;        /* than the list holds */
	uint8_t from[16]; /* where the walk goes on */
	unsigned count;
	struct candidate list[UNSEEN_LIST]; /* the oldest first */
};
struct unseen {
	struct activate *a;
	struct event *turn;
	struct pool pools[UNSEEN_POOLS];
	unsigned count;
};

/* -- the walk -- */

static bool
may_lose(const struct kmsdb_client *c, const struct pool *p, uint64_t now)
{
	uint64_t least = p->reclaim * UINT64_C(60);

	return kmsdb_client_counts(c, p->publisher, p->number, policy_minute(now)) &&
	       (c->flags & ENTRY_BORROWED) == 0 && c->last_seen <= now &&
	       now - c->last_seen >= least;
}

/* Keeps the oldest. Of two of one second, the one with the lower CMID: the order is that of the
 * walk. */
static void
keep(struct pool *p, const struct kmsdb_client *c)
{
	unsigned i = p->count;

	if (p->count == UNSEEN_LIST) {
		p->more = true;
		if (c->last_seen >= p->list[UNSEEN_LIST - 1].last_seen)
			return;
		i--;
	} else {
		p->count++;
	}
	for (; i > 0 && p->list[i - 1].last_seen > c->last_seen; i--)
		p->list[i] = p->list[i - 1];
	memcpy(p->list[i].cmid, c->cmid, 16);
	p->list[i].last_seen = c->last_seen;
}

struct piece {
	struct pool *pool;
	uint64_t now;
	unsigned rows;
};

/* Stops at the first row of the next piece. */
static int
look_at(const struct kmsdb_client *c, void *arg)
{
	struct piece *piece = arg;

	if (piece->rows++ == UNSEEN_PIECE) {
		memcpy(piece->pool->from, c->cmid, 16);
		return 1;
	}
	if (may_lose(c, piece->pool, piece->now))
		keep(piece->pool, c);
	return 0;
}

static void
walk(struct unseen *u, struct pool *p)
{
	struct piece piece = { .pool = p, .now = u->a->now };
	int rc = kmsdb_each_seat_from(u->a->db, p->from, look_at, &piece);

	p->walking = rc == 1;
	if (rc != 1 && rc != KMS_OK)
		log_limited(LOG_ERR, "ledger-error", "the index cannot be read: %s",
		    kms_strerror((uint32_t)rc));
}

static void
again(struct unseen *u)
{
	for (unsigned i = 0; i < u->count; i++) {
		if (!u->pools[i].walking)
			continue;
		/* Without a turn to come, it goes on at the next request. */
		(void)loop_timer(u->turn, 0);
		return;
	}
}

/* One pool a turn; the others wait for theirs. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct unseen *u = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < u->count; i++) {
		if (!u->pools[i].walking)
			continue;
		walk(u, &u->pools[i]);
		break;
	}
	again(u);
}

/* The first piece is done at once: a small ledger has no other. */
static void
begin(struct unseen *u, struct pool *p)
{
	p->began = clock_seconds();
	p->count = 0;
	p->more = false;
	memset(p->from, 0, sizeof(p->from));
	walk(u, p);
	again(u);
}

/* -- pools -- */

static const struct pool *
known(const struct unseen *u, const struct publisher_product *of)
{
	for (unsigned i = 0; i < u->count; i++)
		if (u->pools[i].number == of->pool->number &&
		    memcmp(u->pools[i].publisher, of->publisher->public.key.id, 8) == 0)
			return &u->pools[i];
	return NULL;
}

/* One that is not known takes the place of the one whose walk is the longest ago. */
static struct pool *
pool_of(struct unseen *u, const struct publisher_product *of)
{
	const struct pool *found = known(u, of);
	struct pool *p;

	if (found != NULL)
		return &u->pools[found - u->pools];
	if (u->count < UNSEEN_POOLS) {
		p = &u->pools[u->count++];
	} else {
		p = u->pools;
		for (unsigned i = 1; i < u->count; i++)
			if (u->pools[i].began < p->began)
				p = &u->pools[i];
	}
	memset(p, 0, sizeof(*p));
	memcpy(p->publisher, of->publisher->public.key.id, 8);
	p->number = of->pool->number;
	return p;
}

static bool
due(const struct pool *p)
{
	return !p->walking && (p->began == 0 || clock_seconds() - p->began >= UNSEEN_PAUSE);
}

static void
drop(struct pool *p, unsigned i)
{
	p->count--;
	memmove(&p->list[i], &p->list[i + 1], (p->count - i) * sizeof(p->list[0]));
}

/* The i-th of the list that is what it was. */
static bool
offer(struct unseen *u, struct pool *p, const uint8_t asking[16], unsigned *i,
    struct kmsdb_client *out)
{
	while (*i < p->count) {
		const uint8_t *cmid = p->list[*i].cmid;

		if (kmsdb_client_get(u->a->db, cmid, out) != KMS_OK ||
		    !may_lose(out, p, u->a->now)) {
			drop(p, *i);
			continue;
		}
		++*i;
		if (memcmp(cmid, asking, 16) != 0)
			return true;
	}
	return false;
}

bool
unseen_next(struct unseen *u, const struct publisher_product *of, const uint8_t asking[16],
    unsigned *i, struct kmsdb_client *out)
{
	struct pool *p = pool_of(u, of);

	/* A pack may have changed it. */
	p->reclaim = of->pool->reclaim;
	/* While a walk is under way, an older one may still come. */
	if (p->walking)
		return false;
	if (offer(u, p, asking, i, out))
		return true;
	if (!due(p))
		return false;
	begin(u, p);
	*i = 0;
	return !p->walking && offer(u, p, asking, i, out);
}

uint32_t
unseen_wait(const struct unseen *u, const struct publisher_product *of)
{
	const struct pool *p = known(u, of);
	uint64_t ago;

	if (p == NULL)
		return 0;
	if (p->walking)
		return UNSEEN_RETRY;
	ago = clock_seconds() - p->began;
	return p->more && ago < UNSEEN_PAUSE ? (uint32_t)(UNSEEN_PAUSE - ago) : 0;
}

struct unseen *
unseen_new(struct activate *a)
{
	struct unseen *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->a = a;
	u->turn = event_new(a->base, -1, 0, on_turn, u);
	if (u->turn == NULL) {
		free(u);
		return NULL;
	}
	return u;
}

void
unseen_free(struct unseen *u)
{
	if (u == NULL)
		return;
	event_free(u->turn);
	free(u);
}
