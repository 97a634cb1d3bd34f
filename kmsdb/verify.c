/*
 * verify.c - the whole ledger against itself: the journal's every root, link, signature, time and
 * commitment; the index against a replay into a scratch index (verify_index.c). It also works while
 * kmsd runs: changes that are not yet in the index, or that an unfinished checkpoint has already
 * written, are not differences.
 */
#include "kmsdb/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsdb/dropped.h"
#include "kmsdb/follow.h"
#include "kmsdb/lock.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_relayed.h"

/* Signing keys that entries introduce; a host id is a hash of its keys, so they cannot be false. */
static void
learn(struct verify *c, const struct record *r)
{
	for (uint32_t i = 0; i < r->batch.size; i++) {
		struct verify_signer *s = &c->keys[c->key_count];
		struct entry_admin e;
		struct certificate cert;
		const struct item *in = &r->items[i];
		int kind = entry_kind(in->entry, in->entry_len);
		if ((kind != ENTRY_START && kind != ENTRY_CERTIFICATE) ||
		    c->key_count == VERIFY_KEYS ||
		    entry_admin_decode(&e, in->entry, in->entry_len) != KMS_OK)
			continue;
		if (kind == ENTRY_START) {
			memcpy(s->sign_pk, e.blob, 32);
			certificate_host_id(s->host_id, e.blob);
		} else if (kind == ENTRY_CERTIFICATE &&
			   certificate_decode(&cert, e.blob, e.blob_len) == KMS_OK) {
			memcpy(s->sign_pk, cert.sign_pk, 32);
			memcpy(s->host_id, cert.host_id, 16);
		} else {
			continue;
		}
		unsigned k = 0;
		while (memcmp(&c->keys[k], s, sizeof(*s)) != 0)
			k++;
		if (k == c->key_count)
			c->key_count++;
	}
}

/* No other key counts: entries of a journal that somebody made name the keys that he made. */
static void
check_own(struct verify *c, const struct scan *s)
{
	const struct record *r = &s->record;
	uint8_t own[16];

	if (batch_verify(r->header, r->signature, c->sign_pk) == KMS_OK)
		return;
	certificate_host_id(own, c->sign_pk);
	if (memcmp(own, r->batch.host_id, sizeof(own)) == 0)
		verify_tell(c, KMS_E_SIGNATURE,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64
		    " is not signed by this host's key",
		    s->segment, s->offset, r->batch.number);
	else if (!c->unknown_key)
		verify_tell(c, KMS_E_UNKNOWN_HOST,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64
		    " belongs to another host: its signing key is not this host's",
		    s->segment, s->offset, r->batch.number);
	c->unknown_key |= memcmp(own, r->batch.host_id, sizeof(own)) != 0;
}

static void
check_signature(struct verify *c, const struct scan *s)
{
	const struct record *r = &s->record;
	bool known = false;

	if (c->sign_pk != NULL) {
		check_own(c, s);
		return;
	}
	learn(c, r);
	for (unsigned k = 0; k < c->key_count; k++) {
		if (memcmp(c->keys[k].host_id, r->batch.host_id, 16) != 0)
			continue;
		known = true;
		if (batch_verify(r->header, r->signature, c->keys[k].sign_pk) == KMS_OK)
			return;
	}
	if (known)
		verify_tell(c, KMS_E_SIGNATURE,
		    "journal/%s, offset %" PRIu64 ": the signature of batch %" PRIu64
		    " does not verify",
		    s->segment, s->offset, r->batch.number);
	else if (!c->unknown_key)
		verify_tell(c, KMS_E_SIGNATURE,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64
		    " is signed by a key that no entry before it names",
		    s->segment, s->offset, r->batch.number);
	c->unknown_key |= !known;
}

/* The key of the first entry that names one may come after batches that it signed. */
static int
learn_first(struct verify *c, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, c->scratch->journalfd, NULL, 0, fault);

	if (rc != KMS_OK)
		return rc;
	while (s->begins > 1 && c->key_count == 0 && scan_next(s) == KMS_OK)
		learn(c, &s->record);
	scan_close(s);
	return KMS_OK;
}

/* -- entries -- */

static void
check_names(struct verify *c, const struct scan *s, uint32_t i)
{
	int rc = item_names(&s->record.items[i]);

	if (rc == KMS_E_NOT_FOUND)
		c->erased++;
	else if (rc == KMS_E_ALTERED)
		verify_tell(c, KMS_E_ALTERED,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64 ", entry %" PRIu32
		    ": its names do not match; what it proves remains valid",
		    s->segment, s->offset, s->record.batch.number, i);
}

/* What remains of the batches that a base let go gives the root that it was signed with. */
static void
check_dropped(struct verify *c, const struct scan *s, uint32_t i)
{
	const struct item *in = &s->record.items[i];
	struct merkle_run run = { .count = 0 };
	uint8_t root[MERKLE_HASH];
	struct entry_admin e;
	struct entry_base_end end;
	int rc;

	if (entry_kind(in->entry, in->entry_len) != ENTRY_BASE ||
	    entry_admin_decode(&e, in->entry, in->entry_len) != KMS_OK ||
	    entry_base_part(e.blob) != BASE_END)
		return;
	entry_base_get_end(&end, e.blob);
	rc = dropped_run(c->scratch->journalfd, end.through, &run);
	merkle_run_root(&run, root);
	if (rc != KMS_OK || memcmp(root, e.digest, sizeof(root)) != 0)
		verify_tell(c, rc != KMS_OK && rc != KMS_E_NOT_FOUND ? rc : KMS_E_ALTERED,
		    "journal/" DROPPED_NAME ": the hashes of batches up to %" PRIu64
		    " are not those that batch %" PRIu64 " was signed with",
		    end.through, s->record.batch.number);
}

static void
check_items(struct verify *c, const struct scan *s)
{
	const struct record *r = &s->record;

	for (uint32_t i = 0; i < r->batch.size; i++) {
		uint64_t time = entry_time(r->items[i].entry, r->items[i].entry_len);

		if (!batch_time_near(time, r->batch.time))
			verify_tell(c, KMS_E_ALTERED,
			    "journal/%s, offset %" PRIu64 ": batch %" PRIu64 ", entry %" PRIu32
			    ": its time is more than 4 hours from that of the batch",
			    s->segment, s->offset, r->batch.number, i);
		check_names(c, s, i);
		check_dropped(c, s, i);
	}
}

/* -- the chains of other hosts -- */

static void
check_other(struct kmsdb *db, struct scan *s, void *arg)
{
	struct verify *c = arg;

	(void)db;
	for (uint32_t i = 0; i < s->record.batch.size; i++)
		check_names(c, s, i);
	if (c->others)
		verify_later(c, &s->record);
}

static void
find_folders(struct verify *c)
{
	const struct chains *is = &c->index->chains;
	char name[33];

	for (unsigned i = 1; i < is->count; i++) {
		if (chains_find(&c->scratch->chains, is->hosts[i]) < c->scratch->chains.count)
			continue;
		hex_format(name, is->hosts[i], 16);
		verify_tell(c, KMS_E_MISSING,
		    "kmsdb/" FOREIGN_NAME
		    "/%s, whose batches the index contains, is missing: restore it from a backup",
		    name);
	}
}

/*
 * Each as far as the index has it, then to its end. Those that the index does not know were
 * followed since.
 */
static void
follow(struct verify *c)
{
	struct kmsdb *db = c->scratch;
	struct fault fault = { 0 };
	int rc = KMS_OK;

	for (unsigned i = 1; i < db->chains.count && rc == KMS_OK; i++) {
		uint64_t upto = UINT64_MAX;

		if (!c->others && c->index != NULL) {
			unsigned n = chains_find(&c->index->chains, db->chains.hosts[i]);

			upto = n < c->index->chains.count ? c->index->chains.list[n].last : 0;
		}
		rc = follow_chain(db, i, upto, false, check_other, c, &fault);
		if (rc == KMS_OK && db->chains.list[i].last < upto && upto != UINT64_MAX)
			rc = fault_set(&fault, KMS_E_INDEX,
			    "the chain of another host ends with batch %" PRIu64
			    ", but the index contains batch %" PRIu64
			    ": in a file copy of the state directory, run kmsctl ledger rebuild",
			    db->chains.list[i].last, upto);
	}
	if (rc != KMS_OK)
		verify_tell(c, rc, "%s", fault.text);
	if (!c->others && c->index != NULL)
		find_folders(c);
	c->others = true;
}

/* The scratch index has what the index has. */
static void
compare(struct verify *c)
{
	follow(c);
	verify_index(c);
}

static void
walk(struct verify *c, struct scan *s)
{
	uint64_t last = 0;
	struct fault fault = { 0 };
	int rc;

	c->scratch->base.loading = s->begins > 1;
	if (c->index != NULL && c->upto == 0)
		compare(c);
	if (c->index != NULL && c->usage_upto == 0)
		verify_usage(c);
	while ((rc = scan_next(s)) == KMS_OK) {
		check_signature(c, s);
		last = s->record.batch.number;
		if ((rc = replay_batch(c->scratch, s, &fault)) != KMS_OK) {
			verify_tell(c, rc, "%s", fault.text);
			return;
		}
		check_items(c, s);
		if (c->index != NULL && last == c->upto)
			compare(c);
		else if (last > c->upto)
			verify_later(c, &s->record);
		if (c->index != NULL && last == c->usage_upto)
			verify_usage(c);
	}
	if (rc != KMS_E_NOT_FOUND)
		verify_tell(c, rc, "%s", s->fault.text);
	else if (c->scratch->base.loading)
		verify_tell(c, KMS_E_MISSING, LEDGER_NO_BASE, s->begins);
	else if (last < c->upto)
		verify_tell(c, KMS_E_INDEX,
		    "the journal ends with batch %" PRIu64 ", but the index contains batch %" PRIu64
		    ": in a file copy of the state directory, run kmsctl ledger rebuild",
		    last, c->upto);
	else {
		follow(c);
		verify_end(c);
	}
	if (rc != KMS_E_NOT_FOUND || lock_held(c->scratch->dirfd))
		return; /* the end is being written */
	if (s->torn)
		verify_tell(c, KMS_E_TORN, "%s; kmsd clears it when it starts", s->fault.text);
	else if ((rc = scan_rest(s)) != KMS_OK)
		verify_tell(c, rc, "%s", s->fault.text);
}

int
kmsdb_check(int dirfd, const uint8_t *sign_pk, uint64_t *erased,
    void (*report)(int status, const char *line, void *arg), void *arg)
{
	struct kmsdb_options opt = { .overlay_records = 100000 };
	struct verify *c = calloc(1, sizeof(*c));
	struct scan *s = NULL;
	struct fault fault = { 0 };
	int status;

	if (c == NULL || seats_init(&c->counted) != KMS_OK) {
		free(c);
		return KMS_E_NO_MEMORY;
	}
	c->report = report;
	c->arg = arg;
	c->sign_pk = sign_pk;
	/*
	 * Open the index before reading the journal, so that everything in it is in the journal
	 * that we read.
	 */
	if ((status = ledger_open(&c->index, dirfd, &opt, LEDGER_READ, &fault)) != KMS_OK) {
		verify_tell(c, status, "%s", fault.text);
	} else {
		c->upto = c->index->meta.last;
		c->usage_upto = c->index->usage.through;
	}
	fault = (struct fault){ 0 };
	if ((status = ledger_open(&c->scratch, dirfd, &opt, LEDGER_CHECK, &fault)) != KMS_OK ||
	    (sign_pk == NULL && (status = learn_first(c, &fault)) != KMS_OK) ||
	    (status = scan_open(&s, c->scratch->journalfd, NULL, 0, &fault)) != KMS_OK)
		verify_tell(c, status, "%s", fault.text);
	else
		walk(c, s);
	scan_close(s);
	if (c->scratch != NULL)
		index_remove(c->scratch->dirfd, LEDGER_CHECK_NAME);
	kmsdb_close(c->scratch);
	kmsdb_close(c->index);
	seats_free(&c->counted);
	status = c->first;
	if (erased != NULL)
		*erased = c->erased;
	free(c->suspects);
	free(c);
	return status;
}
