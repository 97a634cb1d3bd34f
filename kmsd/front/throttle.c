/*
 * throttle.c - a small hash of counters, one for each source that has a
 * connection open. It counts also when no limit is set, so that a reload can set one.
 */
#include "kmsd/front/throttle.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define THROTTLE_FIRST_SIZE 256

static uint32_t
home(const struct throttle *t, uint64_t key)
{
	return address_hash(key, t->seed) & (t->size - 1);
}

/* The slot of key, or the free one where it belongs. */
static uint32_t
find(const struct throttle *t, uint64_t key)
{
	uint32_t i = home(t, key);

	while (t->slots[i].count != 0 && t->slots[i].key != key)
		i = (i + 1) & (t->size - 1);
	return i;
}

static bool
grow(struct throttle *t)
{
	struct throttle bigger = *t;

	bigger.size = t->size * 2;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return false;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->slots[i].count != 0)
			bigger.slots[find(&bigger, t->slots[i].key)] = t->slots[i];
	free(t->slots);
	*t = bigger;
	return true;
}

int
throttle_init(struct throttle *t, uint64_t seed)
{
	*t = (struct throttle){ .seed = seed, .size = THROTTLE_FIRST_SIZE };
	t->slots = calloc(t->size, sizeof(*t->slots));
	return t->slots != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

void
throttle_free(struct throttle *t)
{
	free(t->slots);
	t->slots = NULL;
}

int
throttle_enter(struct throttle *t, const uint8_t address[16])
{
	uint64_t key = address_source(address);
	uint32_t i = find(t, key);

	if (t->per_source != 0 && t->slots[i].count >= t->per_source)
		return KMS_E_LIMIT;
	if (t->slots[i].count == 0) {
		if ((t->used + 1) * 2 > t->size) {
			if (!grow(t))
				return KMS_E_NO_MEMORY;
			i = find(t, key);
		}
		t->slots[i].key = key;
		t->used++;
	}
	t->slots[i].count++;
	if (t->slots[i].count > t->largest_count) {
		t->largest = key;
		t->largest_count = t->slots[i].count;
	}
	return KMS_OK;
}

/*
 * All are looked at again only when the one found last has lost a 64th of its connections: at the
 * limit, each new connection asks.
 */
bool
throttle_largest(struct throttle *t, uint64_t *source)
{
	uint32_t count = t->slots[find(t, t->largest)].count;

	if (count == 0 || count + t->largest_count / 64 < t->largest_count) {
		t->largest_count = 0;
		for (uint32_t i = 0; i < t->size; i++) {
			if (t->slots[i].count <= t->largest_count)
				continue;
			t->largest = t->slots[i].key;
			t->largest_count = t->slots[i].count;
		}
	}
	*source = t->largest;
	return t->largest_count > 0;
}

void
throttle_leave(struct throttle *t, const uint8_t address[16])
{
	uint32_t mask = t->size - 1, hole = find(t, address_source(address));

	if (t->slots[hole].count == 0 || --t->slots[hole].count != 0)
		return;
	t->used--;
	/* Close the gap: move back every entry that could not be found across it. */
	for (uint32_t i = (hole + 1) & mask; t->slots[i].count != 0; i = (i + 1) & mask) {
		uint32_t want = home(t, t->slots[i].key);

		if (((i - want) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			t->slots[i].count = 0;
			hole = i;
		}
	}
}
