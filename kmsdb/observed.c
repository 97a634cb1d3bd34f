/*
 * observed.c - rows of observed clients: their codec, and an entry's effect.
 */
#include "kmsdb/observed.h"

#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/core/entry_relayed.h"
#include "libkms/kms_error.h"

/* A cursor over a row whose size is known. */
static void
put(uint8_t **at, unsigned octets, uint64_t v)
{
	for (unsigned i = octets; i-- > 0; v >>= 8)
		(*at)[i] = (uint8_t)v;
	*at += octets;
}

static uint64_t
get(const uint8_t **at, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | *(*at)++;
	return v;
}

size_t
observed_encode(uint8_t out[ROW_OBSERVED], const struct observed_row *row)
{
	const struct kmsdb_relayed *r = &row->r;
	size_t n = strnlen(r->name, MESSAGE_NAME);
	uint8_t *at = out;

	put(&at, 6, row->changed);
	put(&at, 5, r->first_seen);
	put(&at, 5, r->last_seen);
	for (unsigned i = 0; i < KMSDB_RELAYED_OUTCOMES; i++)
		put(&at, 4, r->outcomes[i]);
	put(&at, 1, r->outcome);
	put(&at, 4, r->status);
	put(&at, 4, r->latency);
	for (unsigned i = 0; i < KMSDB_RELAYED_VERSIONS; i++) {
		put(&at, 2, r->versions[i].major);
		put(&at, 2, r->versions[i].minor);
		put(&at, 4, r->versions[i].count);
	}
	put(&at, 4, r->other_versions);
	for (unsigned i = 0; i < KMSDB_RELAYED_HOSTS; i++) {
		memcpy(at, r->hosts[i].address, 16);
		at += 16;
		put(&at, 2, r->hosts[i].port);
		put(&at, 4, r->hosts[i].count);
	}
	put(&at, 4, r->other_hosts);
	memcpy(at, r->cmid, 16);
	at += 16;
	put(&at, 4, r->count);
	put(&at, 5, r->told);
	memcpy(at, r->address, 16);
	at += 16;
	put(&at, 5, r->address_time);
	put(&at, 5, r->name_time);
	put(&at, 1, n);
	memcpy(at, r->name, n);
	return ROW_OBSERVED_FIXED + n;
}

int
observed_decode(struct observed_row *row, const uint8_t subject[16], const uint8_t *in, size_t len)
{
	struct kmsdb_relayed *r = &row->r;
	const uint8_t *at = in;
	size_t n;

	memset(row, 0, sizeof(*row));
	if (len < ROW_OBSERVED_FIXED)
		return KMS_E_ALTERED;
	memcpy(r->subject, subject, 16);
	row->changed = get(&at, 6);
	r->first_seen = get(&at, 5);
	r->last_seen = get(&at, 5);
	for (unsigned i = 0; i < KMSDB_RELAYED_OUTCOMES; i++)
		r->outcomes[i] = (uint32_t)get(&at, 4);
	r->outcome = (uint8_t)get(&at, 1);
	r->status = (uint32_t)get(&at, 4);
	r->latency = (uint32_t)get(&at, 4);
	for (unsigned i = 0; i < KMSDB_RELAYED_VERSIONS; i++) {
		r->versions[i].major = (uint16_t)get(&at, 2);
		r->versions[i].minor = (uint16_t)get(&at, 2);
		r->versions[i].count = (uint32_t)get(&at, 4);
	}
	r->other_versions = (uint32_t)get(&at, 4);
	for (unsigned i = 0; i < KMSDB_RELAYED_HOSTS; i++) {
		memcpy(r->hosts[i].address, at, 16);
		at += 16;
		r->hosts[i].port = (uint16_t)get(&at, 2);
		r->hosts[i].count = (uint32_t)get(&at, 4);
	}
	r->other_hosts = (uint32_t)get(&at, 4);
	memcpy(r->cmid, at, 16);
	at += 16;
	r->count = (uint32_t)get(&at, 4);
	r->told = get(&at, 5);
	memcpy(r->address, at, 16);
	at += 16;
	r->address_time = get(&at, 5);
	r->name_time = get(&at, 5);
	n = (size_t)get(&at, 1);
	if (n > MESSAGE_NAME || len != ROW_OBSERVED_FIXED + n)
		return KMS_E_ALTERED;
	memcpy(r->name, at, n);
	return KMS_OK;
}

static void
count_one(uint32_t *counter)
{
	if (*counter < UINT32_MAX)
		(*counter)++;
}

/* Counts it in the place of that version or host, in a free place, or among the others. */
static void
count_version(struct kmsdb_relayed *r, const struct entry_relayed *e)
{
	for (unsigned i = 0; i < KMSDB_RELAYED_VERSIONS; i++) {
		struct kmsdb_relayed_version *v = &r->versions[i];

		if (v->count != 0 && (v->major != e->major || v->minor != e->minor))
			continue;
		v->major = e->major;
		v->minor = e->minor;
		count_one(&v->count);
		return;
	}
	count_one(&r->other_versions);
}

static void
count_host(struct kmsdb_relayed *r, const struct entry_relayed *e)
{
	for (unsigned i = 0; i < KMSDB_RELAYED_HOSTS; i++) {
		struct kmsdb_relayed_host *h = &r->hosts[i];

		if (h->count != 0 &&
		    (h->port != e->port || memcmp(h->address, e->address, 16) != 0))
			continue;
		memcpy(h->address, e->address, 16);
		h->port = e->port;
		count_one(&h->count);
		return;
	}
	count_one(&r->other_hosts);
}

static void
take_exchange(struct kmsdb_relayed *r, const struct entry_relayed *e)
{
	if (r->first_seen == 0)
		r->first_seen = e->time;
	r->last_seen = e->time;
	r->outcome = e->outcome;
	r->status = e->status;
	r->latency = e->latency;
	if (e->outcome >= 1 && e->outcome <= KMSDB_RELAYED_OUTCOMES)
		count_one(&r->outcomes[e->outcome - 1]);
	if (e->sent > 0)
		count_version(r, e);
	if (e->port != 0)
		count_host(r, e);
}

void
observed_blank(struct kmsdb_relayed *r, uint64_t floor)
{
	if (r->address_time <= floor) {
		memset(r->address, 0, sizeof(r->address));
		r->address_time = 0;
	}
	if (r->name_time <= floor) {
		memset(r->name, 0, sizeof(r->name));
		r->name_time = 0;
	}
}

bool
observed_expired(const struct kmsdb_relayed *r, const struct index_floors *floors)
{
	return floors->relayed != 0 && r->last_seen <= floors->relayed;
}

/* Address, and the name if the entry brings one: an exchange does not. */
static void
take_names(struct kmsdb_relayed *r, const struct apply_entry *e)
{
	if (!e->named)
		return;
	r->address_time = e->time;
	memcpy(r->address, e->aside.address, sizeof(r->address));
	if (e->kind != ENTRY_RELAYED_NAME)
		return;
	r->name_time = e->time;
	memcpy(r->name, e->aside.name, sizeof(r->name));
}

int
observed_apply(struct observed_row *row, const struct item *item, const struct apply_entry *e)
{
	struct entry_relayed x;
	struct entry_relayed_name name;
	int rc;

	if (e->kind == ENTRY_RELAYED) {
		rc = entry_relayed_decode(&x, item->entry, item->entry_len);
		if (rc != KMS_OK)
			return rc;
		take_exchange(&row->r, &x);
	} else {
		rc = entry_relayed_name_decode(&name, item->entry, item->entry_len);
		if (rc != KMS_OK)
			return rc;
		memcpy(row->r.cmid, name.cmid, 16);
		row->r.count = name.count;
		row->r.told = name.told;
	}
	take_names(&row->r, e);
	row->changed = e->place.batch;
	return KMS_OK;
}
