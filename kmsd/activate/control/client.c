/*
 * client.c - one client: its record as the next decision will see it,
 * and what an administrator may do to it.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "libkms/base/address.h"
#include "libkms/base/hex.h"

static void
address(struct control_buf *b, const uint8_t octets[16])
{
	char text[ADDRESS_TEXT];

	control_text(b, "address", address_text(text, octets));
}

static void
row_product(struct activate *a, struct control_buf *b, const struct kmsdb_client *c)
{
	struct publisher_product found;
	bool counted = false;
	char publisher[17];

	control_uuid(b, "product", c->product);
	hex_format(publisher, c->publisher, 8);
	if (publishers_find(&a->publishers, c->product, &found)) {
		control_text(b, "product-name", found.product->name);
		control_text(b, "publisher", found.publisher->name);
		control_text(b, "pool-name", found.pool->name);
		counted = kmsdb_client_counts(
		    c, found.publisher->public.key.id, found.pool->number, policy_minute(a->now));
	} else {
		control_text(b, "publisher", publisher);
	}
	control_number(b, "pool", c->pool);
	if (c->class != 0)
		control_number(b, "class", c->class);
	for (unsigned i = 0; i < a->classes.count; i++)
		if (a->classes.at[i].number == c->class)
			control_text(b, "class-name", a->classes.at[i].of->name);
	control_number(b, "counted", counted);
}

/*
 * forgotten: a client that was forgotten is found too. Otherwise it is unknown, but for its
 * revocation.
 */
static int
find_client(struct control_request *q, bool forgotten, struct kmsdb_client *c)
{
	uint8_t cmid[16];
	int rc;

	if ((rc = control_id(q, "cmid", cmid)) != KMS_OK)
		return rc;
	pending_finish(q->activate);
	rc = kmsdb_client_get(q->activate->db, cmid, c);
	if (rc == KMS_OK && !forgotten && kmsdb_client_gone(c))
		rc = KMS_E_NOT_FOUND;
	if (rc == KMS_E_NOT_FOUND)
		snprintf(q->why, CONTROL_WHY, "no such client (kmsctl clients lists all)");
	return rc;
}

static void
cold_fields(struct control_request *q, const struct kmsdb_client *c)
{
	struct control_buf *b = q->out;
	struct kmsdb_cold cold;

	if (kmsdb_cold_get(q->activate->db, c->cmid, &cold) != KMS_OK)
		return;
	control_text(b, "name", cold.name);
	if (cold.user[0] != '\0')
		control_text(b, "user", cold.user);
	address(b, cold.address);
	control_number(b, "first-seen", cold.first_seen);
	if (cold.last_clone != 0)
		control_number(b, "last-clone", cold.last_clone);
	if (cold.caught_up != 0)
		control_number(b, "caught-up", cold.caught_up * UINT64_C(60));
	if ((c->flags & KMSDB_HELD) != 0)
		control_number(b, "held-until", cold.hold_end);
	if (cold.bound)
		control_number(b, "bound", 1);
	if ((c->flags & ENTRY_BOUND_OTHER) != 0)
		control_number(b, "bound-other", 1);
}

int
control_client_show(struct control_request *q)
{
	struct control_buf *b = q->out;
	struct kmsdb_client c;
	int rc;

	if ((rc = find_client(q, false, &c)) != KMS_OK)
		return rc;
	control_row(b, "client");
	control_hex(b, "cmid", c.cmid, 16);
	row_product(q->activate, b, &c);
	cold_fields(q, &c);
	control_text(b, "state", kmsdb_client_state(&c, q->activate->now));
	control_number(b, "status", c.status);
	control_number(b, "last-seen", c.last_seen);
	if (c.expires != 0)
		control_number(b, "expires", c.expires);
	if (c.until != 0)
		control_number(b, "counts-until", c.until * UINT64_C(60));
	control_number(b, "sequence", c.sequence);
	control_number(b, "batch", c.batch);
	control_number(b, "leaf", c.leaf);
	control_number(b, "revoked", (c.flags & KMSDB_REVOKED) != 0);
	control_number(b, "vm", (c.flags & ENTRY_VM) != 0);
	if ((c.flags & ENTRY_BORROWED) != 0)
		control_number(b, "borrowed-until", c.expires);
	if ((c.flags & ENTRY_OVERDRAFT) != 0)
		control_number(b, "overdraft", 1);
	if ((c.flags & (ENTRY_STATELESS | KMSDB_STATELESS)) != 0)
		control_number(b, "stateless", 1);
	return KMS_OK;
}

static int
write_about(struct control_request *q, struct entry_about *e)
{
	int rc = activate_record_about(q->activate, e);

	if (rc != KMS_OK) {
		snprintf(q->why, CONTROL_WHY, "the ledger cannot be written: %s",
		    kms_strerror((uint32_t)rc));
		return rc;
	}
	control_row(q->out, "client");
	control_hex(q->out, "cmid", e->cmid, 16);
	return KMS_OK;
}

/* Ends the client's seat, if it has one: everything that it did up to now. */
static int
end_seat(struct control_request *q, enum entry_kind kind)
{
	struct entry_about e = { .kind = (uint8_t)kind };
	struct kmsdb_client c;
	int rc;

	if ((rc = find_client(q, false, &c)) != KMS_OK)
		return rc;
	if (kind == ENTRY_UNREVOKE && (c.flags & KMSDB_REVOKED) == 0) {
		snprintf(q->why, CONTROL_WHY, "the client is not revoked");
		return KMS_E_ARGUMENT;
	}
	memcpy(e.cmid, c.cmid, 16);
	e.through = c.sequence;
	memcpy(e.product, c.product, 16);
	memcpy(e.publisher, c.publisher, 8);
	e.pool = c.pool;
	e.class = c.class;
	if ((rc = write_about(q, &e)) == KMS_OK && kind == ENTRY_FORGET)
		control_number(q->out, "revoked", (c.flags & KMSDB_REVOKED) != 0);
	return rc;
}

int
control_client_revoke(struct control_request *q)
{
	return end_seat(q, ENTRY_REVOKE);
}

int
control_client_unrevoke(struct control_request *q)
{
	return end_seat(q, ENTRY_UNREVOKE);
}

int
control_client_forget(struct control_request *q)
{
	return end_seat(q, ENTRY_FORGET);
}

/* Also of one that was forgotten. */
int
control_client_erase(struct control_request *q)
{
	struct entry_about e = { .kind = ENTRY_ERASE };
	struct kmsdb_client c;
	int rc;

	if ((rc = find_client(q, true, &c)) != KMS_OK)
		return rc;
	memcpy(e.cmid, c.cmid, 16);
	activate_clock(q->activate);
	e.value = q->activate->now;
	return write_about(q, &e);
}
