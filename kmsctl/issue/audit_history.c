/*
 * audit_history.c - see audit_history.h. A file may be larger than memory: of its batches only the
 * places are kept, and a hash is computed when somebody names its number.
 */
#include "kmsctl/issue/audit_history.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define STEP_BACK 60 /* seconds that a clock may be set back without a word (kms.journal(5)) */

void
audit_history_free(struct audit_history *h)
{
	free(h->headers);
	free(h->marks);
	free(h->witnesses);
	*h = (struct audit_history){ 0 };
}

/* Room for one more. */
static int
more(void **list, size_t size, size_t count, size_t *room)
{
	size_t wanted = *room != 0 ? 2 * *room : 64;
	void *grown;

	if (count < *room)
		return KMS_OK;
	if ((grown = realloc(*list, wanted * size)) == NULL)
		return KMS_E_NO_MEMORY;
	*list = grown;
	*room = wanted;
	return KMS_OK;
}

static int
add_mark(struct audit_history *h, const struct history_mark *mark)
{
	if (more((void **)&h->marks, sizeof(*h->marks), h->mark_count, &h->mark_room) != KMS_OK)
		return KMS_E_NO_MEMORY;
	h->marks[h->mark_count++] = *mark;
	return KMS_OK;
}

/* -- batch by batch -- */

int
audit_history_begin(struct audit_history *h, const struct batch_header *header, const uint8_t *at)
{
	size_t count = h->headers != NULL ? (size_t)(header->number - h->first) : 0;

	if (count == 0) {
		/* The last START before the file may be any that is older than its first batch. */
		const struct history_mark begun = { .time = header->time };

		h->first = header->number;
		memcpy(h->before, header->previous, sizeof(h->before));
		if (header->number > 1 && add_mark(h, &begun) != KMS_OK)
			return KMS_E_NO_MEMORY;
	}
	if (more((void **)&h->headers, sizeof(*h->headers), count, &h->room) != KMS_OK)
		return KMS_E_NO_MEMORY;
	h->headers[count] = at;
	h->last = header->number;
	h->clock = false;
	return KMS_OK;
}

static void
clock_entry(struct audit_history *h, const struct batch_header *header, const struct entry_admin *e,
    struct audit_findings *f)
{
	struct wire_reader r;
	uint64_t before, ahead;

	wire_reader_init(&r, e->blob, e->blob_len);
	before = wire_get_u64(&r);
	ahead = wire_get_u64(&r);
	h->clock = true;
	audit_find(f, AUDIT_CLOCK, HISTORY_NOTE, header->number, 1,
	    "the host's clock was set back, and its journal says so: the first time by %llu seconds",
	    (unsigned long long)ahead);
	if (header->number > h->first && before != h->time)
		audit_find(f, AUDIT_CLOCK_OTHER, HISTORY_UNEXPLAINED, header->number, 1,
		    "an entry about the clock does not name the time of the batch before it");
}

/*
 * A restore names the batch before its own: else it would explain what it did not undo. A host that
 * stopped too early says the same again at its next start, which explains no more than the first.
 * Of what was before the file, nothing is known.
 */
static bool
named_before(const struct audit_history *h, uint64_t number)
{
	for (size_t i = 0; i < h->mark_count; i++)
		if (h->marks[i].restored && h->marks[i].number == number)
			return true;
	return number + 1 < h->first;
}

static int
restored_entry(struct audit_history *h, const struct batch_header *header,
    const struct entry_admin *e, struct audit_findings *f)
{
	struct history_mark one = { .time = e->time, .restored = true };
	struct wire_reader r;
	bool first;

	wire_reader_init(&r, e->blob, e->blob_len);
	one.number = wire_get_u64(&r);
	one.since = wire_get_u64(&r);
	first = one.number == header->number - 1 &&
		memcmp(e->digest, header->previous, sizeof(header->previous)) == 0;
	if (!first && (one.number >= header->number - 1 || !named_before(h, one.number))) {
		audit_find(f, AUDIT_RESTORED, HISTORY_CONTRADICTION, header->number, 1,
		    "a restore names batch %llu as the last batch that was left, but the chain has another batch before the restore",
		    (unsigned long long)one.number);
		return KMS_OK;
	}
	/* Nobody restores nothing on purpose. */
	if (e->blob[16] == RESTORED_NOTHING)
		audit_find(f, AUDIT_RESTORED, HISTORY_UNEXPLAINED, header->number, 1,
		    "the host's ledger was missing: no file has its earlier batches");
	else
		audit_find(f, AUDIT_RESTORED, HISTORY_NOTE, header->number, 1,
		    "the host's ledger was restored to batch %llu: no file has the batches that it had after that",
		    (unsigned long long)one.number);
	return first ? add_mark(h, &one) : KMS_OK;
}

/* Only a header that the host itself signed says anything. */
static int
witness_entry(struct audit_history *h, const struct batch_header *header,
    const struct entry_admin *e, const uint8_t sign_pk[32], struct audit_findings *f)
{
	struct audit_claim claim = { .in = header->number };
	struct batch_header seen;

	batch_header_hash(claim.hash, e->blob);
	if (batch_header_decode(&seen, e->blob) != KMS_OK ||
	    memcmp(seen.host_id, header->host_id, sizeof(seen.host_id)) != 0 ||
	    memcmp(claim.hash, e->digest, sizeof(claim.hash)) != 0 ||
	    batch_verify(e->blob, e->blob + BATCH_HEADER, sign_pk) != KMS_OK) {
		audit_find(f, AUDIT_WITNESS, HISTORY_CONTRADICTION, header->number, 1,
		    "the host recorded a batch header that a client has, but the header's content, hash or signature is not from this host");
		return KMS_OK;
	}
	claim.number = seen.number;
	claim.time = seen.time;
	if (more((void **)&h->witnesses, sizeof(*h->witnesses), h->witness_count,
		&h->witness_room) != KMS_OK)
		return KMS_E_NO_MEMORY;
	h->witnesses[h->witness_count++] = claim;
	return KMS_OK;
}

int
audit_history_entry(struct audit_history *h, const struct batch_header *header,
    const struct entry_admin *e, const uint8_t sign_pk[32], struct audit_findings *f)
{
	const struct history_mark start = { .number = header->number - 1, .time = e->time };

	if (e->kind == ENTRY_START)
		return add_mark(h, &start);
	if (e->kind == ENTRY_CLOCK)
		clock_entry(h, header, e, f);
	else if (e->kind == ENTRY_RESTORED)
		return restored_entry(h, header, e, f);
	else if (e->kind == ENTRY_WITNESS)
		return witness_entry(h, header, e, sign_pk, f);
	return KMS_OK;
}

void
audit_history_end(
    struct audit_history *h, const struct batch_header *header, struct audit_findings *f)
{
	uint64_t back =
	    header->number > h->first && header->time < h->time ? h->time - header->time : 0;

	h->time = header->time;
	if (back == 0)
		return;
	if (h->clock || back <= STEP_BACK)
		audit_find(f, AUDIT_TIME_BACK, HISTORY_NOTE, header->number, 1,
		    "a batch has an earlier time than the batch before it: the first one by %llu seconds",
		    (unsigned long long)back);
	else
		audit_find(f, AUDIT_TIME_BACK, HISTORY_UNEXPLAINED, header->number, 1,
		    "a batch has an earlier time than the batch before it, and no entry says that the clock was set back: the first one by %llu seconds",
		    (unsigned long long)back);
}

/* -- after the last -- */

enum audit_lease_place
audit_history_place(const struct audit_history *h, uint64_t number, const uint8_t hash[32])
{
	uint8_t own[32];

	if (number > h->last)
		return LEASE_AFTER;
	if (number + 1 < h->first || number == 0)
		return LEASE_BEFORE;
	if (number + 1 == h->first)
		memcpy(own, h->before, sizeof(own));
	else
		batch_header_hash(own, h->headers[number - h->first]);
	return memcmp(own, hash, sizeof(own)) == 0 ? LEASE_IN_CHAIN : LEASE_OTHER;
}

/* What a grade says of a batch that the file has not. */
static void
tell(struct audit_findings *f, enum audit_kind kind, const struct history_header *of,
    enum history_grade grade, enum audit_lease_place place, const char *who, const uint8_t hash[32])
{
	static const char *const why[HISTORY_GRADES] = {
		[HISTORY_NOTE] = "a restore explains that",
		[HISTORY_UNEXPLAINED] = "no restore explains that",
		[HISTORY_CONTRADICTION] =
		    "the host, which was not set back, signed a different batch of this number",
	};
	uint64_t batch = kind == AUDIT_WITNESS ? of->seen : 0;
	char hex[65];

	hex_format(hex, hash, 32);
	audit_find(f, kind, grade, batch, 1, "%s %llu:%s: the file %s, and %s", who,
	    (unsigned long long)of->number, hex,
	    place == LEASE_AFTER ? "ends before it" : "does not have it", why[grade]);
}

static uint64_t
time_of(const struct audit_history *h, uint64_t number)
{
	struct batch_header header;

	if (batch_header_decode(&header, h->headers[number - h->first]) != KMS_OK)
		return UINT64_MAX; /* each was decoded before */
	return header.time;
}

/*
 * A restore explains what was signed before it. Who sets the clock ahead for that one entry would
 * have it explain what a copy signs after it, so it explains nothing that is later than any batch
 * from its own on, but for the little that a clock may go back without a word.
 */
static void
limit_restores(struct audit_history *h)
{
	uint64_t number = h->last, earliest = UINT64_MAX - STEP_BACK;

	for (size_t i = h->mark_count; i-- > 0;) {
		struct history_mark *m = &h->marks[i];

		if (!m->restored)
			continue;
		for (; number > m->number; number--) {
			uint64_t time = time_of(h, number);

			earliest = time < earliest ? time : earliest;
		}
		m->limit = earliest + STEP_BACK;
	}
}

/* Of one from before the file, nobody can say what the chain has, and which start came before it.
 */
static void
witness_finding(
    const struct audit_history *h, const struct audit_claim *c, struct audit_findings *f)
{
	enum audit_lease_place place = audit_history_place(h, c->number, c->hash);
	const struct history_header header = {
		.number = c->number, .time = c->time, .differs = place == LEASE_OTHER, .seen = c->in
	};
	enum history_grade grade = history_grade(&header, h->marks, h->mark_count);

	if (place == LEASE_IN_CHAIN)
		audit_find(f, AUDIT_WITNESS, HISTORY_UNEXPLAINED, c->in, 1,
		    "the host recorded that it lacks batch %llu, but the file has it",
		    (unsigned long long)c->number);
	else
		tell(f, AUDIT_WITNESS, &header, grade, place, "a client knows batch", c->hash);
}

static void
lease_finding(const struct audit_history *h, struct audit_lease *l, struct audit_findings *f)
{
	struct history_header header = { .number = l->number, .time = l->time, .seen = UINT64_MAX };

	l->place = audit_history_place(h, l->number, l->hash);
	header.differs = l->place == LEASE_OTHER;
	if (l->place == LEASE_OTHER || l->place == LEASE_AFTER)
		tell(f, AUDIT_LEASE, &header, history_grade(&header, h->marks, h->mark_count),
		    l->place, "a lease is of batch", l->hash);
}

void
audit_history_findings(struct audit_history *h, const uint8_t host[16], struct audit_lease *leases,
    size_t lease_count, struct audit_findings *f)
{
	limit_restores(h);
	for (size_t i = 0; i < h->witness_count; i++)
		witness_finding(h, &h->witnesses[i], f);
	for (size_t i = 0; i < lease_count; i++) {
		leases[i].place = LEASE_OF_ANOTHER;
		if (memcmp(leases[i].host, host, sizeof(leases[i].host)) == 0)
			lease_finding(h, &leases[i], f);
	}
}

enum history_grade
audit_history_rival(
    const struct audit_history *h, uint64_t number, uint64_t time, const uint8_t hash[32])
{
	const struct history_header header = { .number = number,
		.time = time,
		.differs = audit_history_place(h, number, hash) == LEASE_OTHER,
		.seen = UINT64_MAX };

	return history_grade(&header, h->marks, h->mark_count);
}
