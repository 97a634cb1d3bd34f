/*
 * pending.c - the end of a batch: one commit, then every reply sealed straight
 * into its front's buffer.
 */
#include "kmsd/activate/pending.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/share/sharing.h"
#include "kmsd/common/log.h"
#include "libkms/base/clock.h"
#include "libkms/core/certificate.h"
#include "libkms/core/frame.h"
#include "libkms/core/lease.h"

#define REPLY_TLVS (12 + 8 + 20 + 12)
#define REPLY_TEXT (MESSAGE_REPLY_TEXT + LEASE_MAX + REPLY_TLVS)
#define REPLY_FRAME (FRAME_HEADER + SEAL_REPLY_OVERHEAD + REPLY_TEXT)
_Static_assert(
    REPLY_FRAME <= FRAME_HEADER + CERTIFICATE_MAX + 64, "front_peer.c's queue holds it too");
#define LEDGER_RETRY 30 /* seconds */
/*
 * How many replies are sealed before they are sent: the front sends these while the next are
 * sealed.
 */
#define FLUSH_EVERY 16

struct pending {
	struct pending_slot *slots; /* sodium_malloc */
	uint8_t *nonces;            /* SEAL_NONCE each, each used once */
	size_t nonces_used;
	size_t size, taken;
};

size_t
pending_octets(size_t slots)
{
	return slots * sizeof(struct pending_slot);
}

struct pending *
pending_new(size_t slots)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->size = p->nonces_used = slots;
	p->slots = sodium_malloc(pending_octets(slots));
	p->nonces = malloc(slots * SEAL_NONCE);
	if (p->slots == NULL || p->nonces == NULL) {
		pending_free(p);
		return NULL;
	}
	return p;
}

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	sodium_free(p->slots);
	free(p->nonces);
	free(p);
}

struct pending_slot *
pending_take(struct pending *p)
{
	struct pending_slot *slot;

	if (p->taken == p->size)
		return NULL;
	slot = &p->slots[p->taken++];
	memset(slot, 0, sizeof(*slot));
	return slot;
}

size_t
pending_waiting(const struct pending *p)
{
	return p->taken;
}

/* The status that replaces a lease that cannot be given. */
static void
refuse(struct pending_slot *slot, enum kms_status status)
{
	slot->answer = PENDING_PLAIN;
	slot->reply.status = status;
	slot->reply.bundle_len = 0;
	slot->reply.highest_sequence = 0;
	slot->reply.challenge = NULL;
	if (status == KMS_E_LEDGER)
		slot->reply.retry_after = LEDGER_RETRY;
	else
		slot->reply.highest_sequence = slot->sequence;
}

static void
find_bundle(struct activate *a, struct pending_slot *slot, uint8_t bundle[LEASE_MAX])
{
	size_t len = 0;
	int rc = KMS_OK;

	if (slot->answer == PENDING_LEAF)
		len = kmsdb_bundle(a->db, slot->leaf, bundle, LEASE_MAX);
	else if (slot->answer == PENDING_JOURNAL)
		rc = kmsdb_bundle_read(a->db, slot->number, slot->leaf, bundle, LEASE_MAX, &len);
	if (slot->answer == PENDING_PLAIN)
		return;
	if (len > 0 && rc == KMS_OK) {
		slot->reply.bundle = bundle;
		slot->reply.bundle_len = len;
	} else if (rc == KMS_E_NOT_FOUND) {
		/*
		 * Dropped by retention: with its next sequence number the client gets a new lease.
		 */
		refuse(slot, KMS_E_SEQUENCE);
	} else {
		log_limited(LOG_ERR, "lease-unreadable", "batch %llu, entry %u: %s",
		    (unsigned long long)slot->number, slot->leaf, kms_strerror((uint32_t)rc));
		refuse(slot, KMS_E_LEDGER);
	}
}

/* The sealed frame; 0: it does not fit. */
static size_t
seal(struct activate *a, struct pending_slot *slot, const uint8_t nonce[SEAL_NONCE],
    uint8_t frame[REPLY_FRAME])
{
	uint8_t bundle[LEASE_MAX], text[REPLY_TEXT];
	size_t len;

	find_bundle(a, slot, bundle);
	activate_count_answer(a, slot->reply.status);
	len = message_reply_encode(text, sizeof(text), &slot->reply);
	if (len > 0)
		len = seal_reply(frame, REPLY_FRAME, &slot->keys, nonce, text, len);
	if (len == 0)
		log_limited(LOG_ERR, "reply-lost", "a reply does not fit into its frame");
	return len;
}

static void
answer(struct activate *a, struct pending_slot *slot, const uint8_t nonce[SEAL_NONCE])
{
	uint8_t *room = front_peer_reserve(slot->peer, REPLY_FRAME);

	if (room != NULL)
		front_peer_commit(slot->peer, slot->token, 0, seal(a, slot, nonce, room));
}

/* The same when the batch that it tells of is not stored yet: it leaves later. */
static void
hold(struct activate *a, struct pending_slot *slot, const uint8_t nonce[SEAL_NONCE], uint64_t batch)
{
	uint8_t frame[REPLY_FRAME];
	size_t len = seal(a, slot, nonce, frame);

	if (len > 0 && share_hold(a->share, slot->peer, slot->token, batch, frame, len))
		return;
	if (front_peer_reserve(slot->peer, REPLY_FRAME) != NULL)
		front_peer_commit(slot->peer, slot->token, 0, 0);
}

/* Of a host that shares. committed: the batch that was just written; 0: none. */
static void
answer_shared(struct activate *a, struct pending_slot *slot, const uint8_t nonce[SEAL_NONCE],
    uint64_t committed)
{
	uint64_t batch = committed > slot->number ? committed : slot->number;

	if (share_waits(a->share, batch))
		hold(a, slot, nonce, batch);
	else
		answer(a, slot, nonce);
}

/* Once a minute: every batch fails while the disk is full. */
static void
say_failure(struct activate *a, size_t entries, int status)
{
	a->counts.ledger_failures++;
	if (a->failing_since == 0)
		a->failing_since = a->now;
	if (a->failure_said != 0 && a->now - a->failure_said < 60)
		return;
	a->failure_said = a->now;
	log_event(LOG_CRIT, status == KMS_E_FULL ? "ledger-full" : "ledger-error",
	    "%zu entries not written: %s; clients are told to try again later; nobody is activated until space is freed or the disk works again",
	    entries, kms_strerror((uint32_t)status));
}

int
pending_commit(struct activate *a)
{
	size_t entries = kmsdb_staged(a->db);
	uint64_t began;
	int rc;

	if (entries == 0)
		return KMS_OK;
	began = clock_us();
	rc = kmsdb_commit(
	    a->db, host_identity_id(a->key), a->opening.time, host_identity_batch, a->key);
	activate_count_commit(a, clock_us() - began);
	opening_settled(a, rc == KMS_OK);
	if (rc != KMS_OK) {
		say_failure(a, entries, rc);
		return rc;
	}
	if (a->failing_since != 0) {
		log_event(LOG_NOTICE, "ledger-mended",
		    "the ledger can be written again, after %llu s",
		    (unsigned long long)(a->now < a->failing_since ? 0
								   : a->now - a->failing_since));
		a->failing_since = a->failure_said = 0;
	}
	a->last_batch++;
	if (a->share != NULL)
		share_committed(a->share);
	a->counts.batches++;
	a->counts.entries += entries;
	if (entries > a->counts.largest)
		a->counts.largest = entries;
	return KMS_OK;
}

/*
 * Random nonces for a thousand replies, from one seed that is used once: libsodium asks the kernel
 * for 256 bytes at a time.
 */
static const uint8_t *
next_nonce(struct pending *p)
{
	uint8_t seed[randombytes_SEEDBYTES];

	if (p->nonces_used == p->size) {
		randombytes_buf(seed, sizeof(seed));
		randombytes_buf_deterministic(p->nonces, p->size * SEAL_NONCE, seed);
		sodium_memzero(seed, sizeof(seed));
		p->nonces_used = 0;
	}
	return p->nonces + p->nonces_used++ * SEAL_NONCE;
}

void
pending_finish(struct activate *a)
{
	struct pending *p = a->pending;
	uint64_t before = a->last_batch;
	int rc = pending_commit(a);

	if (p->taken == 0)
		return;
	for (size_t i = 0; i < p->taken; i++) {
		struct pending_slot *slot = &p->slots[i];

		if (rc != KMS_OK && !slot->settled)
			refuse(slot, KMS_E_LEDGER);
		if (a->share == NULL)
			answer(a, slot, next_nonce(p));
		else
			answer_shared(
			    a, slot, next_nonce(p), a->last_batch > before ? a->last_batch : 0);
		if (i % FLUSH_EVERY == FLUSH_EVERY - 1)
			front_peer_flush(slot->peer);
	}
	sodium_memzero(p->slots, p->taken * sizeof(*p->slots));
	p->taken = 0;
}

int
pending_stage(struct activate *a, const struct item *item)
{
	uint32_t leaf;
	int rc;

	if (item->entry_len == 0)
		return KMS_E_FORMAT;
	if ((rc = activate_stage(a, item, &leaf)) != KMS_E_TOO_LARGE)
		return rc;
	pending_finish(a);
	return activate_stage(a, item, &leaf);
}

void
pending_idle(struct activate *a)
{
	pending_finish(a);
	kmsdb_commit(a->db, host_identity_id(a->key), a->now, host_identity_batch, a->key);
}
