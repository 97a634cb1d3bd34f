/*
 * service.c - the publishers in memory: loading what is installed, looking up
 * a product, answering for the host's rights.
 */
#include "kmsd/activate/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/service_files.h"
#include "kmsd/common/log.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

/*
 * The key id is what files, ledger and HELLO know a publisher by, and whoever makes a
 * minisign key chooses it: two publishers with one id would share all three.
 */
static bool
check_id(const struct service *s, const struct service_publisher *p, char why[256])
{
	static const uint8_t any[8];

	if (memcmp(p->key.id, any, 8) == 0) {
		snprintf(why, 256,
		    "[publisher %s] key: the key id is zero, which identifies no publisher",
		    p->name);
		return false;
	}
	for (const struct service_publisher *o = s->publishers; o < p; o++) {
		if (memcmp(o->key.id, p->key.id, 8) != 0)
			continue;
		snprintf(why, 256,
		    "[publisher %s] key: has the same key id as [publisher %s]: ask both publishers which of the two keys is genuine",
		    p->name, o->name);
		return false;
	}
	return true;
}

/* After a change of kms.ini, packs may meet that were never checked against each other. */
static void
tell_disputed(const struct service *s, const struct service_publisher *p)
{
	char id[37];

	for (unsigned i = 0; p->pack != NULL && i < p->pack->product_count; i++) {
		const struct service_publisher *o = service_claims(s, p, p->pack->products[i].id);

		if (o == NULL || o > p)
			continue;
		uuid_format(id, p->pack->products[i].id);
		log_event(LOG_ERR, "product-disputed",
		    "the packs of publishers %s and %s both name product %s: %s, which comes first in kms.ini, serves it",
		    o->name, p->name, id, o->name);
	}
}

int
service_open(struct service *s, int dirfd, const struct host_identity *key,
    const struct config *config, char why[256])
{
	memset(s, 0, sizeof(*s));
	s->dirfd = dirfd;
	s->key = key;
	s->publishers = calloc(CONFIG_PUBLISHERS, sizeof(*s->publishers));
	if (s->publishers == NULL) {
		snprintf(why, 256, "out of memory");
		return KMS_E_NO_MEMORY;
	}
	for (unsigned i = 0; i < config->publisher_count; i++) {
		struct service_publisher *p = &s->publishers[s->count++];

		snprintf(p->name, sizeof(p->name), "%s", config->publishers[i].name);
		if (minisig_key_parse(&p->key, config->publishers[i].key) != KMS_OK) {
			snprintf(
			    why, 256, "[publisher %s] key: not a minisign public key", p->name);
			service_close(s);
			return KMS_E_CONFIG;
		}
		if (!check_id(s, p, why)) {
			service_close(s);
			return KMS_E_CONFIG;
		}
		service_files_load(s, p);
		tell_disputed(s, p);
	}
	return KMS_OK;
}

void
service_close(struct service *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		free(s->publishers[i].pack);
		free(s->publishers[i].revocations);
	}
	free(s->publishers);
	s->publishers = NULL;
	s->count = 0;
}

bool
service_find(const struct service *s, const uint8_t product[16], struct service_found *out)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct service_publisher *p = &s->publishers[i];

		if (p->pack == NULL)
			continue;
		if ((out->product = policy_product_find(p->pack, product)) == NULL)
			continue;
		out->publisher = p;
		out->pool = &p->pack->pools[out->product->pool];
		return true;
	}
	memset(out, 0, sizeof(*out));
	return false;
}

void
service_host(const struct service_found *f, struct policy_host *out)
{
	const struct service_publisher *p = f->publisher;

	memset(out, 0, sizeof(*out));
	if (p == NULL)
		return;
	out->installed = p->key_count > 0 || p->confirmed;
	out->confirmed = p->confirmed;
	out->revoked = p->revoked != NULL;
	if (!p->confirmed)
		return;
	out->covered = p->covered[f->product - p->pack->products];
	out->not_before = p->certificate.not_before;
	out->not_after = p->certificate.not_after;
	out->capacity = p->certificate.capacity;
}

const struct service_publisher *
service_publisher(const struct service *s, const uint8_t id[8])
{
	static const uint8_t any[8];

	for (unsigned i = 0; i < s->count; i++) {
		if (service_signer(&s->publishers[i], id) != NULL)
			return &s->publishers[i];
	}
	return s->count == 1 && memcmp(id, any, 8) == 0 ? &s->publishers[0] : NULL;
}

const struct service_publisher *
service_claims(
    const struct service *s, const struct service_publisher *except, const uint8_t product[16])
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct service_publisher *p = &s->publishers[i];

		if (p != except && p->pack != NULL && policy_product_find(p->pack, product) != NULL)
			return p;
	}
	return NULL;
}

const struct host_key *
service_key(const struct service_publisher *p, const uint8_t id[16])
{
	for (unsigned i = 0; i < p->key_count; i++) {
		if (memcmp(p->keys[i].id, id, 16) == 0)
			return &p->keys[i];
	}
	return NULL;
}
