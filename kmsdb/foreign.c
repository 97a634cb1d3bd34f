/*
 * foreign.c - see foreign.h.
 */
#include "kmsdb/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/journal.h"
#include "kmsdb/position.h"
#include "kmsdb/scan.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/fast_sha256.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

#define KEY_NAME "key"

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

const uint8_t *
foreign_key(const struct foreign *f)
{
	return f->sign_pk;
}

int
foreign_segments(const struct foreign *f)
{
	return f->journalfd;
}

struct journal *
foreign_journal(const struct foreign *f)
{
	return f->journal;
}

int
foreign_name_fault(const struct foreign *f, struct fault *fault, int rc)
{
	char name[33];

	hex_format(name, f->host, sizeof(f->host));
	if (rc != KMS_OK)
		fault_prefix(fault, FOREIGN_NAME "/%s: ", name);
	return rc;
}

/* -- folders -- */

static int
open_folder(int kmsdbfd, const uint8_t host[16], bool make, int *dirfd)
{
	char name[33];
	int all = -1, rc;

	hex_format(name, host, 16);
	rc = position_directory(kmsdbfd, FOREIGN_NAME, make, &all);
	if (rc == KMS_OK) {
		rc = position_directory(all, name, make, dirfd);
		close(all);
	}
	return rc;
}

int
foreign_make(int kmsdbfd, const uint8_t sign_pk[32], uint8_t host[16], struct fault *fault)
{
	int dirfd = -1, journalfd = -1, rc;

	certificate_host_id(host, sign_pk);
	rc = open_folder(kmsdbfd, host, true, &dirfd);
	/* Before the journal: a folder without a key has no batch. */
	if (rc == KMS_OK && !file_exists(dirfd, KEY_NAME))
		rc = file_write(dirfd, KEY_NAME, sign_pk, 32, 0600, true);
	if (rc != KMS_OK)
		fault_set(fault, rc, "kmsdb/" FOREIGN_NAME " cannot be written: %s",
		    kms_strerror((uint32_t)rc));
	else
		rc = segment_directory(dirfd, true, &journalfd, fault);
	if (dirfd >= 0)
		close(dirfd);
	if (journalfd >= 0)
		close(journalfd);
	return rc;
}

static int
by_host(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

int
foreign_list(int kmsdbfd, uint8_t (*hosts)[16], unsigned max, unsigned *count, struct fault *fault)
{
	int fd = openat(kmsdbfd, FOREIGN_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint8_t host[16];
	int rc = KMS_OK;

	*count = 0;
	if (fd < 0 && errno == ENOENT)
		return KMS_OK;
	if (dir == NULL) {
		rc = fault_errno(fault, errno, "kmsdb/" FOREIGN_NAME);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == KMS_OK && (e = readdir(dir)) != NULL) {
		/* Nothing was taken from a host whose key is not there yet. */
		char key[64];

		snprintf(key, sizeof(key), "%.33s/" KEY_NAME, e->d_name);
		if (!hex_parse(host, sizeof(host), e->d_name) || !file_exists(dirfd(dir), key))
			continue;
		if (*count == max)
			rc = fault_set(fault, KMS_E_LIMIT,
			    "kmsdb/" FOREIGN_NAME " has the chains of more than %u hosts", max);
		else
			memcpy(hosts[(*count)++], host, 16);
	}
	closedir(dir);
	if (*count > 1)
		qsort(hosts, *count, 16, by_host);
	return rc;
}

static int
read_key(struct foreign *f, struct fault *fault)
{
	uint8_t id[16];
	size_t len = 0;
	int rc =
	    file_read_into(f->dirfd, KEY_NAME, FILE_OURS, f->sign_pk, sizeof(f->sign_pk), &len);

	if (rc != KMS_OK)
		return fault_set(fault, rc, "the key of the host cannot be read: %s",
		    kms_strerror((uint32_t)rc));
	certificate_host_id(id, f->sign_pk);
	if (len == sizeof(f->sign_pk) && memcmp(id, f->host, sizeof(id)) == 0)
		return KMS_OK;
	return fault_set(fault, KMS_E_UNKNOWN_HOST, "the key there is another host's");
}

int
foreign_open(struct foreign **out, int kmsdbfd, const uint8_t host[16], struct fault *fault)
{
	struct foreign *f = calloc(1, sizeof(*f));
	int rc = KMS_E_NO_MEMORY;

	*out = NULL;
	if (f == NULL)
		return fault_set(fault, rc, NULL);
	f->dirfd = f->journalfd = -1;
	memcpy(f->host, host, sizeof(f->host));
	f->octets = malloc(RECORD_MAX);
	f->tree = merkle_tree_with(RECORD_ENTRIES, fast_sha256);
	if (f->octets != NULL && f->tree != NULL)
		rc = open_folder(kmsdbfd, host, false, &f->dirfd);
	if (rc != KMS_OK)
		fault_set(fault, rc, "%s", kms_strerror((uint32_t)rc));
	if (rc == KMS_OK)
		rc = read_key(f, fault);
	if (rc == KMS_OK)
		rc = segment_directory(f->dirfd, false, &f->journalfd, fault);
	if (rc == KMS_OK) {
		*out = f;
		return rc;
	}
	foreign_name_fault(f, fault, rc);
	foreign_close(f);
	return rc;
}

/* -- what is stored -- */

int
foreign_scan(
    struct foreign *f, const struct scan_place *from, struct scan **out, struct fault *fault)
{
	int rc = scan_open(out, f->journalfd, from, 0, fault);

	/* What a base of that host restates is as that host saw it, other hosts' acts included. */
	if (rc == KMS_OK && (*out)->begins > 1) {
		rc = fault_set(fault, KMS_E_MISSING,
		    "the chain begins with batch %" PRIu64
		    ": only a chain that begins with batch 1 can be followed",
		    (*out)->begins);
		scan_close(*out);
		*out = NULL;
	}
	return foreign_name_fault(f, fault, rc);
}

/* Root and chain are checked by the scan. */
int
foreign_next(struct foreign *f, struct scan *s, struct fault *fault)
{
	const struct record *r = &s->record;
	int rc = scan_next(s);

	if (rc == KMS_E_NOT_FOUND)
		return rc;
	if (rc != KMS_OK)
		fault_set(fault, rc, "%s", fault_text(&s->fault, rc));
	else if (memcmp(r->batch.host_id, f->host, sizeof(f->host)) != 0)
		rc = fault_set(fault, KMS_E_UNKNOWN_HOST, "batch %" PRIu64 " is of another host",
		    r->batch.number);
	else if (batch_verify(r->header, r->signature, f->sign_pk) != KMS_OK)
		rc = fault_set(fault, KMS_E_SIGNATURE,
		    "batch %" PRIu64 " is not signed by that host", r->batch.number);
	return foreign_name_fault(f, fault, rc);
}

int
foreign_write(struct foreign *f, struct scan *s, uint64_t segment_size, struct fault *fault)
{
	int rc = scan_rest(s);

	if (rc != KMS_OK)
		fault_set(fault, rc, "%s", s->fault.text);
	else
		rc = journal_open(&f->journal, f->journalfd, segment_size, s, NULL, NULL, fault);
	return foreign_name_fault(f, fault, rc);
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
make_record(struct foreign *f, const struct foreign_batch *b, uint64_t time,
    foreign_erased_fn erased, void *arg, size_t *length, struct fault *fault)
{
	const char *why;
	size_t n = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		struct item item = b->items[i];
		int rc = entry_check(item.entry, item.entry_len);
		size_t one;

		if (rc == KMS_OK &&
		    (item_names(&item) == KMS_E_ALTERED || (erased != NULL && erased(&item, arg))))
			item.aside_len = 0;
		one = item_encode(f->octets + RECORD_HEAD + n, RECORD_OCTETS - n, &item);
		if (rc == KMS_OK && one == 0)
			return fault_set(fault, KMS_E_FORMAT, "the batch is too long");
		if (rc == KMS_OK && !batch_time_near(entry_time(item.entry, item.entry_len), time))
			return fault_set(fault, KMS_E_FORMAT,
			    "the time of entry %u is more than 4 hours from that of the batch", i);
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
foreign_take(struct foreign *f, const struct foreign_batch *b, foreign_erased_fn erased, void *arg,
    struct foreign_taken *taken, struct fault *fault)
{
	struct batch_header h;
	uint8_t hash[32];
	struct scan_place at = { 0 };
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
	    (rc = make_record(f, b, h.time, erased, arg, &length, fault)) != KMS_OK)
		return rc;
	at.number = h.number;
	memcpy(at.previous, h.previous, sizeof(at.previous));
	rc = journal_append(f->journal, f->octets, length, hash, &at.first, &at.offset);
	if (rc != KMS_OK)
		return fault_set(
		    fault, rc, "the batch cannot be written: %s", kms_strerror((uint32_t)rc));
	if (taken != NULL) {
		taken->record = &f->record;
		taken->at = at;
		memcpy(taken->hash, hash, sizeof(taken->hash));
	}
	return KMS_OK;
}
