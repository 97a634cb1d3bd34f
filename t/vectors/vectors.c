/*
 * vectors.c - makes the golden vectors (vectors.h). The scene: one publisher,
 * one host, one client. The host's second batch holds five entries; entry 3 is
 * the client's lease.
 */
#include "t/vectors/vectors.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/secret.h"
#include "libkms/client/state.h"
#include "libkms/core/batch.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_relayed.h"
#include "libkms/core/entry_share.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/frame.h"
#include "libkms/core/hash16.h"
#include "libkms/core/item.h"
#include "libkms/core/lease.h"
#include "libkms/core/merkle.h"
#include "libkms/core/message.h"
#include "libkms/core/minisig.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/core/seal.h"
#include "libkms/kms_error.h"

#define NOW 1800000000u /* 2027-01-15 08:00:00 UTC */
#define ENTRIES 5
#define OURS 3 /* index of the client's lease */

struct octets {
	uint8_t at[FRAME_MAX_REPLY];
	size_t len;
};

struct scene {
	uint8_t client_sk[32], client_pk[32], cmid[16];
	uint8_t kx_sk[32], kx_pk[32];
	uint8_t sign_seed[32], sign_sk[64], sign_pk[32], host_id[16];
	uint8_t publisher_seed[32], publisher_sk[64];
	struct minisig_key publisher;
	uint8_t shared[32];
	struct seal_keys session;
	struct certificate cert;
	struct exchange exchange;
	uint8_t statement[EXCHANGE_SIZE];
	struct octets certificate, entry[ENTRIES], aside[ENTRIES], bundle, file;
	uint8_t leaf[ENTRIES][32], first_header[BATCH_HEADER], previous[32];
	struct batch_header header;
	uint8_t header_octets[BATCH_HEADER], signature[BATCH_SIGNATURE];
	uint8_t proof[ENTRIES][MERKLE_MAX_PROOF][MERKLE_HASH];
	size_t proof_count[ENTRIES];
};

/* first, first + 1, ...: easy to type in another language. */
static void
count_up(uint8_t *out, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

static int
make_keys(struct scene *s)
{
	count_up(s->client_sk, 32, 0x01);
	count_up(s->kx_sk, 32, 0x41);
	count_up(s->sign_seed, 32, 0x81);
	count_up(s->publisher_seed, 32, 0xc1);
	count_up(s->publisher.id, 8, 0xe1);
	crypto_sign_seed_keypair(s->sign_pk, s->sign_sk, s->sign_seed);
	crypto_sign_seed_keypair(s->publisher.pk, s->publisher_sk, s->publisher_seed);
	if (crypto_scalarmult_base(s->client_pk, s->client_sk) != 0 ||
	    crypto_scalarmult_base(s->kx_pk, s->kx_sk) != 0 ||
	    crypto_scalarmult(s->shared, s->client_sk, s->kx_pk) != 0)
		return -1;
	seal_cmid(s->cmid, s->client_pk);
	certificate_host_id(s->host_id, s->sign_pk);
	return seal_client_keys(&s->session, s->client_pk, s->client_sk, s->kx_pk);
}

static int
make_exchange(struct scene *s)
{
	struct exchange *e = &s->exchange;

	memcpy(e->host_id, s->host_id, 16);
	memcpy(e->pk, s->kx_pk, 32);
	exchange_key_id(e->key_id, e->pk);
	e->made = NOW - 3600;
	e->until = e->made + 7 * 86400;
	e->ends = e->until + 86400;
	e->lowest = e->highest = FRAME_VERSION;
	exchange_encode(s->statement, e);
	crypto_sign_detached(
	    s->statement + EXCHANGE_SIGNED, NULL, s->statement, EXCHANGE_SIGNED, s->sign_sk);
	return exchange_verify(e, s->statement, EXCHANGE_SIZE, s->sign_pk);
}

static int
make_certificate(struct scene *s)
{
	struct certificate *c = &s->cert;
	struct octets *o = &s->certificate;

	memcpy(c->publisher, s->publisher.id, 8);
	count_up(c->host_key_id, 16, 0x20);
	memcpy(c->sign_pk, s->sign_pk, 32);
	c->serial = 7;
	c->issued = NOW - 86400;
	c->not_before = NOW - 86400;
	c->not_after = NOW + 365 * 86400;
	c->capacity = 1000;
	c->confirmation = 1;
	strcpy(c->group, "standard");
	strcpy(c->customer, "M\xc3\xbcller & Co");
	c->product_count = 2;
	count_up(c->products[0], 16, 0x50);
	count_up(c->products[1], 16, 0x70);
	if ((o->len = certificate_encode(o->at, sizeof(o->at), c)) == 0)
		return -1;
	crypto_sign_detached(o->at + o->len, NULL, o->at, o->len, s->publisher_sk);
	o->len += crypto_sign_BYTES;
	return certificate_verify(c, o->at, o->len, s->publisher.id, s->publisher.pk);
}

/* Entry 0: the host's start. 1: one below the threshold. 2 and 4: other leases. 3: ours. */
static int
make_entry(struct scene *s, unsigned i)
{
	struct entry_client e = { .kind = i == 1 ? ENTRY_SEEN : ENTRY_LEASE,
		.time = NOW,
		.pool = 1,
		.operation = MESSAGE_ACTIVATE,
		.state = MESSAGE_GRACE,
		.grace_minutes = 43200,
		.required = 25,
		.count = 24 + i };
	struct entry_admin start = { .kind = ENTRY_START,
		.time = NOW,
		.text = "kmsd 0.1.0",
		.text_len = 10,
		.blob = s->sign_pk,
		.blob_len = 32 };
	struct octets *o = &s->entry[i], *beside = &s->aside[i];
	struct aside aside = { .address = { [10] = 0xff, 0xff, 192, 0, 2, (uint8_t)i } };

	if (i == 0) {
		memcpy(start.subject, s->host_id, 16);
		return (o->len = entry_admin_encode(o->at, sizeof(o->at), &start)) == 0 ? -1 : 0;
	}
	count_up(e.cmid, 16, (uint8_t)(0x10 * i));
	if (i == OURS)
		memcpy(e.cmid, s->cmid, 16);
	memcpy(e.product, s->cert.products[0], 16);
	count_up(e.request_id, 16, (uint8_t)(0xa0 + i));
	e.sequence = i;
	if (e.kind == ENTRY_SEEN)
		e.status = KMS_E_COUNT_TOO_LOW;
	else {
		e.expires = NOW + 180 * 86400;
		e.renew_after = NOW + 7 * 86400;
	}
	memcpy(e.publisher, s->publisher.id, 8);
	e.width = entry_slot_width(30 * 1440);
	e.until = entry_counts_until(NOW, 30 * 1440);
	if (i == OURS)
		hash16_salt(aside.salt, s->client_sk);
	else
		count_up(aside.salt, 16, (uint8_t)(0x30 + i));
	snprintf(aside.name, sizeof(aside.name), "host-%u.example", i);
	if (i == 2)
		snprintf(aside.user, sizeof(aside.user), "m\xc3\xbcller");
	aside_commit(&e.commitments, &aside);
	if (i == 4) {
		e.bound = true;
		count_up(e.binding, 16, 0xb0);
		e.flags = ENTRY_VM | ENTRY_CLONE;
		e.class = 5;
	}
	if ((beside->len = aside_encode(beside->at, sizeof(beside->at), &aside)) == 0)
		return -1;
	return (o->len = entry_client_encode(o->at, sizeof(o->at), &e)) == 0 ? -1 : 0;
}

static void
make_headers(struct scene *s, const uint8_t root[32])
{
	struct batch_header first = { .number = 1, .size = 1, .time = NOW - 60 };

	memcpy(first.host_id, s->host_id, 16);
	memcpy(first.root, s->leaf[0], 32);
	batch_header_encode(s->first_header, &first);
	batch_header_hash(s->previous, s->first_header);
	s->header = (struct batch_header){ .number = 2, .size = ENTRIES, .time = NOW };
	memcpy(s->header.host_id, s->host_id, 16);
	memcpy(s->header.previous, s->previous, 32);
	memcpy(s->header.root, root, 32);
	batch_header_encode(s->header_octets, &s->header);
	crypto_sign_detached(s->signature, NULL, s->header_octets, BATCH_HEADER, s->sign_sk);
}

static int
make_batch(struct scene *s)
{
	struct merkle_tree *tree = merkle_tree_new(ENTRIES);
	uint8_t root[32];
	int rc = tree == NULL ? -1 : 0;

	for (unsigned i = 0; rc == 0 && i < ENTRIES; i++) {
		if ((rc = make_entry(s, i)) != 0)
			break;
		merkle_leaf(s->leaf[i], s->entry[i].at, s->entry[i].len);
		rc = merkle_tree_add(tree, s->leaf[i]);
	}
	if (rc == 0) {
		merkle_tree_close(tree, root);
		for (unsigned i = 0; i < ENTRIES; i++)
			s->proof_count[i] = merkle_tree_proof(tree, i, s->proof[i]);
		make_headers(s, root);
	}
	merkle_tree_free(tree);
	return rc;
}

static int
make_lease(struct scene *s)
{
	struct lease l = { .entry = s->entry[OURS].at,
		.entry_len = s->entry[OURS].len,
		.header = s->header_octets,
		.signature = s->signature,
		.index = OURS,
		.proof_count = (uint8_t)s->proof_count[OURS],
		.proof = s->proof[OURS][0],
		.aside = s->aside[OURS].at,
		.aside_len = s->aside[OURS].len };
	struct octets *f = &s->file;
	struct wire_writer w;
	struct entry_client e;
	struct aside aside;
	int rc;

	s->bundle.len = lease_encode(s->bundle.at, sizeof(s->bundle.at), &l);
	wire_writer_init(&w, f->at, sizeof(f->at));
	wire_put(&w, "KMSLEAS3", 8);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)s->certificate.len);
	wire_put(&w, s->certificate.at, s->certificate.len);
	wire_put(&w, s->bundle.at, s->bundle.len);
	f->len = wire_written(&w);
	rc = lease_verify(&e, s->bundle.at, s->bundle.len, &s->cert, s->cmid, s->cert.products[0]);
	return rc != KMS_OK ? rc : lease_names(&aside, s->bundle.at, s->bundle.len, &e);
}

static int
make_scene(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	if (make_keys(s) != 0 || make_exchange(s) != 0 || make_certificate(s) != 0 ||
	    make_batch(s) != 0)
		return -1;
	return make_lease(s);
}

static void
hex(FILE *out, const char *name, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	fprintf(out, "%s = ", name);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", p[i]);
	fputc('\n', out);
}

static int
print_keys(FILE *out, struct scene *s)
{
	char line[MINISIG_KEY_LINE + 1];

	hex(out, "client_secret", s->client_sk, 32);
	hex(out, "client_public", s->client_pk, 32);
	hex(out, "cmid", s->cmid, 16);
	hex(out, "host_exchange_secret", s->kx_sk, 32);
	hex(out, "host_exchange_public", s->kx_pk, 32);
	hex(out, "host_signing_seed", s->sign_seed, 32);
	hex(out, "host_signing_public", s->sign_pk, 32);
	hex(out, "host_id", s->host_id, 16);
	fprintf(out, "# X25519 of client_secret and host_exchange_public\n");
	hex(out, "shared", s->shared, 32);
	fprintf(
	    out, "# BLAKE2b-512 of shared, client_public, host_exchange_public: first half...\n");
	hex(out, "session_to_client", s->session.to_client, 32);
	fprintf(out, "# ... and second half\n");
	hex(out, "session_to_host", s->session.to_host, 32);
	hex(out, "publisher_seed", s->publisher_seed, 32);
	hex(out, "publisher_public", s->publisher.pk, 32);
	hex(out, "publisher_id", s->publisher.id, 8);
	minisig_key_format(line, &s->publisher);
	fprintf(out, "# text: %s\n", line);
	hex(out, "publisher_key_line", line, MINISIG_KEY_LINE);
	return 0;
}

/* The same certificate with entitlements, and with what no program may take. */
static int
print_entitled(FILE *out, struct scene *s)
{
	static const struct {
		const char *name;
		uint16_t type;
	} unknown[] = { { "certificate_unknown_tlv", 0x7fff },
		{ "certificate_critical_tlv", 0xffff } };
	struct certificate c = s->cert, again;
	uint8_t f[CERTIFICATE_MAX];
	size_t n;

	if (entitlements_add(&c.entitlements, "seats.extra", "25") != KMS_OK ||
	    entitlements_add(&c.entitlements, "edition", "M\xc3\xbcller special") != KMS_OK ||
	    entitlements_add(&c.entitlements, "beta", "") != KMS_OK)
		return -1;
	n = certificate_encode(f, sizeof(f) - 64, &c);
	crypto_sign_detached(f + n, NULL, f, n, s->publisher_sk);
	hex(out, "entitlements", c.entitlements.octets, c.entitlements.len);
	hex(out, "certificate_entitled", f, n + 64);
	if (certificate_verify(&again, f, n + 64, s->publisher.id, s->publisher.pk) != KMS_OK)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		n = s->certificate.len - 64;
		memcpy(f, s->certificate.at, n);
		f[n - 1] = 5;
		memcpy(f + n, (uint8_t[]){ (uint8_t)(unknown[i].type >> 8), 0xff, 0, 1, 9 }, 5);
		n += 5;
		crypto_sign_detached(f + n, NULL, f, n, s->publisher_sk);
		hex(out, unknown[i].name, f, n + 64);
	}
	return certificate_decode(&again, f, n + 64) == KMS_E_SCHEMA ? 0 : -1;
}

static int
print_certificate(FILE *out, struct scene *s)
{
	size_t signed_len = s->certificate.len - 64;

	hex(out, "certificate_signed", s->certificate.at, signed_len);
	hex(out, "certificate_signature", s->certificate.at + signed_len, 64);
	hex(out, "certificate", s->certificate.at, s->certificate.len);
	return print_entitled(out, s);
}

static void
state_exchange(FILE *out, const struct scene *s, const char *name, const struct exchange *e)
{
	uint8_t statement[EXCHANGE_SIZE];

	exchange_encode(statement, e);
	crypto_sign_detached(
	    statement + EXCHANGE_SIGNED, NULL, statement, EXCHANGE_SIGNED, s->sign_sk);
	hex(out, name, statement, EXCHANGE_SIZE);
}

/* Well signed, and yet wrong, but for the first. */
static int
print_exchange(FILE *out, struct scene *s)
{
	struct exchange e = s->exchange;

	hex(out, "exchange_key_id", e.key_id, EXCHANGE_KEY_ID);
	hex(out, "exchange_statement", s->statement, EXCHANGE_SIZE);
	e.key_id[0] ^= 1;
	state_exchange(out, s, "exchange_wrong_key_id", &e);
	e = s->exchange;
	e.host_id[0] ^= 1;
	state_exchange(out, s, "exchange_wrong_host_id", &e);
	e = s->exchange;
	e.until = e.made - 1;
	state_exchange(out, s, "exchange_until_before_made", &e);
	e = s->exchange;
	e.ends = e.made + 32 * 86400 + 1;
	state_exchange(out, s, "exchange_too_long", &e);
	e = s->exchange;
	memset(e.pk, 0, 32);
	exchange_key_id(e.key_id, e.pk);
	state_exchange(out, s, "exchange_small_order", &e);
	e = s->exchange;
	e.lowest = 3;
	state_exchange(out, s, "exchange_versions_reversed", &e);
	e.highest = 4;
	fprintf(out, "# a host that speaks versions 3 and 4 only\n");
	state_exchange(out, s, "exchange_newer_versions", &e);
	return 0;
}

static int
print_hello(FILE *out, struct scene *s)
{
	struct message_hello hello;
	struct message_hello_reply reply = { .time = NOW,
		.exchange = s->statement,
		.certificate = s->certificate.at,
		.certificate_len = s->certificate.len };
	uint8_t f[FRAME_HEADER + FRAME_MAX_REPLY];
	size_t n;

	memcpy(hello.publisher, s->publisher.id, 8);
	n = message_hello_encode(f + FRAME_HEADER, sizeof(f) - FRAME_HEADER, &hello);
	frame_encode(f, FRAME_HELLO, (uint32_t)n);
	hex(out, "hello_frame", f, FRAME_HEADER + n);
	n = message_hello_reply_encode(f + FRAME_HEADER, sizeof(f) - FRAME_HEADER, &reply);
	frame_encode(f, FRAME_HELLO_REPLY, (uint32_t)n);
	hex(out, "hello_reply_frame", f, FRAME_HEADER + n);
	return n == 0 ? -1 : 0;
}

/* From one key to the next, whose seed and id count up from start. */
static void
rotate(FILE *out, uint8_t octets[ROTATION_SIZE], struct rotation *r, uint8_t sk[64], uint8_t start,
    const char *which)
{
	uint8_t seed[32], old_sk[64];
	char name[40];

	memcpy(old_sk, sk, 64);
	count_up(seed, 32, start);
	count_up(r->new.id, 8, (uint8_t)(start + 0x60));
	crypto_sign_seed_keypair(r->new.pk, sk, seed);
	rotation_encode(octets, r);
	crypto_sign_detached(octets + ROTATION_OLD_SIGNS, NULL, octets, ROTATION_OLD_SIGNS, old_sk);
	crypto_sign_detached(octets + ROTATION_NEW_SIGNS, NULL, octets, ROTATION_NEW_SIGNS, sk);
	snprintf(name, sizeof(name), "%s_publisher_seed", which);
	hex(out, name, seed, 32);
	snprintf(name, sizeof(name), "%s_publisher_public", which);
	hex(out, name, r->new.pk, 32);
	snprintf(name, sizeof(name), "%s_publisher_id", which);
	hex(out, name, r->new.id, 8);
}

static int
print_rotation(FILE *out, struct scene *s)
{
	struct message_hello_reply reply = { .time = NOW,
		.exchange = s->statement,
		.certificate = s->certificate.at,
		.certificate_len = s->certificate.len };
	struct rotation r = { .old = s->publisher, .from = NOW, .until = NOW + 365 * 86400 };
	struct publisher_keys keys = { .key = s->publisher };
	uint8_t sk[64], octets[2][ROTATION_SIZE], f[FRAME_HEADER + FRAME_MAX_REPLY];
	size_t n;

	memcpy(sk, s->publisher_sk, 64);
	rotate(out, octets[0], &r, sk, 0x91, "new");
	hex(out, "rotation_statement", octets[0], ROTATION_SIZE);
	reply.rotations[reply.rotation_count++] = octets[0];
	n = message_hello_reply_encode(f + FRAME_HEADER, sizeof(f) - FRAME_HEADER, &reply);
	frame_encode(f, FRAME_HELLO_REPLY, (uint32_t)n);
	hex(out, "hello_reply_rotation_frame", f, FRAME_HEADER + n);
	r = (struct rotation){ .old = r.new, .from = r.until, .until = r.until + 365 * 86400 };
	rotate(out, octets[1], &r, sk, 0x71, "newest");
	hex(out, "rotation_statement_2", octets[1], ROTATION_SIZE);
	reply.rotations[reply.rotation_count++] = octets[1];
	n = message_hello_reply_encode(f + FRAME_HEADER, sizeof(f) - FRAME_HEADER, &reply);
	frame_encode(f, FRAME_HELLO_REPLY, (uint32_t)n);
	hex(out, "hello_reply_two_rotations_frame", f, FRAME_HEADER + n);
	return publisher_keys_chain(&keys, octets[0], 2);
}

static int
print_batch(FILE *out, struct scene *s)
{
	char name[32];

	for (unsigned i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "entry_%u", i);
		hex(out, name, s->entry[i].at, s->entry[i].len);
		if (s->aside[i].len > 0) {
			snprintf(name, sizeof(name), "aside_%u", i);
			hex(out, name, s->aside[i].at, s->aside[i].len);
		}
		snprintf(name, sizeof(name), "leaf_%u", i);
		hex(out, name, s->leaf[i], 32);
	}
	hex(out, "root", s->header.root, 32);
	fprintf(out, "# header of the batch before, for the chain\n");
	hex(out, "batch_header_1", s->first_header, BATCH_HEADER);
	hex(out, "batch_header_1_hash", s->previous, 32);
	hex(out, "batch_header", s->header_octets, BATCH_HEADER);
	hex(out, "batch_signature", s->signature, BATCH_SIGNATURE);
	for (unsigned i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "proof_%u", i);
		hex(out, name, s->proof[i], s->proof_count[i] * MERKLE_HASH);
	}
	return 0;
}

static int
print_about(FILE *out, struct scene *s)
{
	static const struct {
		const char *name;
		uint8_t kind;
		uint64_t value;
	} rows[] = {
		{ "entry_revoke", ENTRY_REVOKE, 0 },
		{ "entry_unrevoke", ENTRY_UNREVOKE, 0 },
		{ "entry_forget", ENTRY_FORGET, 0 },
		{ "entry_reclaim", ENTRY_RECLAIM, 0 },
		{ "entry_hold", ENTRY_HOLD, NOW + 7 * 86400 },
		{ "entry_erase", ENTRY_ERASE, NOW },
		{ "entry_expire", ENTRY_EXPIRE, NOW - 7 * 86400 },
	};
	uint8_t octets[ENTRY_ABOUT_MAX];
	size_t n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry_about e = { .kind = rows[i].kind, .time = NOW, .counter = 7 + i };

		if (e.kind != ENTRY_EXPIRE)
			memcpy(e.cmid, s->cmid, 16);
		e.value = rows[i].value;
		e.through = e.kind == ENTRY_ERASE    ? 0
			    : e.kind == ENTRY_EXPIRE ? ENTRY_EXPIRE_REFUSALS | ENTRY_EXPIRE_RELAYED
						     : OURS;
		if (e.kind == ENTRY_RECLAIM)
			count_up(e.other, 16, 0x40);
		if (entry_about_ends_seat(e.kind)) {
			memcpy(e.product, s->cert.products[0], 16);
			memcpy(e.publisher, s->publisher.id, 8);
			e.pool = 1;
			e.class = 5;
			strcpy(e.reason, "M\xc3\xbcller left");
		}
		if ((n = entry_about_encode(octets, sizeof(octets), &e)) == 0)
			return -1;
		hex(out, rows[i].name, octets, n);
	}
	return 0;
}

/* What clients do beside LEASE and SEEN: entry_1 as another kind, without what counts. */
static int
print_client_kinds(FILE *out, const struct scene *s)
{
	static const struct {
		const char *name;
		uint8_t kind, operation;
		uint32_t status;
	} rows[] = {
		{ "entry_release", ENTRY_RELEASE, MESSAGE_RELEASE, KMS_OK },
		{ "entry_refusal", ENTRY_REFUSAL, MESSAGE_ACTIVATE, KMS_E_CAPACITY },
	};
	uint8_t octets[ENTRY_CLIENT_MAX];
	struct entry_client e;
	size_t n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (entry_client_decode(&e, s->entry[1].at, s->entry[1].len) != KMS_OK)
			return -1;
		e.kind = rows[i].kind;
		e.operation = rows[i].operation;
		e.status = rows[i].status;
		e.expires = e.renew_after = 0;
		e.until = e.width = 0;
		if ((n = entry_client_encode(octets, sizeof(octets), &e)) == 0)
			return -1;
		hex(out, rows[i].name, octets, n);
	}
	return 0;
}

/* By a version that nobody has written yet: entry_3 with a critical TLV, and with a flag. */
static int
print_newer(FILE *out, const struct scene *s)
{
	static const uint8_t critical[4] = { 0x80, 0x02, 0, 0 };
	uint8_t octets[ENTRY_MAX];
	size_t n = s->entry[3].len;

	if (n > sizeof(octets) - sizeof(critical))
		return -1;
	memcpy(octets, s->entry[3].at, n);
	memcpy(octets + n, critical, sizeof(critical));
	hex(out, "entry_critical_tlv", octets, n + sizeof(critical));
	memcpy(octets, s->entry[3].at, n);
	octets[2] |= 0x01;
	hex(out, "entry_unknown_flag", octets, n);
	return 0;
}

static int
print_certificate_entry(FILE *out, const struct scene *s)
{
	struct entry_admin e = { .kind = ENTRY_CERTIFICATE,
		.time = NOW,
		.text = "Acme: confirmation 1, serial 1",
		.blob = s->certificate.at,
		.blob_len = s->certificate.len };
	uint8_t octets[ENTRY_MAX];
	size_t n;

	memcpy(e.subject, s->cert.host_key_id, 16);
	count_up(e.digest, 32, 0x61);
	e.text_len = strlen(e.text);
	if ((n = entry_admin_encode(octets, sizeof(octets), &e)) == 0)
		return -1;
	hex(out, "entry_certificate", octets, n);
	return 0;
}

static int
print_blobs(FILE *out, struct scene *s)
{
	static const struct {
		const char *name, *text;
		uint8_t kind;
		size_t blob;
	} rows[] = {
		{ "entry_key", "Acme: host key", ENTRY_KEY, 0 },
		{ "entry_policy", "Acme: 1.2", ENTRY_POLICY, 0 },
		{ "entry_key_remove", "Acme: host key", ENTRY_KEY_REMOVE, 0 },
		{ "entry_rotation", "", ENTRY_ROTATION, 232 },
		{ "entry_revocations", "", ENTRY_REVOCATIONS, 4 },
		{ "entry_witness", "", ENTRY_WITNESS, 172 },
		{ "entry_restored", "", ENTRY_RESTORED, 17 },
		{ "entry_clock", "", ENTRY_CLOCK, 16 },
		{ "entry_counters", "", ENTRY_COUNTERS, 36 },
	};
	uint8_t octets[512], blob[256];
	size_t n;

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry_admin e = { .kind = rows[i].kind, .time = NOW, .text = rows[i].text };

		count_up(blob, sizeof(blob), (uint8_t)(0xf1 + 0x10 * (i == 6)));
		count_up(e.subject, 16, (uint8_t)(0x10 * i));
		count_up(e.digest, 32, (uint8_t)(0x21 + i));
		e.text_len = strlen(e.text);
		e.blob = blob;
		e.blob_len = rows[i].blob;
		if (e.kind == ENTRY_RESTORED)
			blob[16] = RESTORED_TAIL;
		if (e.kind == ENTRY_COUNTERS) /* the second behind the first */
			blob[20] = 0xff;
		if ((n = entry_admin_encode(octets, sizeof(octets), &e)) == 0)
			return -1;
		hex(out, rows[i].name, octets, n);
	}
	return 0;
}

/* Parts of a base; KEPT has an entry that another vector has, too. */
static int
print_base(FILE *out)
{
	static const struct {
		const char *name;
		uint8_t part;
		size_t len; /* behind part and version */
	} rows[] = {
		{ "entry_base_head", BASE_HEAD, 96 },
		{ "entry_base_kept", BASE_KEPT, BASE_KEPT_HEAD },
		{ "entry_base_client", BASE_CLIENT, 235 },
		{ "entry_base_sums", BASE_SUMS, 0 },
		{ "entry_base_end", BASE_END, 12 },
	};
	uint8_t octets[1024], blob[512], clock[16];
	struct entry_admin kept = { .kind = ENTRY_CLOCK,
		.time = NOW,
		.text = "",
		.blob = clock,
		.blob_len = sizeof(clock) };
	size_t n;

	count_up(clock, sizeof(clock), 0xf1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry_admin e = {
			.kind = ENTRY_BASE, .time = NOW, .text = "", .blob = blob
		};

		blob[0] = rows[i].part;
		blob[1] = BASE_VERSION;
		count_up(blob + BASE_PREFIX, rows[i].len, (uint8_t)(0x11 * i));
		e.blob_len = BASE_PREFIX + rows[i].len;
		if (rows[i].part == BASE_KEPT)
			e.blob_len +=
			    entry_admin_encode(blob + e.blob_len, sizeof(blob) - e.blob_len, &kept);
		count_up(e.subject, 16, 0x90);
		if (rows[i].part == BASE_END)
			count_up(e.digest, 32, 0x41);
		if ((n = entry_admin_encode(octets, sizeof(octets), &e)) == 0)
			return -1;
		hex(out, rows[i].name, octets, n);
	}
	return 0;
}

/* What a host writes that counts together with others. */
static int
print_share(FILE *out)
{
	static const struct {
		const char *name, *text;
		uint8_t kind, octet; /* SHARE, ALONE */
	} rows[] = {
		{ "entry_share", "acme-1", ENTRY_SHARE, 1 },
		{ "entry_heard", "", ENTRY_HEARD, 0 },
		{ "entry_give", "", ENTRY_GIVE, 0 },
		{ "entry_alone", "M\xc3\xbcller pulled the cable", ENTRY_ALONE, 1 },
		{ "entry_alone_over", "", ENTRY_ALONE, 0 },
		{ "entry_held", "", ENTRY_HELD, 0 },
	};
	struct entry_heard heard[2] = { { .number = 7 },
		{ .number = UINT64_C(0x0102030405060708) } };
	struct entry_give give = { .pool = 3, .rights = 0x01020304 };
	struct entry_held held = { .pool = 3, .rights = 12, .until = NOW + 604800 };
	uint8_t octets[512], blob[256];
	size_t n;

	for (unsigned i = 0; i < 2; i++) {
		count_up(heard[i].host, 16, (uint8_t)(0x10 + 0x30 * i));
		count_up(heard[i].hash, 32, (uint8_t)(0x51 + 0x30 * i));
	}
	count_up(give.publisher, 8, 0xa1);
	count_up(give.to, 16, 0x40);
	count_up(held.publisher, 8, 0xa1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry_admin e = { .kind = rows[i].kind, .time = NOW, .text = rows[i].text };

		count_up(e.subject, 16, 0x90);
		e.text_len = strlen(e.text);
		e.blob = blob;
		blob[0] = rows[i].octet;
		e.blob_len = e.kind == ENTRY_HEARD  ? entry_heard_put(blob, sizeof(blob), heard, 2)
			     : e.kind == ENTRY_GIVE ? entry_give_put(blob, sizeof(blob), &give)
			     : e.kind == ENTRY_HELD ? entry_held_put(blob, sizeof(blob), &held)
						    : 1;
		if ((n = entry_admin_encode(octets, sizeof(octets), &e)) == 0)
			return -1;
		hex(out, rows[i].name, octets, n);
	}
	return 0;
}

/* What the relay records of one address: its commitment is the subject of both. */
static int
print_relayed(FILE *out)
{
	struct entry_relayed x = { .time = NOW,
		.outcome = 1,
		.major = 6,
		.sent = 260,
		.received = 188,
		.latency = 1500,
		.address = { [10] = 0xff, 0xff, 192, 0, 2, 10 },
		.port = 1688,
		.name = "kms.example" };
	struct entry_relayed_name m = { .time = NOW, .count = 25, .told = NOW - 60 };
	struct aside a = { .address = { [10] = 0xff, 0xff, 192, 0, 2, 20 } };
	uint8_t octets[512], aside[ASIDE_MAX];
	struct item item = { .entry = octets, .aside = aside };
	uint8_t whole[1024];

	count_up(a.salt, 16, 0x60);
	count_up(m.cmid, 16, 0x90);
	commit_address(x.subject, a.salt, a.address);
	memcpy(m.subject, x.subject, COMMITMENT);
	item.entry_len = entry_relayed_encode(octets, sizeof(octets), &x);
	item.aside_len = aside_encode(aside, sizeof(aside), &a);
	hex(out, "item_relayed", whole, item_encode(whole, sizeof(whole), &item));
	strcpy(a.name, "pc-20");
	commit_name(m.name, a.salt, a.name);
	item.entry_len = entry_relayed_name_encode(octets, sizeof(octets), &m);
	item.aside_len = aside_encode(aside, sizeof(aside), &a);
	hex(out, "item_relayed_name", whole, item_encode(whole, sizeof(whole), &item));
	return item.entry_len == 0 ? -1 : 0;
}

static int
print_entries(FILE *out, struct scene *s)
{
	uint8_t whole[ITEM_CLIENT_MAX];
	struct item item = { s->entry[OURS].at, s->entry[OURS].len, s->aside[OURS].at,
		s->aside[OURS].len };
	size_t n = item_encode(whole, sizeof(whole), &item);

	if (n == 0 || print_about(out, s) != 0 || print_client_kinds(out, s) != 0 ||
	    print_certificate_entry(out, s) != 0 || print_newer(out, s) != 0 ||
	    print_blobs(out, s) != 0 || print_base(out) != 0 || print_share(out) != 0 ||
	    print_relayed(out) != 0)
		return -1;
	fprintf(out, "# entry_3 of the batch with its aside; then with the aside erased\n");
	hex(out, "item", whole, n);
	memset(whole + n - item.aside_len, 0, item.aside_len);
	hex(out, "item_erased", whole, n);
	return 0;
}

/* Two headers of batch 2, both signed: the scene's, and one of a minute later. */
static void
make_pair(const struct scene *s, uint8_t pair[2][MESSAGE_HEADER_SIZE])
{
	struct batch_header later = s->header;

	later.time += 60;
	memcpy(pair[0], s->header_octets, BATCH_HEADER);
	batch_header_encode(pair[1], &later);
	for (unsigned i = 0; i < 2; i++)
		crypto_sign_detached(
		    pair[i] + BATCH_HEADER, NULL, pair[i], BATCH_HEADER, s->sign_sk);
}

static int
print_evidence(FILE *out, struct scene *s)
{
	uint8_t file[EVIDENCE_FILE_MAX], pair[2][MESSAGE_HEADER_SIZE];
	struct wire_writer w;

	make_pair(s, pair);
	wire_writer_init(&w, file, sizeof(file));
	wire_put(&w, "KMSEVID1", 8);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)s->certificate.len);
	wire_put(&w, s->certificate.at, s->certificate.len);
	wire_put(&w, pair, sizeof(pair));
	hex(out, "evidence_file", file, wire_written(&w));
	return w.bad ? -1 : 0;
}

static int
print_lease(FILE *out, struct scene *s)
{
	hex(out, "lease_bundle", s->bundle.at, s->bundle.len);
	hex(out, "lease_file", s->file.at, s->file.len);
	return print_evidence(out, s);
}

/* Every TLV, and what an unknown critical one looks like. */
static int
print_full_request(FILE *out, struct message_request *m)
{
	uint8_t text[MESSAGE_REQUEST_TEXT + TAIL_REQUEST], bytes[MESSAGE_HEADER_SIZE];
	uint8_t ids[2 * 16];
	struct wire_writer w;
	size_t n;

	count_up(bytes, sizeof(bytes), 0x41);
	m->witness = m->header = m->echo = m->binding = bytes;
	strcpy(m->user, "ann");
	m->borrow = 20160;
	m->flags = MESSAGE_VM | MESSAGE_STATELESS;
	count_up(ids, sizeof(ids), 0xc1);
	m->after = ids;
	m->after_count = 2;
	if ((n = message_request_encode(text, sizeof(text), m)) == 0)
		return -1;
	hex(out, "request_full_text", text, n);
	m->borrow = 0;
	n = message_request_encode(text, sizeof(text), m);
	wire_writer_init(&w, text + n, sizeof(text) - n);
	wire_put_tlv(&w, 0x7fff, "skipped", 7);
	hex(out, "request_unknown_text", text, n + wire_written(&w));
	wire_put_tlv(&w, 0x8fff, "\0\0\0\x3c", 4);
	hex(out, "request_critical_text", text, n + wire_written(&w));
	return w.bad ? -1 : 0;
}

static int
print_request(FILE *out, struct scene *s)
{
	struct message_request m = { .operation = MESSAGE_ACTIVATE,
		.state = MESSAGE_GRACE,
		.grace_minutes = 43200,
		.time = NOW,
		.sequence = OURS };
	uint8_t text[FRAME_MAX_REQUEST], f[FRAME_HEADER + FRAME_MAX_REQUEST], nonce[SEAL_NONCE];
	size_t n, len;

	count_up(m.request_id, 16, 0xa0 + OURS);
	memcpy(m.product, s->cert.products[0], 16);
	strcpy(m.name, "host-3.example");
	hash16_salt(m.salt, s->client_sk);
	m.highest_version = FRAME_VERSION;
	count_up(nonce, sizeof(nonce), 0x30);
	n = message_request_encode(text, sizeof(text), &m);
	hex(out, "request_text", text, n);
	hex(out, "request_nonce", nonce, sizeof(nonce));
	len = seal_request(f, sizeof(f), &s->session, s->host_id, s->exchange.key_id, s->client_pk,
	    nonce, text, n);
	hex(out, "request_frame", f, len);
	return n == 0 || len == 0 || print_full_request(out, &m) != 0 ? -1 : 0;
}

static int
print_one_reply(
    FILE *out, struct scene *s, const char *name, const struct message_reply *m, uint8_t first)
{
	uint8_t text[FRAME_MAX_REPLY], f[FRAME_HEADER + FRAME_MAX_REPLY], nonce[SEAL_NONCE];
	char line[64];
	size_t n, len;

	count_up(nonce, sizeof(nonce), first);
	n = message_reply_encode(text, sizeof(text), m);
	snprintf(line, sizeof(line), "%s_text", name);
	hex(out, line, text, n);
	snprintf(line, sizeof(line), "%s_nonce", name);
	hex(out, line, nonce, sizeof(nonce));
	len = seal_reply(f, sizeof(f), &s->session, nonce, text, n);
	snprintf(line, sizeof(line), "%s_frame", name);
	hex(out, line, f, len);
	return n == 0 || len == 0 ? -1 : 0;
}

/* FILE with two hosts: one that wants the header, and one that there is evidence against. */
static int
print_hosts(FILE *out, struct scene *s, struct state *st)
{
	static uint8_t file[STATE_MAX];
	size_t len;

	st->host_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct state_host *h = &st->hosts[i];

		count_up(h->id, sizeof(h->id), 0x11);
		h->last_use = NOW - i;
		make_pair(s, h->contradiction);
		memcpy(h->highest, h->contradiction[0], sizeof(h->highest));
	}
	st->hosts[0].header_wanted = true;
	st->hosts[1].evidence = true;
	memcpy(st->hosts[1].id, s->host_id, sizeof(st->hosts[1].id));
	len = state_encode(file, sizeof(file), st);
	hex(out, "client_state_hosts", file, len);
	return len > 0 ? 0 : -1;
}

/* FILE and FILE.key of kms.state(5). */
static int
print_client(FILE *out, struct scene *s)
{
	static struct state st;
	static uint8_t file[STATE_MAX];
	struct secret key = { .sequence = OURS,
		.pending_operation = MESSAGE_RENEW,
		.pending_time = NOW,
		.borrow_minutes = 0 };
	struct after *after = &key.after;
	struct asked q = { .id = { 1 }, .sequence = OURS - 2, .operation = MESSAGE_ACTIVATE };
	uint8_t bytes[SECRET_MAX];
	size_t len;

	memcpy(key.sk, s->client_sk, 32);
	count_up(key.pending_id, 16, 0xa0 + OURS);
	count_up(key.pending_product, 16, 0x50);
	count_up(q.product, 16, 0x50);
	after_sending(after, s->host_id, &q, NOW - 2);
	after_answered(after, s->host_id, true, true);
	q.id[0]++, q.sequence++;
	after_sending(after, s->host_id, &q, NOW - 1);
	after_answered(after, s->host_id, false, true);
	after->partial = true;
	after_sending(after, q.product, &q, NOW - 1);
	memcpy(q.id, key.pending_id, 16);
	q.sequence++;
	after_sending(after, s->host_id, &q, NOW);
	hex(out, "client_key", bytes, secret_encode(bytes, &key));
	memset(&st, 0, sizeof(st));
	memcpy(st.pk, s->client_pk, 32);
	st.highest_seen = NOW;
	st.first_use = NOW - 3600;
	st.last_exchange = NOW;
	st.last_attempt = NOW;
	st.count = 27;
	st.required = 25;
	st.activation_interval = 120;
	st.renewal_interval = 10080;
	strcpy(st.host, "192.0.2.1 port 1688");
	memcpy(st.certificate, s->certificate.at, st.certificate_len = s->certificate.len);
	memcpy(
	    st.lease_certificate, s->certificate.at, st.lease_certificate_len = s->certificate.len);
	memcpy(st.bundle, s->bundle.at, st.bundle_len = s->bundle.len);
	len = state_encode(file, sizeof(file), &st);
	hex(out, "client_state", file, len);
	return len > 0 ? print_hosts(out, s, &st) : -1;
}

static int
print_reply(FILE *out, struct scene *s)
{
	struct message_reply m = { .status = KMS_OK,
		.time = NOW,
		.count = 27,
		.required = 25,
		.activation_interval = 120,
		.renewal_interval = 10080,
		.bundle = s->bundle.at,
		.bundle_len = s->bundle.len };

	count_up(m.request_id, 16, 0xa0 + OURS);
	if (print_one_reply(out, s, "reply", &m, 0x90) != 0)
		return -1;
	m.status = KMS_E_COUNT_TOO_LOW;
	m.count = 24;
	m.bundle = NULL;
	m.bundle_len = 0;
	if (print_one_reply(out, s, "reply_count_too_low", &m, 0xb0) != 0)
		return -1;
	m.status = KMS_E_SEQUENCE;
	m.highest_sequence = 41;
	m.retry_after = 30;
	if (print_one_reply(out, s, "reply_sequence", &m, 0xd0) != 0)
		return -1;
	m.challenge = s->client_pk;
	m.show = 77;
	return print_one_reply(out, s, "reply_full", &m, 0xe0);
}

static int
print_error(FILE *out, struct scene *s)
{
	struct frame_error e = { .status = KMS_E_OVERLOAD, .retry_after = 15, .time = NOW };
	uint8_t f[FRAME_ERROR_SIZE];

	(void)s;
	frame_error_encode(f, &e);
	hex(out, "error_overload_frame", f, sizeof(f));
	e = (struct frame_error){ .status = KMS_E_UNKNOWN_HOST, .time = NOW };
	frame_error_encode(f, &e);
	hex(out, "error_unknown_host_frame", f, sizeof(f));
	e.status = KMS_E_UNKNOWN_KEY;
	frame_error_encode(f, &e);
	hex(out, "error_unknown_key_frame", f, sizeof(f));
	e = (struct frame_error){ .version = 1, .status = KMS_E_BAD_VERSION, .time = NOW };
	frame_error_encode(f, &e);
	fprintf(out, "# in answer to a frame of version 1\n");
	hex(out, "error_bad_version_frame", f, sizeof(f));
	return 0;
}

/* What minisign -S writes (-l: legacy), from the fixed key. */
static size_t
minisign(char *out, size_t size, const struct scene *s, const char *file, const char *algorithm)
{
	static const char comment[] = "timestamp:1800000000\tfile:pack.kmspolicy";
	uint8_t sig[74], text[64 + sizeof(comment) - 1], global[64], digest[64];
	char sig64[128], global64[128];

	memcpy(sig, algorithm, 2);
	memcpy(sig + 2, s->publisher.id, 8);
	crypto_generichash(digest, 64, (const uint8_t *)file, strlen(file), NULL, 0);
	if (algorithm[1] == 'D')
		crypto_sign_detached(sig + 10, NULL, digest, 64, s->publisher_sk);
	else
		crypto_sign_detached(
		    sig + 10, NULL, (const uint8_t *)file, strlen(file), s->publisher_sk);
	memcpy(text, sig + 10, 64);
	memcpy(text + 64, comment, sizeof(comment) - 1);
	crypto_sign_detached(global, NULL, text, sizeof(text), s->publisher_sk);
	sodium_bin2base64(sig64, sizeof(sig64), sig, 74, sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(global64, sizeof(global64), global, 64, sodium_base64_VARIANT_ORIGINAL);
	return (size_t)snprintf(out, size,
	    "untrusted comment: signature from the example publisher\n%s\ntrusted comment: %s\n%s\n",
	    sig64, comment, global64);
}

static int
print_minisign(FILE *out, struct scene *s)
{
	static const char file[] = "[pack]\nid = example\n";
	char text[1024], line[MINISIG_KEY_LINE + 1];
	int len;

	hex(out, "file", file, sizeof(file) - 1);
	minisig_key_format(line, &s->publisher);
	len = snprintf(text, sizeof(text),
	    "untrusted comment: minisign public key of the example publisher\n%s\n", line);
	hex(out, "public_key_file", text, (size_t)len);
	hex(out, "signature_file", text, minisign(text, sizeof(text), s, file, "ED"));
	hex(out, "signature_file_legacy", text, minisign(text, sizeof(text), s, file, "Ed"));
	return 0;
}

static const struct {
	const char *file;
	const char *about;
	int (*print)(FILE *out, struct scene *s);
} printers[] = {
	{ "keys", "key pairs, ids and session keys", print_keys },
	{ "certificate", "host certificate signed by publisher_seed", print_certificate },
	{ "exchange", "statements of the host's exchange key", print_exchange },
	{ "hello", "HELLO and HELLO_REPLY frames", print_hello },
	{ "rotation", "Rotation statement, and a HELLO_REPLY with it", print_rotation },
	{ "request", "request text and the REQUEST frame that seals it", print_request },
	{ "batch", "batch 2 of the host: five entries, tree, header, signature, proofs",
	    print_batch },
	{ "entries", "entries of the other kinds, and items", print_entries },
	{ "lease", "entry 3 of the batch as a lease bundle and as a lease file", print_lease },
	{ "client", "a client's two files: FILE.key and FILE", print_client },
	{ "reply", "reply texts and the REPLY frames that seal them", print_reply },
	{ "error", "ERROR frames", print_error },
	{ "minisign", "a file of the publisher and its signatures (-S, and -S -l)",
	    print_minisign },
};

const char *const vectors_files[] = { "keys", "certificate", "exchange", "hello", "rotation",
	"request", "batch", "entries", "lease", "client", "reply", "error", "minisign", NULL };

int
vectors_print(FILE *out, const char *file)
{
	static struct scene scene;

	for (size_t i = 0; i < sizeof(printers) / sizeof(printers[0]); i++)
		if (strcmp(printers[i].file, file) == 0) {
			if (make_scene(&scene) != 0)
				return -1;
			fprintf(out, "# %s. Written by make update-vectors.\n", printers[i].about);
			return printers[i].print(out, &scene);
		}
	return -1;
}
