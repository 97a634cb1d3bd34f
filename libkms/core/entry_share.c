/*
 * entry_share.c - the blobs of the kinds 48 to 52.
 */
#include "libkms/core/entry_share.h"

#include <string.h>

#include "libkms/base/share_name.h"
#include "libkms/base/wire.h"
#include "libkms/core/entry_kind.h"

size_t
entry_heard_put(uint8_t *out, size_t size, const struct entry_heard *heard, unsigned count)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	for (unsigned i = 0; i < count; i++) {
		wire_put(&w, heard[i].host, 16);
		wire_put_u64(&w, heard[i].number);
		wire_put(&w, heard[i].hash, 32);
	}
	return wire_written(&w);
}

size_t
entry_give_put(uint8_t *out, size_t size, const struct entry_give *g)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	wire_put(&w, g->publisher, 8);
	wire_put_u16(&w, g->pool);
	wire_put(&w, g->to, 16);
	wire_put_u32(&w, g->rights);
	return wire_written(&w);
}

size_t
entry_held_put(uint8_t *out, size_t size, const struct entry_held *h)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	wire_put(&w, h->publisher, 8);
	wire_put_u16(&w, h->pool);
	wire_put_u32(&w, h->rights);
	wire_put_u64(&w, h->until);
	return wire_written(&w);
}

unsigned
entry_heard_count(size_t len)
{
	return (unsigned)(len / ENTRY_HEARD_ONE);
}

void
entry_heard_get(struct entry_heard *out, const uint8_t *blob, unsigned i)
{
	struct wire_reader r;

	wire_reader_init(&r, blob + (size_t)i * ENTRY_HEARD_ONE, ENTRY_HEARD_ONE);
	wire_get(&r, out->host, 16);
	out->number = wire_get_u64(&r);
	wire_get(&r, out->hash, 32);
}

void
entry_give_get(struct entry_give *out, const uint8_t *blob)
{
	struct wire_reader r;

	wire_reader_init(&r, blob, ENTRY_GIVE_BLOB);
	wire_get(&r, out->publisher, 8);
	out->pool = wire_get_u16(&r);
	wire_get(&r, out->to, 16);
	out->rights = wire_get_u32(&r);
}

void
entry_held_get(struct entry_held *out, const uint8_t *blob)
{
	struct wire_reader r;

	wire_reader_init(&r, blob, ENTRY_HELD_BLOB);
	wire_get(&r, out->publisher, 8);
	out->pool = wire_get_u16(&r);
	out->rights = wire_get_u32(&r);
	out->until = wire_get_u64(&r);
}

static bool
heard_ok(const uint8_t subject[16], const uint8_t *blob, size_t len)
{
	struct entry_heard before, h;

	if (len % ENTRY_HEARD_ONE != 0)
		return false;
	for (unsigned i = 0; i < entry_heard_count(len); i++) {
		entry_heard_get(&h, blob, i);
		if (h.number == 0 || memcmp(h.host, subject, 16) == 0 ||
		    (i > 0 && memcmp(before.host, h.host, 16) >= 0))
			return false;
		before = h;
	}
	return true;
}

static bool
give_ok(const uint8_t subject[16], const uint8_t *blob)
{
	struct entry_give g;

	entry_give_get(&g, blob);
	return g.rights != 0 && memcmp(g.to, subject, 16) != 0;
}

static bool
held_ok(uint64_t time, const uint8_t *blob)
{
	struct entry_held h;

	entry_held_get(&h, blob);
	return h.rights != 0 && h.until > time;
}

bool
entry_share_ok(const struct entry_share_parts *p)
{
	switch (p->kind) {
	case ENTRY_SHARE:
		return share_name_ok(p->text, p->text_len) && p->blob[0] <= 1;
	case ENTRY_ALONE:
		return p->blob[0] <= 1 && p->text_len <= (p->blob[0] == 1 ? ENTRY_ALONE_REASON : 0);
	case ENTRY_HEARD:
		return p->text_len == 0 && heard_ok(p->subject, p->blob, p->blob_len);
	case ENTRY_GIVE:
		return p->text_len == 0 && give_ok(p->subject, p->blob);
	default:
		return p->text_len == 0 && held_ok(p->time, p->blob);
	}
}
