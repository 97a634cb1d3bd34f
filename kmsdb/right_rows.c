/*
 * right_rows.c - see right_rows.h.
 */
#include "kmsdb/right_rows.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/entry_kind.h"
#include "libkms/kms_error.h"

void
right_row_key(
    uint8_t key[ROW_RIGHT_KEY], const uint8_t cmid[16], const uint8_t publisher[8], uint16_t pool)
{
	memcpy(key, cmid, ROW_RIGHT_KEY);
	for (int i = 0; i < 8; i++)
		key[i] ^= publisher[i];
	key[8] ^= (uint8_t)(pool >> 8);
	key[9] ^= (uint8_t)pool;
}

void
right_row_encode(uint8_t out[ROW_RIGHT], const struct right_row *r)
{
	struct wire_writer w;

	wire_writer_init(&w, out, ROW_RIGHT);
	wire_put(&w, r->cmid, 16);
	wire_put(&w, r->publisher, 8);
	wire_put_u16(&w, r->pool);
	wire_put_u8(&w, r->used);
	wire_put_u64(&w, r->sequence);
	wire_put_u16(&w, r->chain);
	wire_put_u64(&w, r->batch);
	wire_put_u32(&w, r->leaf);
	wire_put_u32(&w, r->until);
}

int
right_row_decode(struct right_row *r, const uint8_t *in, size_t len)
{
	struct wire_reader w;

	if (len != ROW_RIGHT || in[26] > 1)
		return KMS_E_ALTERED;
	wire_reader_init(&w, in, len);
	wire_get(&w, r->cmid, 16);
	wire_get(&w, r->publisher, 8);
	r->pool = wire_get_u16(&w);
	r->used = wire_get_u8(&w) != 0;
	r->sequence = wire_get_u64(&w);
	r->chain = wire_get_u16(&w);
	r->batch = wire_get_u64(&w);
	r->leaf = wire_get_u32(&w);
	r->until = wire_get_u32(&w);
	return KMS_OK;
}

void
share_row_key(uint8_t key[ROW_SHARE_KEY], uint8_t kind, unsigned chain)
{
	memset(key, 0, ROW_SHARE_KEY);
	key[0] = kind;
	key[1] = (uint8_t)chain;
}

void
share_row_key_at(
    uint8_t key[ROW_SHARE_KEY], uint8_t kind, unsigned chain, uint64_t batch, uint32_t leaf)
{
	struct wire_writer w;

	share_row_key(key, kind, chain);
	wire_writer_init(&w, key + 2, ROW_SHARE_KEY - 2);
	wire_put_u64(&w, batch);
	wire_put_u32(&w, leaf);
}

void
share_row_key_heard(uint8_t key[ROW_SHARE_KEY], unsigned teller, unsigned chain)
{
	share_row_key(key, ENTRY_HEARD, teller);
	key[2] = (uint8_t)chain;
}

size_t
share_row_put(uint8_t out[ROW_SHARE], uint64_t batch, uint32_t leaf, const void *what, size_t len)
{
	struct wire_writer w;

	wire_writer_init(&w, out, ROW_SHARE);
	wire_put_u64(&w, batch);
	wire_put_u32(&w, leaf);
	wire_put(&w, what, len);
	return wire_written(&w);
}

uint64_t
share_row_batch(const uint8_t *row)
{
	struct wire_reader r;

	wire_reader_init(&r, row, 8);
	return wire_get_u64(&r);
}

int
share_row_order(const uint8_t *row, uint64_t batch, uint32_t leaf)
{
	uint8_t place[ROW_SHARE];

	share_row_put(place, batch, leaf, "", 0);
	return memcmp(row, place, ROW_SHARE_HEAD);
}
