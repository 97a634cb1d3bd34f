/*
 * entry_counters.c - the blob of ENTRY_COUNTERS.
 */
#include "libkms/core/entry_counters.h"

#include <string.h>

#include "libkms/base/wire.h"

int
entry_counter_compare(const struct entry_counter *a, const struct entry_counter *b)
{
	int order = memcmp(a->publisher, b->publisher, 8);

	if (order == 0)
		order = (a->pool > b->pool) - (a->pool < b->pool);
	return order != 0 ? order : (a->status > b->status) - (a->status < b->status);
}

size_t
entry_counters_encode(
    uint8_t *out, size_t size, uint32_t seconds, const struct entry_counter *counters, size_t count)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	wire_put_u32(&w, seconds);
	for (size_t i = 0; i < count; i++) {
		wire_put(&w, counters[i].publisher, 8);
		wire_put_u16(&w, counters[i].pool);
		wire_put_u16(&w, counters[i].status);
		wire_put_u32(&w, counters[i].refusals);
	}
	return wire_written(&w);
}

size_t
entry_counters_count(size_t len)
{
	return (len - ENTRY_COUNTERS_HEAD) / ENTRY_COUNTER;
}

uint32_t
entry_counters_seconds(const uint8_t *blob)
{
	struct wire_reader r;

	wire_reader_init(&r, blob, ENTRY_COUNTERS_HEAD);
	return wire_get_u32(&r);
}

void
entry_counters_get(struct entry_counter *out, const uint8_t *blob, size_t i)
{
	struct wire_reader r;

	wire_reader_init(&r, blob + ENTRY_COUNTERS_HEAD + i * (size_t)ENTRY_COUNTER, ENTRY_COUNTER);
	wire_get(&r, out->publisher, 8);
	out->pool = wire_get_u16(&r);
	out->status = wire_get_u16(&r);
	out->refusals = wire_get_u32(&r);
}

bool
entry_counters_ok(const uint8_t *blob, size_t len)
{
	struct entry_counter before, c;

	if (len < ENTRY_COUNTERS_HEAD + ENTRY_COUNTER || len > ENTRY_COUNTERS_BLOB ||
	    (len - ENTRY_COUNTERS_HEAD) % ENTRY_COUNTER != 0)
		return false;
	for (size_t i = 0; i < entry_counters_count(len); i++) {
		entry_counters_get(&c, blob, i);
		if (c.status == 0 || c.refusals == 0 ||
		    (i > 0 && entry_counter_compare(&before, &c) >= 0))
			return false;
		before = c;
	}
	return true;
}
