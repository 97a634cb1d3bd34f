/*
 * audit_clients.c - see audit_clients.h.
 */
#include "kmsctl/issue/audit_clients.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/policy.h"

struct client {
	uint8_t cmid[16];
	bool leased;    /* in the period */
	bool ours;      /* has an entry of this publisher */
	bool revoked;   /* as the highest counter says */
	bool served;    /* has a LEASE or SEEN of this publisher */
	bool suspended; /* has a seat that does not count, as it is revoked: where it says */
	uint8_t marked; /* bits of enum audit_mark */
	uint8_t stage;  /* of its last act, with the sequence number */
	uint64_t sequence;
	uint64_t leased_at; /* sequence number of the last act that gave or ended a lease */
	uint64_t counter;
	uint64_t held, holds; /* first batch with a HOLD, and how many there are */
	uint8_t name[COMMITMENT], address[COMMITMENT];
	struct audit_span seat, lease;
	uint32_t hosts,
	    host; /* of several chains: how many served it, and which one last, from 1 */
};

struct seat {
	uint8_t product[16], cmid[16];
	uint64_t leases;
};

_Static_assert(AUDIT_MARKS <= 8, "bits of marked");

void
audit_clients_init(struct audit_clients *c)
{
	memset(c, 0, sizeof(*c));
	audit_table_init(&c->rows, sizeof(struct client), 16);
	audit_table_init(&c->seats, sizeof(struct seat), 32);
	audit_recount_init(&c->recount);
}

void
audit_clients_free(struct audit_clients *c)
{
	audit_table_free(&c->rows);
	audit_table_free(&c->seats);
	audit_recount_free(&c->recount);
}

/* -- what an entry tells about copies -- */

static void
mark(struct audit_clients *c, struct client *row, enum audit_mark what, uint64_t batch)
{
	struct audit_marked *m = &c->marks[what];

	if (m->entries++ == 0)
		m->first = batch;
	if ((row->marked & 1u << what) == 0)
		m->clients++;
	row->marked |= (uint8_t)(1u << what);
}

/* A commitment has the salt of its client, which stays: another one is another name. */
static void
compare(struct audit_clients *c, struct client *row, enum audit_mark what, uint8_t was[COMMITMENT],
    const uint8_t now[COMMITMENT], uint64_t batch)
{
	if (row->ours && memcmp(was, now, COMMITMENT) != 0)
		mark(c, row, what, batch);
	memcpy(was, now, COMMITMENT);
}

static void
take_marks(
    struct audit_clients *c, struct client *row, const struct entry_client *e, uint64_t batch)
{
	if (e->flags & ENTRY_CLONE)
		mark(c, row, MARK_CLONE, batch);
	if (e->flags & ENTRY_CAUGHT_UP)
		mark(c, row, MARK_CAUGHT_UP, batch);
	if (e->flags & ENTRY_BOUND_OTHER)
		mark(c, row, MARK_BOUND_OTHER, batch);
	compare(c, row, MARK_NAME, row->name, e->commitments.name, batch);
	compare(c, row, MARK_ADDRESS, row->address, e->commitments.address, batch);
	row->ours = true;
}

/* -- seats -- */

static int
take_lease(struct audit_clients *c, struct client *row, const struct entry_client *e)
{
	uint8_t key[32];
	struct seat *seat;

	memcpy(key, e->product, 16);
	memcpy(key + 16, e->cmid, 16);
	if ((seat = audit_table_at(&c->seats, key)) == NULL)
		return KMS_E_NO_MEMORY;
	seat->leases++;
	row->leased = true;
	return KMS_OK;
}

/* Acts are compared by sequence number and stage; in one chain, a later entry wins. */
static bool
supersedes(struct client *row, uint64_t sequence, uint8_t stage)
{
	if (sequence < row->sequence || (sequence == row->sequence && stage < row->stage))
		return false;
	row->sequence = sequence;
	row->stage = stage;
	return true;
}

/* The lease that it holds, which no host can take from it. */
static int
move_lease(struct audit_clients *c, struct client *row, const struct entry_client *e, bool ours)
{
	uint32_t minute = policy_minute(e->time);

	if ((e->kind == ENTRY_SEEN && ours) || e->sequence < row->leased_at)
		return KMS_OK;
	row->leased_at = e->sequence;
	if (ours && e->kind == ENTRY_LEASE)
		return audit_recount_hold(
		    &c->recount, &row->lease, e->pool, minute, policy_minute(e->expires));
	return audit_recount_let_go(&c->recount, &row->lease, minute);
}

static int
leave_seat(struct audit_clients *c, struct client *row, uint32_t minute)
{
	row->suspended = false;
	return audit_recount_leave(&c->recount, &row->seat, minute);
}

static int
suspend_seat(struct audit_clients *c, struct client *row, uint32_t minute)
{
	row->suspended = row->seat.open;
	return audit_recount_leave(&c->recount, &row->seat, minute);
}

static int
move_seat(struct audit_clients *c, struct client *row, const struct entry_client *e, bool ours,
    enum audit_join *joins)
{
	uint32_t minute = policy_minute(e->time);
	int rc;

	if (!ours || e->kind == ENTRY_RELEASE || e->until <= minute)
		return leave_seat(c, row, minute);
	rc = audit_recount_sit(&c->recount, &row->seat, e->pool, minute, e->until, joins);
	if (rc != KMS_OK || !row->revoked)
		return rc;
	if (*joins == JOIN_MORE)
		*joins = JOIN_NONE;
	return suspend_seat(c, row, minute);
}

int
audit_clients_act(struct audit_clients *c, const struct entry_client *e, uint64_t batch, bool ours,
    bool in_period, struct audit_act *out)
{
	struct client *row = audit_table_at(&c->rows, e->cmid);
	int rc;

	*out = (struct audit_act){ JOIN_NONE, COUNTS };
	if (row == NULL)
		return KMS_E_NO_MEMORY;
	c->recount.client = row->cmid;
	if (ours)
		take_marks(c, row, e, batch);
	row->served = row->served || (ours && (e->kind == ENTRY_LEASE || e->kind == ENTRY_SEEN));
	if (e->kind == ENTRY_REFUSAL)
		return KMS_OK;
	if (ours && in_period && e->kind == ENTRY_LEASE && (rc = take_lease(c, row, e)) != KMS_OK)
		return rc;
	if ((rc = move_lease(c, row, e, ours)) != KMS_OK)
		return rc;
	if (row->revoked)
		out->counts = COUNTS_REVOKED;
	if (supersedes(row, e->sequence, 0))
		return move_seat(c, row, e, ours, &out->joins);
	out->counts = COUNTS_EARLIER;
	return KMS_OK;
}

/* A seat that the revocation did not end does not count while it is in force. */
static int
move_revocation(struct audit_clients *c, struct client *row, const struct entry_about *e)
{
	bool was = row->revoked;
	uint32_t minute = policy_minute(e->time);
	enum audit_join joins;

	if (e->counter < row->counter)
		return KMS_OK;
	row->counter = e->counter;
	row->revoked = e->kind == ENTRY_REVOKE;
	if (row->revoked && !was)
		return suspend_seat(c, row, minute);
	if (row->revoked || !row->suspended)
		return KMS_OK;
	row->suspended = false;
	return audit_recount_sit(
	    &c->recount, &row->seat, row->seat.pool, minute, row->seat.until, &joins);
}

int
audit_clients_about(
    struct audit_clients *c, const struct entry_about *e, uint64_t batch, bool *late)
{
	struct client *row;
	int rc;

	*late = false;
	if (e->kind == ENTRY_ERASE || e->kind == ENTRY_EXPIRE)
		return KMS_OK;
	if ((row = audit_table_at(&c->rows, e->cmid)) == NULL)
		return KMS_E_NO_MEMORY;
	c->recount.client = row->cmid;
	if (e->kind == ENTRY_HOLD) {
		row->held = row->holds++ == 0 ? batch : row->held;
		return KMS_OK;
	}
	if (!supersedes(row, e->through, 1))
		*late = row->ours;
	else if ((rc = leave_seat(c, row, policy_minute(e->time))) != KMS_OK)
		return rc;
	return e->kind == ENTRY_REVOKE || e->kind == ENTRY_UNREVOKE ? move_revocation(c, row, e)
								    : KMS_OK;
}

/* -- the end -- */

static int
by_id(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

int
audit_clients_count(const struct audit_clients *c, uint64_t *clients,
    struct audit_product products[AUDIT_PRODUCTS], unsigned *product_count)
{
	struct audit_table found;
	int rc = KMS_OK;

	*clients = 0;
	for (size_t i = 0; i < c->rows.count; i++)
		*clients += ((const struct client *)audit_table_row(&c->rows, i))->leased;
	audit_table_init(&found, sizeof(struct audit_product), 16);
	for (size_t i = 0; i < c->seats.count && rc == KMS_OK; i++) {
		const struct seat *seat = audit_table_row(&c->seats, i);
		struct audit_product *p = audit_table_at(&found, seat->product);

		if (p == NULL)
			rc = KMS_E_NO_MEMORY;
		else if (found.count > AUDIT_PRODUCTS)
			rc = KMS_E_TOO_LARGE;
		else {
			p->clients++;
			p->leases += seat->leases;
		}
	}
	if (rc == KMS_OK && found.count > 0) {
		*product_count = (unsigned)found.count;
		memcpy(products, found.rows, found.count * sizeof(*products));
		qsort(products, found.count, sizeof(*products), by_id);
	}
	audit_table_free(&found);
	return rc;
}

int
audit_clients_into(struct audit_clients *all, const struct audit_clients *c, uint32_t host)
{
	for (size_t i = 0; i < c->rows.count; i++) {
		const struct client *row = audit_table_row(&c->rows, i);
		struct client *sum;

		if (!row->leased && !row->served)
			continue;
		if ((sum = audit_table_at(&all->rows, row->cmid)) == NULL)
			return KMS_E_NO_MEMORY;
		sum->leased = sum->leased || row->leased;
		if (row->served && sum->host != host) {
			sum->host = host;
			sum->hosts++;
		}
	}
	for (size_t i = 0; i < c->seats.count; i++) {
		const struct seat *seat = audit_table_row(&c->seats, i);
		struct seat *sum = audit_table_at(&all->seats, seat->product);

		if (sum == NULL)
			return KMS_E_NO_MEMORY;
		sum->leases += seat->leases;
	}
	return KMS_OK;
}

bool
audit_clients_several(const struct audit_clients *all, const uint8_t cmid[16])
{
	const struct client *row = audit_table_find(&all->rows, cmid);

	return row != NULL && row->hosts > 1;
}

uint64_t
audit_clients_several_count(const struct audit_clients *all)
{
	uint64_t several = 0;

	for (size_t i = 0; i < all->rows.count; i++)
		several += ((const struct client *)audit_table_row(&all->rows, i))->hosts > 1;
	return several;
}

int
audit_clients_close(struct audit_clients *c)
{
	int rc = KMS_OK;

	for (size_t i = 0; i < c->rows.count && rc == KMS_OK; i++) {
		struct client *row = audit_table_row(&c->rows, i);

		c->recount.client = row->cmid;
		if ((rc = audit_recount_leave(&c->recount, &row->seat, UINT32_MAX)) == KMS_OK)
			rc = audit_recount_let_go(&c->recount, &row->lease, UINT32_MAX);
	}
	return rc;
}

/* Whose a client is that was held, a later entry may say. */
static void
count_held(struct audit_clients *c)
{
	struct audit_marked *m = &c->marks[MARK_HELD];

	for (size_t i = 0; i < c->rows.count; i++) {
		const struct client *row = audit_table_row(&c->rows, i);

		if (!row->ours || row->holds == 0)
			continue;
		if (m->clients++ == 0 || row->held < m->first)
			m->first = row->held;
		m->entries += row->holds;
	}
}

void
audit_clients_findings(struct audit_clients *c, struct audit_findings *f)
{
	static const struct {
		enum audit_kind kind;
		const char *what; /* "3 clients ..., N times" */
	} rows[AUDIT_MARKS] = {
		[MARK_CLONE] = { AUDIT_CLONE, "were marked as copies" },
		[MARK_CAUGHT_UP] = { AUDIT_CAUGHT_UP,
		    "had an old sequence number, and proved that they have the key" },
		[MARK_HELD] = { AUDIT_HELD,
		    "were held, because two machines used one key in turn" },
		[MARK_BOUND_OTHER] = { AUDIT_BOUND_OTHER,
		    "came from a different machine than before" },
		[MARK_NAME] = { AUDIT_SEVERAL_NAMES, "sent a different name than before" },
		[MARK_ADDRESS] = { AUDIT_SEVERAL_ADDRESSES,
		    "came from a different address than before" },
	};

	count_held(c);
	for (unsigned i = 0; i < AUDIT_MARKS; i++) {
		const struct audit_marked *m = &c->marks[i];

		if (m->entries > 0)
			audit_find(f, rows[i].kind, HISTORY_NOTE, m->first, m->clients,
			    "%llu clients %s, %llu times", (unsigned long long)m->clients,
			    rows[i].what, (unsigned long long)m->entries);
	}
}
