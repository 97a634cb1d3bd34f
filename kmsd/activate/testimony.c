/*
 * testimony.c - see testimony.h. The cheap checks come first: the look-ups, then the shape of the
 * header, then the budget, and the signature last.
 */
#include "kmsd/activate/testimony.h"

#include <stdio.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "libkms/base/address.h"
#include "libkms/base/hex.h"
#include "libkms/base/wire.h"
#include "libkms/core/batch.h"
#include "policy/values.h"

struct claim {
	uint64_t number;
	uint8_t hash[32];
};

static bool
read_claim(struct claim *c, const uint8_t octets[MESSAGE_WITNESS_SIZE])
{
	struct wire_reader r;

	wire_reader_init(&r, octets, MESSAGE_WITNESS_SIZE);
	c->number = wire_get_u64(&r);
	wire_get(&r, c->hash, sizeof(c->hash));
	return c->number != 0;
}

/* Does the journal have that batch, or an entry of it? When it cannot be read, nobody knows. */
static bool
known(struct activate *a, const struct claim *c)
{
	struct kmsdb_witness recorded;
	uint8_t hash[KMSDB_HASH];
	int rc = kmsdb_batch_hash(a->db, c->number, hash);

	if (rc == KMS_OK && memcmp(hash, c->hash, sizeof(hash)) == 0)
		return true;
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return true;
	return kmsdb_witness_get(a->db, c->number, c->hash, &recorded) != KMS_E_NOT_FOUND;
}

/* Is it the header that the client claims, of this host? */
static bool
fits(struct activate *a, const struct claim *c, const uint8_t *header, struct batch_header *out)
{
	uint8_t hash[32];

	batch_header_hash(hash, header);
	return memcmp(hash, c->hash, sizeof(hash)) == 0 &&
	       batch_header_decode(out, header) == KMS_OK && out->number == c->number &&
	       memcmp(out->host_id, host_identity_id(a->key), 16) == 0;
}

static const struct {
	const char *what, *next;
} says[HISTORY_GRADES] = {
	[HISTORY_NOTE] = { "which this journal lost in the restore that it records",
	    "there is nothing to do" },
	[HISTORY_UNEXPLAINED] = { "which this journal does not have: the ledger was set back (a snapshot of the machine, a copied directory), or another machine has the keys of this host",
	    "if there is a newer ledger, stop kmsd, move kmsdb away, and run kmsctl ledger restore; if another machine has these keys, stop it; and tell the publisher" },
	[HISTORY_CONTRADICTION] = { "but this journal has a different batch of that number, and was not set back: two copies of this host are running",
	    "find the other copy and stop it; tell the publisher, whose audit shows it" },
};

static void
tell(struct activate *a, const struct testimony *w, const struct claim *c,
    const struct batch_header *h)
{
	struct kmsdb_witness one = { .number = c->number, .time = h->time, .batch = UINT64_MAX };
	char cmid[33], time[VALUE_TIME + 1] = "", address[ADDRESS_TEXT], text[800];
	enum history_grade grade;

	memcpy(one.hash, c->hash, sizeof(one.hash));
	if (kmsdb_grade(a->db, &one, &grade) != KMS_OK)
		return;
	hex_format(cmid, w->cmid, 16);
	value_time_format(time, h->time);
	snprintf(text, sizeof(text),
	    "client %s (%s, %s) holds batch %llu of %s, signed by this host, %s: %s", cmid, w->name,
	    address_text(address, w->address), (unsigned long long)c->number, time,
	    says[grade].what, says[grade].next);
	/* A name of their own: what is to be read today must not be hidden by notes. */
	if (grade == HISTORY_NOTE)
		log_limited(LOG_NOTICE, "history-note", "%s", text);
	else
		log_limited(LOG_ERR, "history", "%s", text);
}

static int
record(struct activate *a, const struct testimony *w, const struct claim *c)
{
	struct entry_admin e = {
		.kind = ENTRY_WITNESS, .blob = w->header, .blob_len = MESSAGE_HEADER_SIZE
	};

	memcpy(e.subject, w->cmid, sizeof(e.subject));
	memcpy(e.digest, c->hash, sizeof(e.digest));
	return activate_stage_admin(a, &e);
}

uint64_t
testimony_take(struct activate *a, const struct testimony *w)
{
	struct batch_header header;
	struct claim c;

	if (!read_claim(&c, w->claim) || known(a, &c))
		return 0;
	if (w->header == NULL)
		return c.number;
	if (!fits(a, &c, w->header, &header))
		return 0;
	/* It is asked for again, as is one that finds no room. */
	if (!budget_take_witness(&a->budget, &a->config, w->cmid, w->address, a->now))
		return c.number;
	if (batch_verify(w->header, w->header + BATCH_HEADER, host_identity_sign_pk(a->key)) !=
	    KMS_OK)
		return 0;
	if (record(a, w, &c) != KMS_OK)
		return c.number;
	tell(a, w, &c, &header);
	return 0;
}
