/*
 * publisher_list.c - the publishers in memory: looking up a product, and what the host may do.
 */
#include "policy/files/publisher_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

int
publishers_init(struct publishers *s, unsigned most)
{
	*s = (struct publishers){ .dirfd = -1 };
	s->list = calloc(most > 0 ? most : 1, sizeof(*s->list));
	return s->list != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

/*
 * Files, ledger and HELLO identify a publisher by the key id, and the maker of a minisign key
 * chooses it: two publishers with one id would share all three.
 */
int
publishers_add(struct publishers *s, const char *name, const char *key, struct fault *f)
{
	static const uint8_t any[8];
	struct publisher *p = &s->list[s->count];

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	if (minisig_key_parse(&p->public.key, key) != KMS_OK)
		return fault_set(
		    f, KMS_E_CONFIG, "[publisher %s] key: not a minisign public key", name);
	if (memcmp(p->public.key.id, any, 8) == 0)
		return fault_set(f, KMS_E_CONFIG,
		    "[publisher %s] key: the key id is zero, which identifies no publisher", name);
	for (const struct publisher *o = s->list; o < p; o++)
		if (memcmp(o->public.key.id, p->public.key.id, 8) == 0)
			return fault_set(f, KMS_E_CONFIG,
			    "[publisher %s] key: has the same key id as [publisher %s]: ask both publishers which of the two keys is genuine",
			    name, o->name);
	s->count++;
	return KMS_OK;
}

void
publishers_free(struct publishers *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		free(s->list[i].pack);
		free(s->list[i].revocations);
	}
	free(s->list);
	s->list = NULL;
	s->count = 0;
}

bool
publishers_find(
    const struct publishers *s, const uint8_t product[16], struct publisher_product *out)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct publisher *p = &s->list[i];

		if (p->pack == NULL ||
		    (out->product = policy_product_find(p->pack, product)) == NULL)
			continue;
		out->publisher = p;
		out->pool = &p->pack->pools[out->product->pool];
		return true;
	}
	memset(out, 0, sizeof(*out));
	return false;
}

const struct publisher *
publishers_by_id(const struct publishers *s, const uint8_t id[8])
{
	static const uint8_t any[8];

	for (unsigned i = 0; i < s->count; i++)
		if (publisher_keys_find(&s->list[i].public, id) != NULL)
			return &s->list[i];
	return s->count == 1 && memcmp(id, any, 8) == 0 ? &s->list[0] : NULL;
}

const struct publisher *
publishers_claim(const struct publishers *s, const struct publisher *except,
    const struct policy_pack *pack, const struct policy_product **product)
{
	for (unsigned k = 0; k < pack->product_count; k++)
		for (unsigned i = 0; i < s->count; i++) {
			const struct publisher *p = &s->list[i];

			if (p == except || p->pack == NULL ||
			    policy_product_find(p->pack, pack->products[k].id) == NULL)
				continue;
			*product = &pack->products[k];
			return p;
		}
	return NULL;
}

const struct host_key *
publisher_find_host_key(const struct publisher *p, const uint8_t id[16])
{
	for (unsigned i = 0; i < p->key_count; i++)
		if (memcmp(p->keys[i].id, id, 16) == 0)
			return &p->keys[i];
	return NULL;
}

void
publisher_host(const struct publisher *p, bool covered, struct policy_host *out)
{
	memset(out, 0, sizeof(*out));
	if (p == NULL)
		return;
	out->installed = p->key_count > 0 || p->confirmed;
	out->confirmed = p->confirmed;
	out->revoked = p->revoked != NULL;
	if (!p->confirmed)
		return;
	out->covered = covered;
	out->not_before = p->certificate.not_before;
	out->not_after = p->certificate.not_after;
	out->capacity = p->certificate.capacity;
}

const char *
revocation_what(const struct revocation *e)
{
	return e->kind == REVOKED_KEY    ? "host key"
	       : e->kind == REVOKED_HOST ? "host"
					 : "host certificate";
}

uint64_t
publishers_audit_keep(const struct publishers *s)
{
	uint32_t most = s->count == 0 ? POLICY_AUDIT_KEEP : 0;

	for (unsigned i = 0; i < s->count; i++) {
		const struct policy_pack *pack = s->list[i].pack;
		uint32_t keep = pack != NULL ? pack->audit_keep : POLICY_AUDIT_KEEP;

		if (keep > most)
			most = keep;
	}
	return most * UINT64_C(60);
}
