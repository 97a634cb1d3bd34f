/*
 * testhost.c - a publisher and a host made of fixed seeds.
 */
#include "t/lib/testhost.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libkms/base/uuid.h"
#include "libkms/core/batch.h"
#include "libkms/core/frame.h"
#include "libkms/core/merkle.h"
#include "libkms/core/seal.h"

void
testhost_certify(struct testhost *h)
{
	size_t n = certificate_encode(h->certificate, sizeof(h->certificate), &h->cert);

	assert(n > 0 && n + 64 <= sizeof(h->certificate));
	crypto_sign_detached(h->certificate + n, NULL, h->certificate, n, h->publisher_sk);
	h->certificate_len = n + 64;
}

void
testhost_state(struct testhost *h)
{
	exchange_encode(h->statement, &h->exchange);
	crypto_sign_detached(
	    h->statement + EXCHANGE_SIGNED, NULL, h->statement, EXCHANGE_SIGNED, h->sign_sk);
}

static void
make_exchange(struct testhost *h, const uint8_t seed[32])
{
	struct exchange *e = &h->exchange;

	crypto_kx_seed_keypair(e->pk, h->kx_sk, seed);
	memcpy(e->host_id, h->cert.host_id, sizeof(e->host_id));
	exchange_key_id(e->key_id, e->pk);
	e->made = (uint64_t)time(NULL);
	e->until = e->made + 7 * 86400;
	e->ends = e->until + 86400;
	e->lowest = e->highest = FRAME_VERSION;
	testhost_state(h);
}

void
testhost_init(
    struct testhost *h, uint8_t publisher, uint8_t host, uint64_t not_before, uint64_t not_after)
{
	uint8_t seed[32];

	memset(h, 0, sizeof(*h));
	memset(seed, publisher, sizeof(seed));
	crypto_sign_seed_keypair(h->publisher.pk, h->publisher_sk, seed);
	memset(h->publisher.id, publisher, sizeof(h->publisher.id));
	minisig_key_format(h->publisher_text, &h->publisher);
	memset(seed, host, sizeof(seed));
	crypto_sign_seed_keypair(h->cert.sign_pk, h->sign_sk, seed);
	memcpy(h->cert.publisher, h->publisher.id, sizeof(h->cert.publisher));
	memset(h->cert.host_key_id, 0x77, sizeof(h->cert.host_key_id));
	h->cert.serial = 1;
	h->cert.issued = h->cert.not_before = not_before;
	h->cert.not_after = not_after;
	h->cert.confirmation = 1;
	snprintf(h->cert.group, sizeof(h->cert.group), "clients");
	snprintf(h->cert.customer, sizeof(h->cert.customer), "Test Customer");
	h->cert.product_count = 1;
	assert(uuid_parse(h->cert.products[0], TESTHOST_PRODUCT));
	certificate_host_id(h->cert.host_id, h->cert.sign_pk);
	testhost_certify(h);
	make_exchange(h, seed);
}

void
testhost_entry(const struct testhost *h, struct entry_client *e, struct aside *names,
    const uint8_t client_pk[32], uint64_t now, uint32_t minutes)
{
	memset(e, 0, sizeof(*e));
	e->kind = ENTRY_LEASE;
	e->time = now;
	seal_cmid(e->cmid, client_pk);
	memcpy(e->product, h->cert.products[0], sizeof(e->product));
	e->sequence = 1;
	e->expires = now + minutes * 60ull;
	e->renew_after = now + minutes * 30ull;
	e->count = 25;
	e->required = 25;
	memcpy(e->publisher, h->publisher.id, sizeof(e->publisher));
	e->pool = 1;
	e->operation = MESSAGE_ACTIVATE;
	e->width = entry_slot_width(30 * 1440);
	e->until = entry_counts_until(now, 30 * 1440);
	names->address[10] = names->address[11] = 0xff;
	names->address[12] = 127;
	names->address[15] = 1;
	aside_commit(&e->commitments, names);
}

size_t
testhost_bundle(const struct testhost *h, uint8_t *out, size_t size, const struct entry_client *e,
    const struct aside *names)
{
	uint8_t beside[ASIDE_MAX];
	uint8_t bytes[ENTRY_CLIENT_MAX], leaf[32], header[BATCH_HEADER], signature[BATCH_SIGNATURE];
	uint8_t proof[MERKLE_MAX_PROOF][MERKLE_HASH];
	struct batch_header b = { .number = 7, .previous = { 1 }, .size = 3, .time = e->time };
	struct merkle_tree *tree = merkle_tree_new(3);
	struct lease l = { .entry = bytes, .header = header, .signature = signature, .index = 1 };

	assert(tree != NULL);
	if (h->batch > 0)
		b.number = h->batch;
	if (b.number == 1)
		memset(b.previous, 0, sizeof(b.previous));
	l.entry_len = entry_client_encode(bytes, sizeof(bytes), e);
	assert(l.entry_len > 0);
	merkle_tree_reset(tree);
	memset(leaf, 1, sizeof(leaf));
	merkle_tree_add(tree, leaf);
	merkle_leaf(leaf, bytes, l.entry_len);
	merkle_tree_add(tree, leaf);
	memset(leaf, 3, sizeof(leaf));
	merkle_tree_add(tree, leaf);
	merkle_tree_close(tree, b.root);
	memcpy(b.host_id, h->cert.host_id, sizeof(b.host_id));
	batch_header_encode(header, &b);
	crypto_sign_detached(signature, NULL, header, sizeof(header), h->sign_sk);
	l.proof_count = (uint8_t)merkle_tree_proof(tree, 1, proof);
	l.proof = proof[0];
	l.aside = beside;
	l.aside_len = names != NULL ? aside_encode(beside, sizeof(beside), names) : 0;
	merkle_tree_free(tree);
	return lease_encode(out, size, &l);
}
