/*
 * publisher_list.h - the publishers of kms.ini, each with what is installed for it: key rotation,
 * host keys, host certificate, policy pack, revocation list. find.c fills it from the state
 * directory, publisher_file.h changes it. Nothing else that the host knows is here: no secret, no
 * ledger.
 */
#ifndef KMS_POLICY_FILES_PUBLISHER_LIST_H
#define KMS_POLICY_FILES_PUBLISHER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/core/publisher_keys.h"
#include "policy/host_key.h"
#include "policy/policy.h"
#include "policy/revocation.h"

#define PUBLISHER_HOST_KEYS 16 /* host keys kept for one publisher */

struct publisher {
	char name[65];
	struct publisher_keys public; /* the key of kms.ini, and its chain of rotations */
	struct host_key keys[PUBLISHER_HOST_KEYS];
	uint8_t key_digests[PUBLISHER_HOST_KEYS][32]; /* SHA-256 of their files */
	unsigned key_count;
	bool confirmed; /* certificate is there */
	struct certificate certificate;
	/* when it was installed: in seconds, and the batch with its entry; 0: before this start */
	uint64_t certified, certified_batch;
	uint8_t certificate_octets[CERTIFICATE_MAX];
	size_t certificate_len;
	struct policy_pack *pack; /* NULL: none */
	uint8_t pack_digest[32];
	struct revocation_list *revocations; /* NULL: none */
	uint8_t revocations_digest[32];
	/* the entry that names this host's certificate; NULL: none */
	const struct revocation *revoked;
	/* by the certificate; same index as pack->products */
	bool covered[POLICY_PRODUCTS];
};

/* Most clients that may count in a pool of the publisher on this host; 0: no limit. */
static inline uint32_t
publisher_capacity(const struct publisher *p, const struct policy_pool *pool)
{
	const struct policy_host host = {
		.capacity = p->confirmed ? p->certificate.capacity : 0,
	};

	return policy_capacity(pool, &host);
}

struct publishers {
	struct publisher *list;
	unsigned count;
	int dirfd;              /* state directory, borrowed; -1: nothing is installed */
	const uint8_t *host_id; /* 16 bytes, borrowed; NULL: not known, no certificate is refused */
};

/* The caller sets dirfd and host_id. KMS_E_NO_MEMORY. */
int publishers_init(struct publishers *s, unsigned most);
/*
 * One more, with nothing installed. KMS_E_CONFIG: the key is not a minisign public key, or its id
 * is another publisher's.
 */
int publishers_add(struct publishers *s, const char *name, const char *key, struct fault *f);
void publishers_free(struct publishers *s);

/* The publisher whose pack names the product. */
struct publisher_product {
	const struct publisher *publisher;
	const struct policy_product *product;
	const struct policy_pool *pool;
};
bool publishers_find(
    const struct publishers *s, const uint8_t product[16], struct publisher_product *out);
/* By the id of any of its keys; the zero id means the only publisher there is. */
const struct publisher *publishers_by_id(const struct publishers *s, const uint8_t id[8]);
/*
 * Another publisher whose pack names a product of pack: a product belongs to one publisher, so
 * that a publisher cannot take another's clients. *product: the first such product. NULL: none.
 */
const struct publisher *publishers_claim(const struct publishers *s, const struct publisher *except,
    const struct policy_pack *pack, const struct policy_product **product);

/* Seconds that the journal is kept at least, as the packs say; without one: as one that does not.
 */
uint64_t publishers_audit_keep(const struct publishers *s);

const struct host_key *publisher_find_host_key(const struct publisher *p, const uint8_t id[16]);
/* What the host may do for a product, whether or not the certificate covers it; p may be NULL. */
void publisher_host(const struct publisher *p, bool covered, struct policy_host *out);
/* "host key": what the revocation names. */
const char *revocation_what(const struct revocation *e);

#endif
