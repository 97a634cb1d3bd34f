/*
 * client.c - one client: its record as the next decision will see it,
 * and the two things an administrator may do to it.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "libkms/base/address.h"
#include "libkms/base/hex.h"

static const char *
state_of(const struct activate *a, const struct kmsdb_client *c)
{
	if (c->flags & KMSDB_REVOKED)
		return "revoked";
	if (c->flags & KMSDB_RELEASED)
		return "released";
	if (c->kind == ENTRY_LEASE)
		return c->expires < a->now ? "expired" : "activated";
	if (c->kind == ENTRY_SEEN)
		return "below-threshold";
	return c->status != KMS_OK ? "refused" : "not-seen";
}

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
		counted =
		    c->seen_day != 0 && (c->flags & KMSDB_RELEASED) == 0 &&
		    c->pool == found.pool->number &&
		    memcmp(c->publisher, found.publisher->public.key.id, 8) == 0 &&
		    policy_in_window(c->seen_day, policy_day(a->now), found.pool->window_days);
	} else {
		control_text(b, "publisher", publisher);
	}
	control_number(b, "pool", c->pool);
	control_number(b, "counted", counted);
}

static int
find_client(struct control_request *q, struct kmsdb_client *c)
{
	uint8_t cmid[16];
	int rc;

	if ((rc = control_id(q, "cmid", cmid)) != KMS_OK)
		return rc;
	pending_finish(q->activate);
	if ((rc = kmsdb_client_get(q->activate->db, cmid, c)) == KMS_E_NOT_FOUND)
		snprintf(q->why, CONTROL_WHY, "no such client (kmsctl clients lists all)");
	return rc;
}

int
control_client_show(struct control_request *q)
{
	struct control_buf *b = q->out;
	struct kmsdb_client c;
	struct kmsdb_host h;
	int rc;

	if ((rc = find_client(q, &c)) != KMS_OK)
		return rc;
	control_row(b, "client");
	control_hex(b, "cmid", c.cmid, 16);
	row_product(q->activate, b, &c);
	if (kmsdb_host_get(q->activate->db, c.cmid, &h) == KMS_OK) {
		control_text(b, "name", h.name);
		address(b, h.address);
		control_number(b, "first-seen", h.first_seen);
	}
	control_text(b, "state", state_of(q->activate, &c));
	control_number(b, "status", c.status);
	control_number(b, "last-seen", c.last_seen);
	if (c.expires != 0)
		control_number(b, "expires", c.expires);
	control_number(b, "sequence", c.sequence);
	control_number(b, "batch", c.batch);
	control_number(b, "leaf", c.leaf);
	control_number(b, "entries", c.entries);
	control_number(b, "clones", c.clones);
	control_number(b, "revoked", (c.flags & KMSDB_REVOKED) != 0);
	control_number(b, "vm", (c.flags & KMSDB_VM) != 0);
	return KMS_OK;
}

static int
record(struct control_request *q, enum entry_kind kind)
{
	struct entry_admin e = { .kind = (uint8_t)kind };
	struct kmsdb_client c;
	int rc;

	if ((rc = find_client(q, &c)) != KMS_OK)
		return rc;
	memcpy(e.subject, c.cmid, 16);
	if ((rc = activate_record(q->activate, &e)) != KMS_OK) {
		snprintf(q->why, CONTROL_WHY, "the ledger cannot be written: %s",
		    kms_strerror((uint32_t)rc));
		return rc;
	}
	control_row(q->out, "client");
	control_hex(q->out, "cmid", c.cmid, 16);
	return KMS_OK;
}

int
control_client_revoke(struct control_request *q)
{
	return record(q, ENTRY_REVOKE);
}

int
control_client_forget(struct control_request *q)
{
	return record(q, ENTRY_FORGET);
}
