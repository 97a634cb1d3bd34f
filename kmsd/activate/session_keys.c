/*
 * session_keys.c - a chained hash table over blocks of sodium_malloc
 * memory. The table is keyed with a secret (SipHash), since clients choose
 * their own public keys and must not be able to choose their bucket.
 *
 * The blocks come when they are needed. The heads of the chains are for the bound from the start:
 * memory that was never touched is none, so nothing moves when the table grows.
 */
#include "kmsd/activate/session_keys.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE (2u << 20)
/* Linux 6.1; Debian 12's C library does not name it yet. */
#if defined(__linux__) && !defined(MADV_COLLAPSE)
#define MADV_COLLAPSE 25
#endif

#define LINE 64 /* of the processor's cache */
/* Slots of the first block, which most hosts need alone, and of each other. */
#define FIRST_SLOTS 16384u
#define BLOCK_SLOTS 65536u

/* Two lines. */
struct slot {
	struct session session;
	uint32_t next; /* 0: none; else index + 1, as in the heads */
	uint8_t used;
	uint8_t recent; /* CLOCK's second chance */
	uint8_t pad[2];
};
_Static_assert(sizeof(struct slot) == 2 * LINE, "two lines");

struct block {
	void *memory; /* sodium_malloc: session keys */
	struct slot *slots;
};

struct session_keys {
	struct block *blocks;
	uint32_t *heads;
	uint32_t most, size, mask, filled, hand;
	size_t octets, unlocked; /* of all blocks */
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint64_t hits, misses;
};

static uint32_t
head_of(const struct session_keys *c, const uint8_t *pk)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t v;

	crypto_shorthash(hash, pk, SEAL_PUBLIC, c->key);
	memcpy(&v, hash, sizeof(v));
	return v & c->mask;
}

/* Which block that slot is in, and where in it. */
static size_t
block_of(uint32_t index, uint32_t *at)
{
	*at = index < FIRST_SLOTS ? index : (index - FIRST_SLOTS) % BLOCK_SLOTS;
	return index < FIRST_SLOTS ? 0 : 1 + (index - FIRST_SLOTS) / BLOCK_SLOTS;
}

/* For so many entries. */
static size_t
block_count(uint32_t entries)
{
	uint32_t at;

	return entries == 0 ? 0 : block_of(entries - 1, &at) + 1;
}

static struct slot *
slot_at(const struct session_keys *c, uint32_t index)
{
	uint32_t at;
	size_t block = block_of(index, &at);

	return &c->blocks[block].slots[at];
}

size_t
session_keys_octets(size_t entries)
{
	return entries * sizeof(struct slot) + block_count((uint32_t)entries) * LINE;
}

/*
 * A million entries are 32,000 small pages, more than the TLB holds: each lookup would wait for
 * the page table as well as for the entry. If the kernel has no large pages, nothing is lost.
 */
static void
large_pages(void *start, size_t octets)
{
#ifdef MADV_COLLAPSE
	uintptr_t from = ((uintptr_t)start + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	uintptr_t to = ((uintptr_t)start + octets) & ~(uintptr_t)(LARGE_PAGE - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_COLLAPSE);
#endif
}

/* The block that begins with this slot. */
static bool
add_block(struct session_keys *c, uint32_t index)
{
	uint32_t at, slots = index == 0 ? FIRST_SLOTS : BLOCK_SLOTS;
	struct block *b = &c->blocks[block_of(index, &at)];
	size_t octets;

	if (slots > c->most - index)
		slots = c->most - index;
	octets = slots * sizeof(struct slot);
	if ((b->memory = sodium_malloc(octets + LINE)) == NULL)
		return false;
	/* sodium_malloc does not say so when the limit of locked memory is reached. */
	if (sodium_mlock(b->memory, octets + LINE) != 0)
		c->unlocked += octets;
	b->slots = (struct slot *)(((uintptr_t)b->memory + LINE - 1) & ~(uintptr_t)(LINE - 1));
	large_pages(b->slots, octets);
	memset(b->slots, 0, octets);
	c->octets += octets;
	return true;
}

struct session_keys *
session_keys_new(size_t most)
{
	struct session_keys *c;
	uint32_t heads = 1;

	if (most == 0 || most > 1u << 28)
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	while (heads < most)
		heads <<= 1;
	c->most = (uint32_t)most;
	c->mask = heads - 1;
	c->blocks = calloc(block_count(c->most), sizeof(*c->blocks));
	c->heads = calloc(heads, sizeof(*c->heads));
	if (c->blocks == NULL || c->heads == NULL || !add_block(c, 0)) {
		session_keys_free(c);
		return NULL;
	}
	crypto_shorthash_keygen(c->key);
	session_keys_clients(c, 0);
	return c;
}

void
session_keys_free(struct session_keys *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; c->blocks != NULL && i < block_count(c->most); i++)
		sodium_free(c->blocks[i].memory);
	free(c->blocks);
	free(c->heads);
	free(c);
}

void
session_keys_clients(struct session_keys *c, uint64_t clients)
{
	uint64_t size = clients + clients / 4;

	if (size < SESSION_KEYS_LEAST)
		size = SESSION_KEYS_LEAST;
	if (size > c->most)
		size = c->most;
	if (size > c->size)
		c->size = (uint32_t)size;
}

const struct session *
session_keys_get(
    struct session_keys *c, const uint8_t key_id[SEAL_KEY_ID], const uint8_t client_pk[SEAL_PUBLIC])
{
	struct slot *slot;

	for (uint32_t i = c->heads[head_of(c, client_pk)]; i != 0; i = slot->next) {
		slot = slot_at(c, i - 1);
		if (memcmp(slot->session.client_pk, client_pk, SEAL_PUBLIC) == 0 &&
		    memcmp(slot->session.key_id, key_id, SEAL_KEY_ID) == 0) {
			slot->recent = 1;
			c->hits++;
			return &slot->session;
		}
	}
	c->misses++;
	return NULL;
}

uint32_t
session_keys_announce(const struct session_keys *c, const uint8_t client_pk[SEAL_PUBLIC])
{
	uint32_t place = head_of(c, client_pk);

	__builtin_prefetch(&c->heads[place]);
	return place;
}

const struct session *
session_keys_expect(const struct session_keys *c, uint32_t place)
{
	uint32_t i = c->heads[place];
	const struct slot *slot;

	if (i == 0)
		return NULL;
	slot = slot_at(c, i - 1);
	__builtin_prefetch(slot);
	__builtin_prefetch((const uint8_t *)slot + LINE);
	return &slot->session;
}

static void
unlink_slot(struct session_keys *c, uint32_t index)
{
	struct slot *slot = slot_at(c, index);
	uint32_t *at = &c->heads[head_of(c, slot->session.client_pk)];

	while (*at != index + 1)
		at = &slot_at(c, *at - 1)->next;
	*at = slot->next;
	sodium_memzero(&slot->session, sizeof(slot->session));
}

/* Without memory for another block, the cache stays as large as it is. */
static bool
may_fill(struct session_keys *c)
{
	uint32_t at;
	size_t block;

	if (c->filled == c->size)
		return false;
	block = block_of(c->filled, &at);
	if (c->blocks[block].memory != NULL || add_block(c, c->filled))
		return true;
	c->size = c->most = c->filled;
	return false;
}

static uint32_t
choose(struct session_keys *c)
{
	uint32_t index;

	if (may_fill(c))
		return c->filled++;
	while (slot_at(c, c->hand)->recent) {
		slot_at(c, c->hand)->recent = 0;
		c->hand = c->hand + 1 == c->filled ? 0 : c->hand + 1;
	}
	index = c->hand;
	c->hand = c->hand + 1 == c->filled ? 0 : c->hand + 1;
	return index;
}

const struct session *
session_keys_put(struct session_keys *c, const struct session *s)
{
	uint32_t index = choose(c), *head = &c->heads[head_of(c, s->client_pk)];
	struct slot *slot = slot_at(c, index);

	if (slot->used)
		unlink_slot(c, index);
	slot->session = *s;
	slot->next = *head;
	slot->used = 1;
	/*
	 * Not marked as recent: a flood of keys seen once pushes out its own entries before those
	 * of returning clients.
	 */
	slot->recent = 0;
	*head = index + 1;
	return &slot->session;
}

/*
 * The slots stay filled, and are taken again like any other: an entry of zeros under no key is
 * never found.
 */
void
session_keys_forget(struct session_keys *c, const uint8_t key_id[SEAL_KEY_ID])
{
	for (uint32_t i = 0; i < c->filled; i++) {
		struct slot *slot = slot_at(c, i);

		if (!slot->used || memcmp(slot->session.key_id, key_id, SEAL_KEY_ID) != 0)
			continue;
		unlink_slot(c, i);
		slot->used = slot->recent = 0;
	}
}

void
session_keys_info(const struct session_keys *c, struct session_keys_info *out)
{
	out->entries = c->filled;
	out->size = c->size;
	out->octets = c->octets + ((size_t)c->mask + 1) * sizeof(*c->heads);
	out->unlocked = c->unlocked;
	out->hits = c->hits;
	out->misses = c->misses;
}
