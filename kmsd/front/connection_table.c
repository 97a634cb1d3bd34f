/*
 * connection_table.c - sessions by number. Blocks of them are allocated as
 * connections come and reused for ever; a slot's generation moves at every close, so that a late
 * reply never reaches the next client in the same slot.
 */
#include <stdlib.h>
#include <string.h>

#include "kmsd/front/connection.h"

#define SESSION_BLOCK 64

void
sessions_init(struct sessions *t)
{
	memset(t, 0, sizeof(*t));
	TAILQ_INIT(&t->free);
}

void
sessions_free(struct sessions *t)
{
	for (uint32_t i = 0; i < t->block_count; i++)
		free(t->blocks[i]);
	free(t->blocks);
	sessions_init(t);
}

static bool
add_block(struct sessions *t)
{
	struct session **blocks = realloc(t->blocks, (t->block_count + 1) * sizeof(*blocks));
	struct session *block;

	if (blocks == NULL)
		return false;
	t->blocks = blocks;
	block = calloc(SESSION_BLOCK, sizeof(*block));
	if (block == NULL)
		return false;
	for (uint32_t i = 0; i < SESSION_BLOCK; i++) {
		block[i].index = t->block_count * SESSION_BLOCK + i;
		block[i].generation = 1;
		TAILQ_INSERT_TAIL(&t->free, &block[i], queued);
	}
	t->blocks[t->block_count++] = block;
	return true;
}

struct session *
sessions_take(struct sessions *t)
{
	struct session *s;
	uint32_t index, generation;

	if (TAILQ_EMPTY(&t->free) && !add_block(t))
		return NULL;
	s = TAILQ_FIRST(&t->free);
	TAILQ_REMOVE(&t->free, s, queued);
	index = s->index;
	generation = s->generation;
	memset(s, 0, sizeof(*s));
	s->index = index;
	s->generation = generation;
	t->open++;
	return s;
}

void
sessions_give(struct sessions *t, struct session *s)
{
	s->state = SESSION_FREE;
	s->generation++;
	t->open--;
	/* first out again: its memory is warm */
	TAILQ_INSERT_HEAD(&t->free, s, queued);
}

struct session *
sessions_at(struct sessions *t, uint32_t index)
{
	if (index / SESSION_BLOCK >= t->block_count)
		return NULL;
	return &t->blocks[index / SESSION_BLOCK][index % SESSION_BLOCK];
}

uint64_t
session_token(const struct session *s)
{
	return (uint64_t)s->generation << 32 | s->index;
}

enum session_lookup
session_find(struct sessions *t, uint64_t token, struct session **out)
{
	struct session *s = sessions_at(t, (uint32_t)token);
	uint32_t generation = (uint32_t)(token >> 32);

	if (s == NULL || generation == 0 || generation > s->generation)
		return SESSION_NEVER;
	if (generation < s->generation)
		return SESSION_LEFT;
	if (s->state != SESSION_ASKED)
		return SESSION_NEVER;
	*out = s;
	return SESSION_FOUND;
}
