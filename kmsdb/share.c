/*
 * share.c - see share.h.
 */
#include "kmsdb/share.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/erase.h"
#include "kmsdb/follow.h"
#include "libkms/core/certificate.h"

/* -- taking -- */

/* Not while what is on disk is not the chain: kmsdb_share_follow failed. */
static bool
takes(const struct kmsdb *db, unsigned number)
{
	return number > 0 && number < db->chains.count && db->foreign[number] != NULL &&
	       foreign_journal(db->foreign[number]) != NULL;
}

int
kmsdb_share_follow(struct kmsdb *db, const uint8_t sign_pk[32], struct fault *fault)
{
	uint8_t host[16];
	unsigned number;
	int rc;

	certificate_host_id(host, sign_pk);
	if (db->journal == NULL)
		return fault_set(fault, KMS_E_ARGUMENT, "the ledger is open to read");
	number = chains_find(&db->chains, host);
	if (number == 0)
		return fault_set(fault, KMS_E_ARGUMENT, "the key is this host's own");
	if (takes(db, number))
		return KMS_OK;
	/* It restates rows that are only of the own chain. */
	if (db->base.begun != 0)
		return fault_set(fault, KMS_E_EXISTS,
		    "old segments of the journal are being dropped: try again when that is done");
	if ((rc = foreign_make(db->dirfd, sign_pk, host, fault)) != KMS_OK ||
	    (rc = follow_needs_rows(db, fault)) != KMS_OK ||
	    (rc = follow_add(db, host, &number, fault)) != KMS_OK)
		return rc;
	return follow_chain(db, number, UINT64_MAX, true, NULL, NULL, fault);
}

/* What is on disk and not in the rows: memory, or room in the index, was short. */
static int
catch_up(struct kmsdb *db, unsigned number, struct fault *fault)
{
	if (db->chains.list[number].last == foreign_last(db->foreign[number]))
		return KMS_OK;
	return follow_chain(db, number, UINT64_MAX, false, NULL, NULL, fault);
}

static bool
erased(const struct item *item, void *db)
{
	return erase_reaches(db, item, NULL);
}

static int
take_batch(struct kmsdb *db, const struct foreign_batch *b, unsigned *taken, struct fault *fault)
{
	struct foreign_taken t;
	struct batch_header h;
	unsigned number;
	int rc;

	if (batch_header_decode(&h, b->header) != KMS_OK)
		return fault_set(fault, KMS_E_FORMAT, "the header of the batch is malformed");
	number = chains_find(&db->chains, h.host_id);
	if (!takes(db, number))
		return fault_set(fault, KMS_E_UNKNOWN_HOST,
		    number == 0 ? "the batch is this host's own"
				: "the batch is of a host that is not followed");
	if ((rc = catch_up(db, number, fault)) != KMS_OK)
		return rc;
	rc = foreign_take(db->foreign[number], b, erased, db, &t, fault);
	if (rc == KMS_E_EXISTS)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	++*taken;
	if ((rc = follow_apply(db, number, t.record, &t.at, t.hash)) != KMS_OK)
		return fault_set(
		    fault, rc, "the batch cannot be applied: %s", kms_strerror((uint32_t)rc));
	checkpoint_due(db);
	return KMS_OK;
}

static int
take_all(struct kmsdb *db, struct parcel_reader *p, unsigned *taken, struct fault *fault)
{
	uint8_t host[16];
	struct foreign_batch b;
	bool first = true;
	int rc;

	while ((rc = parcel_next(p, &b)) == KMS_OK) {
		if (!first && memcmp(host, b.header + 8, sizeof(host)) != 0)
			return fault_set(
			    fault, KMS_E_UNKNOWN_HOST, "a parcel has batches of several hosts");
		memcpy(host, b.header + 8, sizeof(host));
		first = false;
		if ((rc = take_batch(db, &b, taken, fault)) != KMS_OK)
			return rc;
	}
	return rc == KMS_E_NOT_FOUND ? KMS_OK : fault_set(fault, rc, "a parcel is malformed");
}

int
kmsdb_share_take(
    struct kmsdb *db, const uint8_t *parcel, size_t len, unsigned *taken, struct fault *fault)
{
	struct parcel_reader p;
	struct item *items;
	int rc;

	*taken = 0;
	if (db->journal == NULL || db->staged > 0)
		return fault_set(fault, KMS_E_ARGUMENT, "entries of this host are staged");
	checkpoint_poll(db);
	if ((items = calloc(RECORD_ENTRIES, sizeof(*items))) == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	if ((rc = parcel_open(&p, parcel, len, items)) != KMS_OK)
		fault_set(fault, rc, "no parcel of batches: %s", kms_strerror((uint32_t)rc));
	else
		rc = take_all(db, &p, taken, fault);
	free(items);
	return rc;
}

/* -- members -- */

static void
member(struct kmsdb *db, unsigned number, struct kmsdb_member *out)
{
	const struct chain *c = &db->chains.list[number];

	memset(out, 0, sizeof(*out));
	memcpy(out->host, db->chains.hosts[number], sizeof(out->host));
	out->own = number == 0;
	out->heard = c->heard;
	out->last = c->last;
	memcpy(out->hash, c->hash, sizeof(out->hash));
	if (number == 0 && db->journal != NULL) {
		out->last = journal_last(db->journal);
		memcpy(out->hash, journal_last_hash(db->journal), sizeof(out->hash));
	}
}

int
kmsdb_share_each(struct kmsdb *db, int (*fn)(const struct kmsdb_member *m, void *arg), void *arg)
{
	struct kmsdb_member m;
	int rc = 0;

	ledger_up_to_date(db);
	for (unsigned i = 0; i < db->chains.count && rc == 0; i++) {
		member(db, i, &m);
		rc = fn(&m, arg);
	}
	return rc;
}

int
kmsdb_share_member(struct kmsdb *db, const uint8_t host[16], struct kmsdb_member *out)
{
	unsigned number;

	ledger_up_to_date(db);
	number = chains_find(&db->chains, host);
	if (number == db->chains.count)
		return KMS_E_NOT_FOUND;
	member(db, number, out);
	return KMS_OK;
}

int
kmsdb_share_host(const struct kmsdb *db, uint16_t chain, uint8_t host[16])
{
	if (chain >= db->chains.count)
		return KMS_E_NOT_FOUND;
	memcpy(host, db->chains.hosts[chain], 16);
	return KMS_OK;
}

/* -- parcels -- */

#define ENOUGH 1

static int
add(const struct kmsdb_batch_view *v, void *arg)
{
	const struct foreign_batch b = { v->header_octets, v->signature, v->items, v->header.size };

	return parcel_add(arg, &b) == KMS_OK ? 0 : ENOUGH;
}

static int
add_foreign(struct parcel_writer *w, struct foreign *f, uint64_t from, struct fault *fault)
{
	struct scan *s = NULL;
	int rc = scan_open(&s, foreign_segments(f), NULL, from, fault);

	if (rc != KMS_OK)
		return rc;
	while ((rc = foreign_next(f, s, fault)) == KMS_OK) {
		const struct record *r = &s->record;
		const struct foreign_batch b = { r->header, r->signature, r->items, r->batch.size };

		if (r->batch.number >= from && parcel_add(w, &b) != KMS_OK)
			break;
	}
	scan_close(s);
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

int
kmsdb_share_parcel(struct kmsdb *db, const uint8_t host[16], uint64_t from,
    uint8_t out[PARCEL_ONE_MAX], size_t *len, unsigned *count, struct fault *fault)
{
	struct parcel_writer w;
	unsigned number = host == NULL ? 0 : chains_find(&db->chains, host);
	int rc = KMS_OK;

	*len = *count = 0;
	parcel_begin(&w, out);
	if (number == db->chains.count || (number > 0 && db->foreign[number] == NULL))
		return fault_set(fault, KMS_E_NOT_FOUND, "the host is not followed");
	if (from < 1)
		from = 1;
	if (number == 0 && from < db->first)
		return fault_set(fault, KMS_E_NOT_FOUND, "the batch was dropped");
	if (number == 0)
		rc = kmsdb_journal_from(db, from, add, &w, fault);
	else if (from <= db->chains.list[number].last)
		rc = add_foreign(&w, db->foreign[number], from, fault);
	*len = parcel_end(&w);
	*count = w.count;
	return rc == ENOUGH ? KMS_OK : rc;
}
