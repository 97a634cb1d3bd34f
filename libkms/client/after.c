/*
 * after.c - see after.h.
 */
#include "libkms/client/after.h"

#include <sodium.h>
#include <string.h>

#define PARTIAL 1

_Static_assert(AFTER_IDS == MESSAGE_AFTER_MAX + 1, "the request itself, and those that it says");

static const struct after_host *
look(const struct after *a, const uint8_t host_id[16])
{
	for (unsigned i = 0; i < a->count; i++)
		if (memcmp(a->hosts[i].id, host_id, 16) == 0)
			return &a->hosts[i];
	return NULL;
}

static struct after_host *
find(struct after *a, const uint8_t host_id[16])
{
	const struct after_host *h = look(a, host_id);

	return h == NULL ? NULL : &a->hosts[h - a->hosts];
}

static bool
is_newest(const struct after_host *h, const uint8_t request_id[16])
{
	return memcmp(h->ids[h->count - 1], request_id, 16) == 0;
}

/* What is kept of one that has to go: that some are missing. */
static struct after_host *
add_host(struct after *a, const uint8_t host_id[16])
{
	struct after_host *h = &a->hosts[0];

	if (a->count < AFTER_HOSTS) {
		h = &a->hosts[a->count++];
	} else {
		a->partial = true;
		for (unsigned i = 1; i < a->count; i++)
			if (a->hosts[i].last_use < h->last_use)
				h = &a->hosts[i];
	}
	memset(h, 0, sizeof(*h));
	memcpy(h->id, host_id, 16);
	h->partial = a->partial;
	return h;
}

/* The place of the oldest that was refused behind the last answer; count: there is none. */
static unsigned
refused_place(const struct after_host *h)
{
	unsigned i = h->answered;

	while (i < h->count && !(h->refused >> i & 1))
		i++;
	return i;
}

/* One place is left, for when the answer to the newest one settles nothing. */
static bool
is_full(const struct after_host *h)
{
	return h->count >= AFTER_IDS - 1 && h->answered <= 1 && refused_place(h) == h->count;
}

static void
drop(struct after_host *h, unsigned place)
{
	uint16_t below = (uint16_t)((1u << place) - 1);

	memmove(h->ids[place], h->ids[place + 1], (h->count - place - 1u) * sizeof(h->ids[0]));
	h->refused = (uint16_t)((h->refused & below) | (h->refused >> 1 & ~below));
	h->count--;
	if (place < h->answered)
		h->answered--;
}

static void
make_room(struct after_host *h)
{
	if (h->count < AFTER_IDS)
		return;
	if (h->answered > 1)
		drop(h, 0);
	else if (refused_place(h) < h->count)
		drop(h, refused_place(h));
	else
		drop(h, AFTER_IDS / 2);
}

bool
after_sending(struct after *a, const uint8_t host_id[16], const struct asked *q, uint64_t now)
{
	struct after_host *h = find(a, host_id);

	if (h != NULL && is_newest(h, q->id)) {
		h->last_use = now;
		h->refused &= (uint16_t) ~(1u << (h->count - 1));
		return false;
	}
	if (h == NULL)
		h = add_host(a, host_id);
	make_room(h);
	memcpy(h->ids[h->count++], q->id, 16);
	h->newest = *q;
	h->last_use = now;
	return true;
}

void
after_answered(struct after *a, const uint8_t host_id[16], bool served, bool first)
{
	struct after_host *h = find(a, host_id);

	if (h == NULL)
		return;
	if (served) {
		h->answered = h->count;
		h->partial = false;
		h->refused = 0;
	} else if (first) {
		h->refused |= (uint16_t)(1u << (h->count - 1));
	}
}

static uint16_t
open_bits(const struct after_host *h)
{
	return (uint16_t)((1u << h->count) - (1u << h->answered));
}

void
after_challenged(struct after *a, const uint8_t host_id[16])
{
	struct after_host *h = find(a, host_id);

	if (h != NULL)
		h->refused = open_bits(h);
}

unsigned
after_say(const struct after *a, const uint8_t host_id[16], const uint8_t request_id[16],
    uint8_t out[16 * MESSAGE_AFTER_MAX])
{
	const struct after_host *h = look(a, host_id);
	unsigned said = 0;

	memset(out, 0, (size_t)16 * MESSAGE_AFTER_MAX);
	if (h == NULL ? a->partial : h->partial)
		return 0;
	for (unsigned i = 0; h != NULL && i < h->count && said < MESSAGE_AFTER_MAX; i++)
		if (memcmp(h->ids[i], request_id, 16) != 0)
			memcpy(out + (size_t)16 * said++, h->ids[i], 16);
	return said > 0 ? said : 1;
}

bool
after_unsettled(
    const struct after *a, const uint8_t host_id[16], const uint8_t request_id[16], struct asked *q)
{
	const struct after_host *h = look(a, host_id);

	if (h == NULL || !is_full(h) || is_newest(h, request_id))
		return false;
	*q = h->newest;
	return true;
}

static void
put_host(struct wire_writer *w, const struct after_host *h)
{
	wire_put(w, h->id, sizeof(h->id));
	wire_put_u64(w, h->last_use);
	wire_put(w, h->newest.product, sizeof(h->newest.product));
	wire_put_u64(w, h->newest.sequence);
	wire_put_u8(w, h->newest.operation);
	wire_put_u8(w, h->count);
	wire_put_u8(w, h->answered);
	wire_put_u8(w, h->partial ? PARTIAL : 0);
	wire_put_u16(w, h->refused);
	wire_put(w, h->ids, h->count * sizeof(h->ids[0]));
}

/* Only what came behind the last answer is known as refused. */
static bool
is_sound(const struct after_host *h)
{
	for (unsigned i = 0; i < h->count; i++)
		if (sodium_is_zero(h->ids[i], sizeof(h->ids[i])))
			return false;
	return (h->refused & ~open_bits(h)) == 0 && (!h->partial || h->answered == 0);
}

static void
get_host(struct wire_reader *r, struct after_host *h)
{
	uint8_t flags;

	wire_get(r, h->id, sizeof(h->id));
	h->last_use = wire_get_u64(r);
	wire_get(r, h->newest.product, sizeof(h->newest.product));
	h->newest.sequence = wire_get_u64(r);
	h->newest.operation = wire_get_u8(r);
	h->count = wire_get_u8(r);
	h->answered = wire_get_u8(r);
	flags = wire_get_u8(r);
	h->partial = flags == PARTIAL;
	h->refused = wire_get_u16(r);
	if (h->count == 0 || h->count > AFTER_IDS || h->answered > h->count || flags > PARTIAL) {
		r->bad = true;
		h->count = h->answered = 0;
		return;
	}
	wire_get(r, h->ids, h->count * sizeof(h->ids[0]));
	memcpy(h->newest.id, h->ids[h->count - 1], sizeof(h->newest.id));
	r->bad = r->bad || !is_sound(h);
}

void
after_put(struct wire_writer *w, const struct after *a)
{
	wire_put_u8(w, a->partial ? PARTIAL : 0);
	wire_put_u8(w, a->count);
	for (unsigned i = 0; i < a->count; i++)
		put_host(w, &a->hosts[i]);
}

void
after_get(struct wire_reader *r, struct after *a)
{
	uint8_t flags = wire_get_u8(r);

	memset(a, 0, sizeof(*a));
	a->partial = flags == PARTIAL;
	a->count = wire_get_u8(r);
	if (flags > PARTIAL || a->count > AFTER_HOSTS) {
		r->bad = true;
		a->count = 0;
	}
	for (unsigned i = 0; i < a->count; i++)
		get_host(r, &a->hosts[i]);
}
