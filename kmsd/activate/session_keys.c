/*
 * session_keys.c - a chained hash table over one block of sodium_malloc
 * memory. The table is keyed with a secret (SipHash), since clients choose
 * their own public keys and must not be able to choose their bucket.
 */
#include "kmsd/activate/session_keys.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NONE UINT32_MAX
#define LARGE_PAGE (2u << 20)
/* Linux 6.1; Debian 12's C library does not name it yet. */
#if defined(__linux__) && !defined(MADV_COLLAPSE)
#define MADV_COLLAPSE 25
#endif

struct slot {
	struct session session;
	uint32_t next;
	uint32_t bucket;
	uint8_t used;
	uint8_t recent; /* CLOCK's second chance */
	uint8_t pad[6];
};

struct session_keys {
	struct slot *slots; /* sodium_malloc: session keys */
	uint32_t *buckets;
	uint32_t size, mask, filled, hand;
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint64_t hits, misses;
};

static uint32_t
bucket_of(const struct session_keys *c, const uint8_t *pk)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t v;

	crypto_shorthash(hash, pk, SEAL_PUBLIC, c->key);
	memcpy(&v, hash, sizeof(v));
	return v & c->mask;
}

size_t
session_keys_octets(size_t entries)
{
	return entries * sizeof(struct slot);
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

struct session_keys *
session_keys_new(size_t entries)
{
	struct session_keys *c;
	uint32_t buckets = 1;

	if (entries == 0 || entries > 1u << 28)
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	while (buckets < entries)
		buckets <<= 1;
	c->size = (uint32_t)entries;
	c->mask = buckets - 1;
	c->slots = sodium_malloc(session_keys_octets(entries));
	c->buckets = malloc(buckets * sizeof(*c->buckets));
	if (c->slots == NULL || c->buckets == NULL) {
		session_keys_free(c);
		return NULL;
	}
	large_pages(c->slots, session_keys_octets(entries));
	memset(c->slots, 0, session_keys_octets(entries));
	memset(c->buckets, 0xff, buckets * sizeof(*c->buckets));
	crypto_shorthash_keygen(c->key);
	return c;
}

void
session_keys_free(struct session_keys *c)
{
	if (c == NULL)
		return;
	sodium_free(c->slots);
	free(c->buckets);
	free(c);
}

const struct session *
session_keys_get(
    struct session_keys *c, const uint8_t key_id[SEAL_KEY_ID], const uint8_t client_pk[SEAL_PUBLIC])
{
	for (uint32_t i = c->buckets[bucket_of(c, client_pk)]; i != NONE; i = c->slots[i].next) {
		if (memcmp(c->slots[i].session.client_pk, client_pk, SEAL_PUBLIC) == 0 &&
		    memcmp(c->slots[i].session.key_id, key_id, SEAL_KEY_ID) == 0) {
			c->slots[i].recent = 1;
			c->hits++;
			return &c->slots[i].session;
		}
	}
	c->misses++;
	return NULL;
}

void
session_keys_expect(const struct session_keys *c, const uint8_t client_pk[SEAL_PUBLIC])
{
	uint32_t i = c->buckets[bucket_of(c, client_pk)];

	if (i == NONE)
		return;
	__builtin_prefetch(&c->slots[i]);
	__builtin_prefetch((const uint8_t *)&c->slots[i] + 64);
}

static void
unlink_slot(struct session_keys *c, uint32_t index)
{
	uint32_t *at = &c->buckets[c->slots[index].bucket];

	while (*at != index)
		at = &c->slots[*at].next;
	*at = c->slots[index].next;
	sodium_memzero(&c->slots[index].session, sizeof(c->slots[index].session));
}

static uint32_t
choose(struct session_keys *c)
{
	uint32_t index;

	if (c->filled < c->size)
		return c->filled++;
	while (c->slots[c->hand].recent) {
		c->slots[c->hand].recent = 0;
		c->hand = c->hand + 1 == c->size ? 0 : c->hand + 1;
	}
	index = c->hand;
	c->hand = c->hand + 1 == c->size ? 0 : c->hand + 1;
	return index;
}

const struct session *
session_keys_put(struct session_keys *c, const struct session *s)
{
	uint32_t index = choose(c);
	struct slot *slot = &c->slots[index];

	if (slot->used)
		unlink_slot(c, index);
	slot->session = *s;
	slot->bucket = bucket_of(c, s->client_pk);
	slot->next = c->buckets[slot->bucket];
	slot->used = 1;
	/*
	 * Not marked as recent: a flood of keys seen once pushes out its own entries before those
	 * of returning clients.
	 */
	slot->recent = 0;
	c->buckets[slot->bucket] = index;
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
		struct slot *slot = &c->slots[i];

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
	out->octets = session_keys_octets(c->size) + ((size_t)c->mask + 1) * sizeof(*c->buckets);
	out->hits = c->hits;
	out->misses = c->misses;
}
