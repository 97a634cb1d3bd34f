/*
 * foreign.c - see foreign.h.
 */
#include "kmsdb/foreign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/journal.h"
#include "kmsdb/position.h"
#include "kmsdb/scan.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/fast_sha256.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

struct foreign {
	uint8_t host[16], sign_pk[32];
	int dirfd, journalfd;
	struct journal *journal;
	struct merkle_tree *tree;
	struct record record; /* of foreign_take */
	uint8_t *octets;      /* RECORD_MAX */
};

const uint8_t *
foreign_host(const struct foreign *f)
{
	return f->host;
}

uint64_t
foreign_last(const struct foreign *f)
{
	return journal_last(f->journal);
}

const uint8_t *
foreign_last_hash(const struct foreign *f)
{
	return journal_last_hash(f->journal);
}

int
foreign_directory(const struct foreign *f)
{
	return f->dirfd;
}

/* -- opening -- */

static int
make_directory(struct foreign *f, int statefd, struct fault *fault)
{
	char name[33];
	int all = -1, rc;

	hex_format(name, f->host, sizeof(f->host));
	rc = position_directory(statefd, "foreign", 1, &all);
	if (rc == KMS_OK)
		rc = position_directory(all, name, 1, &f->dirfd);
	if (all >= 0)
		close(all);
	if (rc != KMS_OK)
		return fault_set(fault, rc, "foreign/%s: %s", name, kms_strerror((uint32_t)rc));
	return segment_directory(f->dirfd, true, &f->journalfd, fault);
}

/* A batch that is on disk. Root and chain are checked by the scan. */
static int
check_stored(const struct foreign *f, const struct scan *s, struct fault *fault)
{
	const struct record *r = &s->record;

	if (memcmp(r->batch.host_id, f->host, sizeof(f->host)) != 0)
		return fault_set(fault, KMS_E_UNKNOWN_HOST,
		    "batch %" PRIu64 " of a foreign chain is of another host", r->batch.number);
	if (batch_verify(r->header, r->signature, f->sign_pk) != KMS_OK)
		return fault_set(fault, KMS_E_SIGNATURE,
		    "batch %" PRIu64 " of a foreign chain is not signed by its host",
		    r->batch.number);
	return KMS_OK;
}

static int
read_stored(struct foreign *f, uint64_t segment_size, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, f->journalfd, NULL, 0, fault);

	if (rc != KMS_OK)
		return rc;
	while ((rc = scan_next(s)) == KMS_OK && (rc = check_stored(f, s, fault)) == KMS_OK)
		;
	if (rc == KMS_E_NOT_FOUND && (rc = scan_rest(s)) == KMS_OK)
		rc = journal_open(&f->journal, f->journalfd, segment_size, s, NULL, NULL, fault);
	else if (s->fault.status != KMS_OK)
		*fault = s->fault;
	scan_close(s);
	return rc;
}

int
foreign_open(struct foreign **out, int statefd, const uint8_t sign_pk[32], uint64_t segment_size,
    struct fault *fault)
{
	struct foreign *f = calloc(1, sizeof(*f));
	int rc = KMS_E_NO_MEMORY;

	*out = NULL;
	if (f == NULL)
		return rc;
	f->dirfd = f->journalfd = -1;
	memcpy(f->sign_pk, sign_pk, sizeof(f->sign_pk));
	certificate_host_id(f->host, sign_pk);
	f->octets = malloc(RECORD_MAX);
	f->tree = merkle_tree_with(RECORD_ENTRIES, fast_sha256);
	if (f->octets != NULL && f->tree != NULL &&
	    (rc = make_directory(f, statefd, fault)) == KMS_OK)
		rc = read_stored(f, segment_size, fault);
	if (rc == KMS_OK)
		*out = f;
	else
		foreign_close(f);
	return rc;
}

void
foreign_close(struct foreign *f)
{
	if (f == NULL)
		return;
	journal_close(f->journal);
	merkle_tree_free(f->tree);
	free(f->octets);
	if (f->journalfd >= 0)
		close(f->journalfd);
	if (f->dirfd >= 0)
		close(f->dirfd);
	free(f);
}

/* -- a batch -- */

/* One that is not behind the last: is it the one that is there? */
static int
compare_stored(struct foreign *f, uint64_t number, const uint8_t hash[32], struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, f->journalfd, NULL, number, fault);
	bool same = false;

	if (rc != KMS_OK)
		return rc;
	while ((rc = scan_next(s)) == KMS_OK && s->record.batch.number < number)
		;
	if (rc == KMS_OK)
		same = memcmp(s->hash, hash, sizeof(s->hash)) == 0;
	else
		fault_set(fault, rc, "batch %" PRIu64 " cannot be read again: %s", number,
		    fault_text(&s->fault, rc));
	scan_close(s);
	if (rc != KMS_OK || same)
		return rc == KMS_OK ? KMS_E_EXISTS : rc;
	return fault_set(fault, KMS_E_CHAIN,
	    "the host signed two batches %" PRIu64 ": it was copied, or set back", number);
}

static int
check_place(
    struct foreign *f, const struct batch_header *h, const uint8_t hash[32], struct fault *fault)
{
	uint64_t last = foreign_last(f);

	if (h->number <= last)
		return compare_stored(f, h->number, hash, fault);
	if (h->number > last + 1)
		return fault_set(fault, KMS_E_MISSING,
		    "batch %" PRIu64 " follows batch %" PRIu64 ": those between are missing",
		    h->number, last);
	if (memcmp(h->previous, foreign_last_hash(f), sizeof(h->previous)) == 0)
		return KMS_OK;
	return fault_set(fault, KMS_E_CHAIN,
	    "batch %" PRIu64 " does not follow the batch %" PRIu64
	    " that is here: the host was copied, or set back",
	    h->number, last);
}

/* The record as it goes to the disk; its own reader checks it. */
static int
make_record(struct foreign *f, const struct foreign_batch *b, size_t *length, struct fault *fault)
{
	const char *why;
	size_t n = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		const struct item *item = &b->items[i];
		size_t one = item_encode(f->octets + RECORD_HEAD + n, RECORD_OCTETS - n, item);
		int rc = entry_check(item->entry, item->entry_len);

		if (one == 0)
			return fault_set(fault, KMS_E_FORMAT, "the batch is too long");
		if (rc != KMS_OK)
			return fault_set(fault, rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT,
			    "entry %u of the batch is %s", i,
			    rc == KMS_E_SCHEMA ? "by another version of kmsd" : "malformed");
		n += one;
	}
	*length = record_seal(f->octets, n, b->header, b->signature);
	if (segment_item(&f->record, f->octets, *length, f->tree, &why) != SEGMENT_BATCH)
		return fault_set(fault, KMS_E_ALTERED,
		    "the entries of the batch are not those that were signed");
	return KMS_OK;
}

int
foreign_take(struct foreign *f, const struct foreign_batch *b, struct fault *fault)
{
	struct batch_header h;
	uint8_t hash[32];
	uint64_t first, offset;
	size_t length = 0;
	int rc;

	if (batch_header_decode(&h, b->header) != KMS_OK || h.size != b->count || b->count == 0 ||
	    b->count > RECORD_ENTRIES)
		return fault_set(fault, KMS_E_FORMAT,
		    "the header of the batch is malformed, or has another number of entries");
	if (memcmp(h.host_id, f->host, sizeof(f->host)) != 0)
		return fault_set(fault, KMS_E_UNKNOWN_HOST, "the batch is of another host");
	if (batch_verify(b->header, b->signature, f->sign_pk) != KMS_OK)
		return fault_set(
		    fault, KMS_E_SIGNATURE, "the batch is not signed by the host that it names");
	batch_header_hash(hash, b->header);
	if ((rc = check_place(f, &h, hash, fault)) != KMS_OK ||
	    (rc = make_record(f, b, &length, fault)) != KMS_OK)
		return rc;
	rc = journal_append(f->journal, f->octets, length, hash, &first, &offset);
	if (rc != KMS_OK)
		fault_set(fault, rc, "the batch cannot be written: %s", kms_strerror((uint32_t)rc));
	return rc;
}
