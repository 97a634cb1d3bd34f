/*
 * replay_table.c - see replay_table.h.
 */
#include "kmsctl/ledger/replay_table.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define ROOM_FIRST 1024 /* a power of two, as each room is */

struct replay_client {
	uint8_t cmid[16];
	uint32_t next; /* of its bucket, or of the free ones */
	uint32_t held; /* seats, and holders in the program */
};

static const struct replay_list empty = { REPLAY_NONE, REPLAY_NONE, 0 };

/* A CMID is a hash: any four bytes of it are as good as a hash of it. */
static uint32_t *
bucket_of(const struct replay_table *t, const uint8_t cmid[16])
{
	uint32_t n;

	memcpy(&n, cmid, sizeof(n));
	return &t->buckets[n & (t->room - 1)];
}

static int
grow(struct replay_table *t)
{
	uint32_t room = t->room == 0 ? ROOM_FIRST : 2 * t->room;
	void *clients = reallocarray(t->clients, room, sizeof(*t->clients)), *seats, *buckets;

	if (clients != NULL)
		t->clients = clients;
	if ((seats = reallocarray(t->seats, (size_t)room * t->worlds, sizeof(*t->seats))) != NULL)
		t->seats = seats;
	if ((buckets = reallocarray(t->buckets, room, sizeof(*t->buckets))) != NULL)
		t->buckets = buckets;
	if (clients == NULL || seats == NULL || buckets == NULL)
		return KMS_E_NO_MEMORY;
	t->room = room;
	memset(t->buckets, 0xff, room * sizeof(*t->buckets));
	for (uint32_t i = 0; i < t->used; i++) {
		uint32_t *bucket = bucket_of(t, t->clients[i].cmid);

		t->clients[i].next = *bucket;
		*bucket = i;
	}
	return KMS_OK;
}

int
replay_table_init(struct replay_table *t, unsigned worlds)
{
	memset(t, 0, sizeof(*t));
	t->worlds = worlds;
	t->free = REPLAY_NONE;
	for (unsigned i = 0; i < REPLAY_WORLDS; i++)
		t->plain[i] = t->lent[i] = empty;
	return grow(t);
}

void
replay_table_free(struct replay_table *t)
{
	free(t->clients);
	free(t->seats);
	free(t->buckets);
	memset(t, 0, sizeof(*t));
}

static uint32_t
find(const struct replay_table *t, const uint8_t cmid[16])
{
	uint32_t i = *bucket_of(t, cmid);

	while (i != REPLAY_NONE && memcmp(t->clients[i].cmid, cmid, 16) != 0)
		i = t->clients[i].next;
	return i;
}

bool
replay_knows(const struct replay_table *t, const uint8_t cmid[16])
{
	return find(t, cmid) != REPLAY_NONE;
}

uint32_t
replay_most(const struct replay_table *t)
{
	return REPLAY_SEATS_MAX / t->worlds;
}

/* A place for one more; the table grows only when none is free, so all that are used are known. */
static int
place(struct replay_table *t, uint32_t *client)
{
	int rc;

	if (t->free != REPLAY_NONE) {
		*client = t->free;
		t->free = t->clients[*client].next;
		return KMS_OK;
	}
	if (t->used == replay_most(t))
		return KMS_E_LIMIT;
	if (t->used == t->room && (rc = grow(t)) != KMS_OK)
		return rc;
	*client = t->used++;
	return KMS_OK;
}

int
replay_hold(struct replay_table *t, const uint8_t cmid[16], uint32_t *client)
{
	struct replay_client *c;
	uint32_t *bucket;
	int rc;

	if ((*client = find(t, cmid)) == REPLAY_NONE) {
		if ((rc = place(t, client)) != KMS_OK)
			return rc;
		c = &t->clients[*client];
		bucket = bucket_of(t, cmid);
		memcpy(c->cmid, cmid, 16);
		c->held = 0;
		c->next = *bucket;
		*bucket = *client;
		memset(replay_seat(t, 0, *client), 0, t->worlds * sizeof(*t->seats));
	}
	t->clients[*client].held++;
	return KMS_OK;
}

void
replay_drop(struct replay_table *t, uint32_t client)
{
	struct replay_client *c = &t->clients[client];
	uint32_t *link;

	if (--c->held > 0)
		return;
	for (link = bucket_of(t, c->cmid); *link != client; link = &t->clients[*link].next)
		;
	*link = c->next;
	c->next = t->free;
	t->free = client;
}

struct replay_seat *
replay_seat(const struct replay_table *t, unsigned world, uint32_t client)
{
	return &t->seats[(size_t)client * t->worlds + world];
}

static struct replay_list *
list_of(struct replay_table *t, unsigned world, const struct replay_seat *s)
{
	return s->borrowed_end != 0 ? &t->lent[world] : &t->plain[world];
}

static void
leave_list(struct replay_table *t, unsigned world, uint32_t client)
{
	struct replay_seat *s = replay_seat(t, world, client);
	struct replay_list *l = list_of(t, world, s);

	*(s->before != REPLAY_NONE ? &replay_seat(t, world, s->before)->after : &l->first) =
	    s->after;
	*(s->after != REPLAY_NONE ? &replay_seat(t, world, s->after)->before : &l->last) =
	    s->before;
	l->count--;
	t->of_class[world][s->class]--;
}

/* Nearly always at the end: plain seats are given in the order of their ends. */
static void
join_list(struct replay_table *t, unsigned world, uint32_t client)
{
	struct replay_seat *s = replay_seat(t, world, client);
	struct replay_list *l = list_of(t, world, s);

	s->before = l->last;
	while (s->before != REPLAY_NONE && replay_seat(t, world, s->before)->until > s->until)
		s->before = replay_seat(t, world, s->before)->before;
	s->after = s->before != REPLAY_NONE ? replay_seat(t, world, s->before)->after : l->first;
	*(s->before != REPLAY_NONE ? &replay_seat(t, world, s->before)->after : &l->first) = client;
	*(s->after != REPLAY_NONE ? &replay_seat(t, world, s->after)->before : &l->last) = client;
	l->count++;
	t->of_class[world][s->class]++;
}

void
replay_give(struct replay_table *t, unsigned world, uint32_t client, const struct replay_seat *seat)
{
	struct replay_seat *s = replay_seat(t, world, client);

	if (s->until != 0)
		leave_list(t, world, client);
	else
		t->clients[client].held++;
	*s = *seat;
	join_list(t, world, client);
}

void
replay_take(struct replay_table *t, unsigned world, uint32_t client)
{
	struct replay_seat *s = replay_seat(t, world, client);

	if (s->until == 0)
		return;
	leave_list(t, world, client);
	memset(s, 0, sizeof(*s));
	replay_drop(t, client);
}

static void
expire_list(struct replay_table *t, unsigned world, struct replay_list *l, uint32_t minute)
{
	while (l->first != REPLAY_NONE && replay_seat(t, world, l->first)->until <= minute)
		replay_take(t, world, l->first);
}

void
replay_expire(struct replay_table *t, unsigned world, uint32_t minute)
{
	expire_list(t, world, &t->plain[world], minute);
	expire_list(t, world, &t->lent[world], minute);
}

uint32_t
replay_counted(const struct replay_table *t, unsigned world)
{
	return t->plain[world].count + t->lent[world].count;
}
