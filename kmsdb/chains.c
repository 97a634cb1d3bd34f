/*
 * chains.c - see chains.h.
 */
#include "kmsdb/chains.h"

#include <string.h>

#include "kmsdb/index.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

void
chains_init(struct chains *c)
{
	memset(c, 0, sizeof(*c));
	c->count = 1;
	c->order.hosts = c->hosts;
	c->order.count = 1;
}

unsigned
chains_find(const struct chains *c, const uint8_t host[16])
{
	unsigned i = 0;

	while (i < c->count && memcmp(c->hosts[i], host, 16) != 0)
		i++;
	return i;
}

int
chains_add(struct chains *c, const uint8_t host[16], unsigned *number)
{
	if (c->count == CHAINS_MAX)
		return KMS_E_LIMIT;
	*number = c->count++;
	memset(&c->list[*number], 0, sizeof(c->list[*number]));
	memcpy(c->hosts[*number], host, 16);
	c->order.count = c->count;
	return KMS_OK;
}

void
chains_own(struct chains *c, const uint8_t host[16])
{
	memcpy(c->hosts[0], host, 16);
}

static int
read_chain(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct chains *c = arg;
	unsigned number = 0;
	struct wire_reader r;
	struct chain *one;
	uint8_t host[16];

	if (key_len != 2 || len != ROW_CHAIN)
		return KMS_E_ALTERED;
	wire_reader_init(&r, row, len);
	wire_get(&r, host, 16);
	if ((key[0] << 8 | key[1]) == 0)
		chains_own(c, host);
	else if ((unsigned)(key[0] << 8 | key[1]) != c->count ||
		 chains_add(c, host, &number) != KMS_OK)
		return KMS_E_ALTERED;
	one = &c->list[number];
	one->last = wire_get_u64(&r);
	wire_get(&r, one->hash, 32);
	one->at.first = wire_get_u64(&r);
	one->at.offset = wire_get_u64(&r);
	wire_get(&r, one->at.previous, 32);
	one->at.number = one->last;
	one->heard = wire_get_u64(&r);
	one->erased = wire_get_u64(&r);
	one->carried = one->last;
	one->unsought = one->erased < one->last;
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

int
chains_read(struct chains *c, struct index *index)
{
	return index_each(index, INDEX_CHAINS, read_chain, c);
}

void
chains_put(struct index *index, const struct chains *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct chain *one = &c->list[i];
		uint8_t key[2] = { (uint8_t)(i >> 8), (uint8_t)i }, row[ROW_CHAIN];
		struct wire_writer w;

		wire_writer_init(&w, row, sizeof(row));
		wire_put(&w, c->hosts[i], 16);
		wire_put_u64(&w, one->last);
		wire_put(&w, one->hash, 32);
		wire_put_u64(&w, one->at.first);
		wire_put_u64(&w, one->at.offset);
		wire_put(&w, one->at.previous, 32);
		wire_put_u64(&w, one->heard);
		wire_put_u64(&w, one->erased);
		index_put(index, INDEX_CHAINS, key, sizeof(key), row, sizeof(row));
	}
}
