/*
 * audit_table.c - see audit_table.h. Open addressing; the hash is keyed with random bytes.
 */
#include "kmsctl/issue/audit_table.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16, "secret");

void
audit_table_init(struct audit_table *t, size_t row, size_t key)
{
	*t = (struct audit_table){ .row = row, .key = key };
	randombytes_buf(t->secret, sizeof(t->secret));
}

void
audit_table_free(struct audit_table *t)
{
	free(t->rows);
	free(t->slots);
	*t = (struct audit_table){ 0 };
}

/* The slot of the key, or the free one where it would be. */
static size_t
slot_of(const struct audit_table *t, const void *key)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t h;
	size_t at;

	crypto_shorthash(hash, key, t->key, t->secret);
	memcpy(&h, hash, sizeof(h));
	at = (size_t)h & (t->slot_count - 1);
	while (t->slots[at] != 0 && memcmp(audit_table_row(t, t->slots[at] - 1), key, t->key) != 0)
		at = (at + 1) & (t->slot_count - 1);
	return at;
}

static int
grow(struct audit_table *t)
{
	size_t room = t->room != 0 ? 2 * t->room : 512, slot_count = 2 * room;
	uint8_t *rows;
	uint32_t *slots;

	if (room > UINT32_MAX / 2 || (rows = realloc(t->rows, room * t->row)) == NULL)
		return -1;
	t->rows = rows;
	if ((slots = calloc(slot_count, sizeof(*slots))) == NULL)
		return -1;
	free(t->slots);
	t->slots = slots;
	t->slot_count = slot_count;
	t->room = room;
	for (size_t i = 0; i < t->count; i++)
		t->slots[slot_of(t, audit_table_row(t, i))] = (uint32_t)i + 1;
	return 0;
}

void *
audit_table_find(const struct audit_table *t, const void *key)
{
	size_t at;

	if (t->count == 0)
		return NULL;
	at = slot_of(t, key);
	return t->slots[at] != 0 ? audit_table_row(t, t->slots[at] - 1) : NULL;
}

void *
audit_table_at(struct audit_table *t, const void *key)
{
	uint8_t *row = audit_table_find(t, key);

	if (row != NULL)
		return row;
	if (t->count == t->room && grow(t) != 0)
		return NULL;
	row = audit_table_row(t, t->count);
	memset(row, 0, t->row);
	memcpy(row, key, t->key);
	t->slots[slot_of(t, key)] = (uint32_t)++t->count;
	return row;
}
