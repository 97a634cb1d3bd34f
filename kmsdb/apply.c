/*
 * apply.c - an entry's effect, kind by kind: the table of apply.h as code.
 */
#include "kmsdb/apply.h"

#include <string.h>

#include "libkms/kms_error.h"

int
apply_decode(
    struct apply_entry *out, const uint8_t *entry, size_t len, uint64_t batch, uint32_t leaf)
{
	struct entry_admin admin;
	int status;

	out->kind = (uint8_t)entry_kind(entry, len);
	out->batch = batch;
	out->leaf = leaf;
	if (entry_kind_is_client(out->kind)) {
		if ((status = entry_client_decode(&out->client, entry, len)) != KMS_OK)
			return status;
		memcpy(out->cmid, out->client.cmid, 16);
		out->time = out->client.time;
		out->host_hash = row_host_hash(out->client.name, out->client.address);
		out->about_client = true;
		return KMS_OK;
	}
	if ((status = entry_admin_decode(&admin, entry, len)) != KMS_OK)
		return status;
	memcpy(out->cmid, admin.subject, 16);
	out->time = admin.time;
	out->host_hash = 0;
	out->about_client = out->kind == ENTRY_REVOKE || out->kind == ENTRY_FORGET;
	return KMS_OK;
}

static void
take_product(struct kmsdb_client *c, const struct entry_client *e)
{
	memcpy(c->product, e->product, 16);
	memcpy(c->publisher, e->publisher, 8);
	c->pool = e->pool;
}

/* LEASE, SEEN, RELEASE. */
static void
take_seat(struct kmsdb_client *c, const struct apply_entry *e)
{
	const struct entry_client *in = &e->client;

	take_product(c, in);
	c->kind = e->kind;
	c->flags &= KMSDB_REVOKED;
	if (in->flags & ENTRY_VM)
		c->flags |= KMSDB_VM;
	if (in->sequence >= c->sequence) {
		c->sequence = in->sequence;
		memcpy(c->request_id, in->request_id, 16);
		c->batch = e->batch;
		c->leaf = e->leaf;
	}
	if (e->kind == ENTRY_LEASE)
		c->expires = in->expires;
	/*
	 * The row has 24 bits for the day, and the day that is uncounted later must be the one that
	 * was counted.
	 */
	c->seen_day = e->time / 86400 < 0xffffff ? (uint32_t)(e->time / 86400) : 0xffffff;
	if (e->kind == ENTRY_RELEASE) {
		c->expires = 0;
		c->seen_day = 0;
		c->flags |= KMSDB_RELEASED;
	}
}

static void
take_refusal(struct kmsdb_client *c, bool exists, const struct apply_entry *e)
{
	if (!exists && e->client.status != KMS_E_UNKNOWN_PRODUCT)
		take_product(c, &e->client);
	if (e->client.flags & ENTRY_VM)
		c->flags |= KMSDB_VM;
}

bool
apply_client(struct client_row *row, bool exists, const struct apply_entry *e)
{
	struct kmsdb_client *c = &row->c;

	if (e->kind == ENTRY_FORGET)
		return false;
	if (!exists) {
		memset(row, 0, sizeof(*row));
		memcpy(c->cmid, e->cmid, 16);
	}
	row->changed = e->batch;
	if (e->kind == ENTRY_REVOKE) {
		c->flags |= KMSDB_REVOKED;
		c->seen_day = 0;
		return true;
	}
	if (e->kind == ENTRY_REFUSAL)
		take_refusal(c, exists, e);
	else
		take_seat(c, e);
	c->status = e->client.status;
	c->last_seen = e->time;
	if (c->entries < UINT32_MAX)
		c->entries++;
	if ((e->client.flags & ENTRY_CLONE) && c->clones < UINT16_MAX)
		c->clones++;
	row->host_hash = e->host_hash;
	return true;
}

void
apply_host(struct kmsdb_host *host, bool exists, const struct apply_entry *e)
{
	if (!exists) {
		memset(host, 0, sizeof(*host));
		memcpy(host->cmid, e->cmid, 16);
		host->first_seen = e->time;
	}
	memcpy(host->name, e->client.name, sizeof(host->name));
	memcpy(host->address, e->client.address, 16);
}
