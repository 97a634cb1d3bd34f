/*
 * verify.c - the whole ledger against itself: the journal's every root, link and signature; the
 * counters against a recount; the index against a replay into a scratch index. It also works while
 * kmsd runs: changes that are not yet in the index, or that an unfinished checkpoint has already
 * written, are not differences.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsdb/ledger.h"
#include "kmsdb/lock.h"
#include "kmsdb/scan.h"
#include "libkms/base/hex.h"
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"

#define KEYS 64
#define LATER 4096
#define LINES 20 /* differences reported one by one */

struct signer {
	uint8_t host_id[16];
	uint8_t sign_pk[32];
};

struct check {
	struct kmsdb *index;   /* as it is; NULL when it cannot be opened */
	struct kmsdb *scratch; /* as it should be */
	uint64_t upto;         /* last batch that index contains completely */
	struct signer keys[KEYS];
	unsigned key_count;
	const uint8_t *sign_pk;
	bool unknown_key;
	uint8_t later[LATER][ROW_CMID]; /* clients that are not in the index: forgotten since? */
	size_t later_count;
	unsigned differences;
	struct seats counted;
	int first; /* error */
	void (*report)(int status, const char *line, void *arg);
	void *arg;
};

static void __attribute__((format(printf, 3, 4)))
tell(struct check *c, int status, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (c->first == KMS_OK)
		c->first = status;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (c->report != NULL)
		c->report(status, line, c->arg);
}

static bool
enough(struct check *c)
{
	if (++c->differences == LINES + 1)
		tell(c, KMS_E_ALTERED, "index: more differences; run kmsctl ledger rebuild");
	return c->differences > LINES;
}

/* Signing keys that entries introduce; a host id is a hash of its keys, so they cannot be false. */
static void
learn(struct check *c, const struct record *r)
{
	for (uint32_t i = 0; i < r->batch.size; i++) {
		struct signer *s = &c->keys[c->key_count];
		struct entry_admin e;
		struct certificate cert;
		int kind = entry_kind(r->entries[i], r->lens[i]);
		if ((kind != ENTRY_START && kind != ENTRY_CERTIFICATE) || c->key_count == KEYS ||
		    entry_admin_decode(&e, r->entries[i], r->lens[i]) != KMS_OK)
			continue;
		if (kind == ENTRY_START && e.blob_len == 64) {
			memcpy(s->sign_pk, e.blob, 32);
			certificate_host_id(s->host_id, e.blob, e.blob + 32);
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

static void
check_signature(struct check *c, const struct scan *s)
{
	const struct record *r = &s->record;
	bool known = c->sign_pk != NULL;

	learn(c, r);
	if (c->sign_pk != NULL && batch_verify(r->header, r->signature, c->sign_pk) == KMS_OK)
		return;
	for (unsigned k = 0; k < c->key_count; k++) {
		if (memcmp(c->keys[k].host_id, r->batch.host_id, 16) != 0)
			continue;
		known = true;
		if (batch_verify(r->header, r->signature, c->keys[k].sign_pk) == KMS_OK)
			return;
	}
	if (known)
		tell(c, KMS_E_SIGNATURE,
		    "journal/%s, offset %" PRIu64 ": the signature of batch %" PRIu64
		    " does not verify",
		    s->segment, s->offset, r->batch.number);
	else if (!c->unknown_key)
		tell(c, KMS_E_SIGNATURE,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64
		    " is signed by a key that no entry before it names",
		    s->segment, s->offset, r->batch.number);
	c->unknown_key |= !known;
}

static bool
same_row(struct index *a, struct index *b, enum index_table table, const uint8_t *key, size_t len)
{
	const uint8_t *x = NULL, *y = NULL;
	size_t xl = 0, yl = 0;
	int sx = index_get(a, table, key, len, &x, &xl),
	    sy = index_get(b, table, key, len, &y, &yl);

	return sx == sy && xl == yl && (xl == 0 || memcmp(x, y, xl) == 0);
}

/* A row of the index: counts it, and compares it with the replay unless the row is ahead. */
static int
index_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct check *c = arg;
	struct client_row row, want;
	const uint8_t *other;
	char text[33];
	uint16_t pool;
	int status = key_len == ROW_CMID
			 ? row_client_decode(&row, key, octets, len, &c->index->seats)
			 : KMS_E_ALTERED;

	if (status != KMS_OK) {
		tell(c, KMS_E_ALTERED, "index: a client row is malformed");
		return enough(c) ? KMS_E_ALTERED : 0;
	}
	if (row.c.seen_day != 0 &&
	    seats_pool(&c->counted, row.c.publisher, row.c.pool, &pool) == KMS_OK)
		pool_count(&c->counted.pools[pool], row.c.seen_day, 1);
	if (row.changed > c->upto)
		return 0;
	status = index_get(c->scratch->index, INDEX_CLIENTS, key, key_len, &other, &len);
	if (status == KMS_OK)
		status = row_client_decode(&want, key, other, len, &c->scratch->seats);
	row.seat = want.seat =
	    0; /* numbered in the order in which they came; c has their meaning */
	if (status == KMS_OK && memcmp(&row, &want, sizeof(row)) == 0 &&
	    same_row(c->index->index, c->scratch->index, INDEX_HOSTS, key, key_len))
		return 0;
	hex_format(text, key, ROW_CMID);
	tell(c, KMS_E_ALTERED, "index: client %s does not match the journal", text);
	return enough(c) ? KMS_E_ALTERED : 0;
}

/* A row that should be in the index. */
static int
scratch_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct check *c = arg;
	const uint8_t *row;
	size_t row_len;
	char text[33];

	(void)octets;
	(void)len;
	if (index_get(c->index->index, INDEX_CLIENTS, key, key_len, &row, &row_len) == KMS_OK)
		return 0;
	if (c->later_count < LATER) {
		memcpy(c->later[c->later_count++], key, ROW_CMID);
		return 0;
	}
	hex_format(text, key, ROW_CMID);
	tell(c, KMS_E_ALTERED, "index: client %s is missing", text);
	return enough(c) ? KMS_E_ALTERED : 0;
}

static int
scratch_batch(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct check *c = arg;

	(void)octets;
	(void)len;
	if (same_row(c->index->index, c->scratch->index, INDEX_BATCHES, key, key_len))
		return 0;
	tell(c, KMS_E_ALTERED, "index: the position of batch 0x%02x%02x%02x%02x is wrong", key[4],
	    key[5], key[6], key[7]);
	return enough(c) ? KMS_E_ALTERED : 0;
}

/* Rows of the relay, from either side: equal on both sides, except for later changes. */
static int
observed_same(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct check *c = arg;
	struct observed_row row;

	if (key_len == 16 && observed_decode(&row, key, octets, len) == KMS_OK &&
	    (row.changed > c->upto ||
		same_row(c->index->index, c->scratch->index, INDEX_RELAYED, key, key_len)))
		return 0;
	/* the scratch side may be behind: then the index's row shows that, and was skipped */
	if (index_get(c->index->index, INDEX_RELAYED, key, key_len, &octets, &len) == KMS_OK &&
	    observed_decode(&row, key, octets, len) == KMS_OK && row.changed > c->upto)
		return 0;
	tell(c, KMS_E_ALTERED, "index: a relayed client's row does not match the journal");
	return enough(c) ? KMS_E_ALTERED : 0;
}

/* Compares every day of a with b; called twice, to find what either lacks. */
static void
compare_days(struct check *c, const struct seats *a, const struct seats *b, const char *what)
{
	for (size_t p = 0; p < a->pool_count; p++) {
		const struct pool *x = &a->pools[p];
		const struct pool *y = seats_pool_find(b, x->publisher, x->number);
		for (size_t i = 0, j = 0; i < x->day_count; i++) {
			while (y != NULL && j < y->day_count && y->days[j].day < x->days[i].day)
				j++;
			if (y != NULL && j < y->day_count && y->days[j].day == x->days[i].day &&
			    y->days[j].count == x->days[i].count)
				continue;
			tell(c, KMS_E_ALTERED, "index: pool %u, day %" PRIu32 ": %s", x->number,
			    x->days[i].day, what);
			if (enough(c))
				return;
		}
	}
}

/* Called when the scratch index has reached the index. */
static void
compare(struct check *c)
{
	static const char what[] = "the counter is not what the clients make";
	int status = checkpoint_all(c->scratch);

	if (status != KMS_OK) {
		tell(c, status, "the scratch index cannot be written: %s",
		    kms_strerror((uint32_t)status));
		return;
	}
	if (c->scratch->meta.last == c->index->meta.last &&
	    memcmp(c->scratch->meta.hash, c->index->meta.hash, 32) != 0)
		tell(c, KMS_E_ALTERED,
		    "index: made from another journal; run kmsctl ledger rebuild");
	if ((status = index_each(c->index->index, INDEX_CLIENTS, index_client, c)) != KMS_OK ||
	    (status = index_each(c->scratch->index, INDEX_CLIENTS, scratch_client, c)) != KMS_OK ||
	    (status = index_each(c->index->index, INDEX_RELAYED, observed_same, c)) != KMS_OK ||
	    (status = index_each(c->scratch->index, INDEX_RELAYED, observed_same, c)) != KMS_OK ||
	    (status = index_each(c->scratch->index, INDEX_BATCHES, scratch_batch, c)) != KMS_OK) {
		if (c->first == KMS_OK)
			tell(c, status, "index: %s", kms_strerror((uint32_t)status));
		return;
	}
	compare_days(c, &c->counted, &c->index->seats, what);
	compare_days(c, &c->index->seats, &c->counted, what);
}

/* Clients that the index lacks: correct only if they were forgotten after upto. */
static void
check_later(struct check *c)
{
	for (size_t i = 0; i < c->later_count; i++) {
		struct client_row row;
		bool from_index;
		char text[33];
		if (ledger_client(c->scratch, c->later[i], &row, &from_index) != KMS_OK ||
		    row.changed > c->upto)
			continue;
		hex_format(text, c->later[i], ROW_CMID);
		tell(c, KMS_E_ALTERED, "index: client %s is missing", text);
		if (enough(c))
			return;
	}
}

static void
walk(struct check *c, struct scan *s)
{
	uint64_t last = 0;
	struct fault fault = { 0 };
	int status;

	if (c->index != NULL && c->upto == 0)
		compare(c);
	while ((status = scan_next(s)) == KMS_OK) {
		check_signature(c, s);
		last = s->record.batch.number;
		if ((status = replay_batch(c->scratch, s, &fault)) != KMS_OK) {
			tell(c, status, "%s", fault.text);
			return;
		}
		if (c->index != NULL && last == c->upto)
			compare(c);
	}
	if (status != KMS_E_NOT_FOUND)
		tell(c, status, "%s", s->fault.text);
	else if (last < c->upto)
		tell(c, KMS_E_ALTERED,
		    "the journal ends with batch %" PRIu64
		    ", but the index contains batch %" PRIu64,
		    last, c->upto);
	else
		check_later(c);
	if (status != KMS_E_NOT_FOUND || lock_held(c->scratch->dirfd))
		return; /* the end is being written */
	if (s->torn)
		tell(c, KMS_E_TORN, "%s; kmsd clears it when it starts", s->fault.text);
	else if ((status = scan_rest(s)) != KMS_OK)
		tell(c, status, "%s", s->fault.text);
}

int
kmsdb_check(int dirfd, const uint8_t *sign_pk,
    void (*report)(int status, const char *line, void *arg), void *arg)
{
	struct kmsdb_options opt = { .overlay_records = 100000 };
	struct check *c = calloc(1, sizeof(*c));
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
	if ((status = ledger_open(&c->index, dirfd, &opt, LEDGER_READ, &fault)) != KMS_OK)
		tell(c, status, "%s", fault.text);
	else
		c->upto = c->index->meta.last;
	fault = (struct fault){ 0 };
	if ((status = ledger_open(&c->scratch, dirfd, &opt, LEDGER_CHECK, &fault)) != KMS_OK ||
	    (status = scan_open(&s, c->scratch->journalfd, NULL, 0, &fault)) != KMS_OK)
		tell(c, status, "%s", fault.text);
	else
		walk(c, s);
	scan_close(s);
	if (c->scratch != NULL)
		index_remove(c->scratch->dirfd, LEDGER_CHECK_NAME);
	kmsdb_close(c->scratch);
	kmsdb_close(c->index);
	seats_free(&c->counted);
	status = c->first;
	free(c);
	return status;
}
