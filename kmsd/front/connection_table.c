/*
 * connection_table.c - connections by number. Blocks of them are allocated as
 * connections come and reused for ever; a slot's generation moves at every close, so that a late
 * reply never reaches the next client in the same slot.
 */
#include "kmsd/front/connection_table.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTION_BLOCK 64

void
connections_init(struct connections *t)
{
	memset(t, 0, sizeof(*t));
	TAILQ_INIT(&t->free);
}

void
connections_free(struct connections *t)
{
	for (uint32_t i = 0; i < t->block_count; i++)
		free(t->blocks[i]);
	free(t->blocks);
	connections_init(t);
}

static bool
add_block(struct connections *t)
{
	struct connection **blocks = realloc(t->blocks, (t->block_count + 1) * sizeof(*blocks));
	struct connection *block;

	if (blocks == NULL)
		return false;
	t->blocks = blocks;
	block = calloc(CONNECTION_BLOCK, sizeof(*block));
	if (block == NULL)
		return false;
	for (uint32_t i = 0; i < CONNECTION_BLOCK; i++) {
		block[i].index = t->block_count * CONNECTION_BLOCK + i;
		block[i].generation = 1;
		TAILQ_INSERT_TAIL(&t->free, &block[i], queued);
	}
	t->blocks[t->block_count++] = block;
	return true;
}

struct connection *
connections_take(struct connections *t)
{
	struct connection *c;
	uint32_t index, generation;

	if (TAILQ_EMPTY(&t->free) && !add_block(t))
		return NULL;
	c = TAILQ_FIRST(&t->free);
	TAILQ_REMOVE(&t->free, c, queued);
	index = c->index;
	generation = c->generation;
	memset(c, 0, sizeof(*c));
	c->index = index;
	c->generation = generation;
	t->open++;
	return c;
}

void
connections_give(struct connections *t, struct connection *c)
{
	c->state = CONNECTION_FREE;
	c->generation++;
	t->open--;
	/* first out again: its memory is warm */
	TAILQ_INSERT_HEAD(&t->free, c, queued);
}

struct connection *
connections_at(struct connections *t, uint32_t index)
{
	if (index / CONNECTION_BLOCK >= t->block_count)
		return NULL;
	return &t->blocks[index / CONNECTION_BLOCK][index % CONNECTION_BLOCK];
}

uint64_t
connection_token(const struct connection *c)
{
	return (uint64_t)c->generation << 32 | c->index;
}

enum connection_lookup
connection_find(struct connections *t, uint64_t token, struct connection **out)
{
	struct connection *c = connections_at(t, (uint32_t)token);
	uint32_t generation = (uint32_t)(token >> 32);

	if (c == NULL || generation == 0 || generation > c->generation)
		return CONNECTION_NEVER;
	if (generation < c->generation)
		return CONNECTION_LEFT;
	if (c->state != CONNECTION_ASKED)
		return CONNECTION_NEVER;
	*out = c;
	return CONNECTION_FOUND;
}
