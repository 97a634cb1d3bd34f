/*
 * lingering.c - a table with open addressing.
 */
#include "kmsdb/lingering.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

void
lingering_free(struct lingering *l)
{
	free(l->list);
	memset(l, 0, sizeof(*l));
}

/* The place of the key, or the free one where it would be. */
static struct linger *
place_of(const struct lingering *l, const uint8_t key[16])
{
	size_t i = cmid_hash(&l->hash, key) & (l->places - 1);

	while (l->list[i].until != 0 && memcmp(l->list[i].key, key, 16) != 0)
		i = (i + 1) & (l->places - 1);
	return &l->list[i];
}

struct linger *
lingering_find(const struct lingering *l, const uint8_t key[16])
{
	struct linger *at;

	if (l->count == 0)
		return NULL;
	at = place_of(l, key);
	return at->until != 0 ? at : NULL;
}

static int
grow(struct lingering *l)
{
	struct lingering more = { .count = l->count, .places = l->places * 2, .hash = l->hash };

	if (more.places == 0) {
		more.places = 256;
		cmid_hash_init(&more.hash);
	}
	if ((more.list = calloc(more.places, sizeof(*more.list))) == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t i = 0; i < l->places; i++)
		if (l->list[i].until != 0)
			*place_of(&more, l->list[i].key) = l->list[i];
	free(l->list);
	*l = more;
	return KMS_OK;
}

int
lingering_put(struct lingering *l, const struct linger *one)
{
	struct linger *at;

	if (l->count * 2 >= l->places && grow(l) != KMS_OK)
		return KMS_E_NO_MEMORY;
	at = place_of(l, one->key);
	l->count += at->until == 0;
	*at = *one;
	return KMS_OK;
}

void
lingering_drop(struct lingering *l, const uint8_t key[16])
{
	struct linger *gone = lingering_find(l, key);
	size_t i, hole;

	if (gone == NULL)
		return;
	hole = (size_t)(gone - l->list);
	gone->until = 0;
	l->count--;
	/* Those behind it that could not have its place come nearer to their own. */
	for (i = (hole + 1) & (l->places - 1); l->list[i].until != 0;
	     i = (i + 1) & (l->places - 1)) {
		size_t home = cmid_hash(&l->hash, l->list[i].key) & (l->places - 1);

		if (((i - home) & (l->places - 1)) < ((i - hole) & (l->places - 1)))
			continue;
		l->list[hole] = l->list[i];
		l->list[i].until = 0;
		hole = i;
	}
}
