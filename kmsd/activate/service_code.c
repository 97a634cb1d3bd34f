/*
 * service_code.c - a confirmation that was typed: the host certificate is made of the code and of
 * what this host knows, byte by byte what the publisher signed, or its signature does not fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/service_files.h"
#include "libkms/kms_error.h"
#include "policy/code.h"

#define TEXT_ROOM (2 * CERTIFICATE_MAX + 1024)

static const struct host_key *
find_key(struct service *s, struct service_candidate *c, const uint8_t begins[8])
{
	for (unsigned i = 0; i < s->count; i++) {
		struct service_publisher *p = &s->publishers[i];

		for (unsigned k = 0; k < p->key_count; k++) {
			if (memcmp(p->keys[k].id, begins, 8) != 0)
				continue;
			c->publisher = p;
			return &p->keys[k];
		}
	}
	return NULL;
}

/* The pack that the publisher confirmed with: the one in force, or one that was before it. */
static int
find_pack(const struct service *s, const struct service_publisher *p, const struct confirm_code *c,
    const struct policy_pack **pack, struct policy_pack **owned, char why[256])
{
	struct fault err = { 0 };
	char version[16];

	*owned = NULL;
	*pack = p->pack;
	if (p->pack != NULL && p->pack->major == c->major && p->pack->minor == c->minor)
		return KMS_OK;
	snprintf(version, sizeof(version), "%u.%u", c->major, c->minor);
	if (service_pack_read(s, p, version, owned, &err) == KMS_OK) {
		*pack = *owned;
		return KMS_OK;
	}
	snprintf(why, 256,
	    "the confirmation was made with policy pack %s of publisher %s, which is not installed: kmsctl policy install it first",
	    version, p->name);
	return KMS_E_PREREQUISITE;
}

static int
make_file(struct service_candidate *c, const uint8_t *cert, size_t len)
{
	if ((c->text = malloc(TEXT_ROOM)) == NULL)
		return KMS_E_NO_MEMORY;
	if ((c->file_len = certificate_file_format(c->text, TEXT_ROOM, cert, len)) == 0)
		return KMS_E_FORMAT;
	c->file = (const uint8_t *)c->text;
	return KMS_OK;
}

int
service_from_code(struct service *s, struct service_candidate *c, char why[256])
{
	uint8_t cert[CERTIFICATE_MAX];
	const struct policy_pack *pack;
	struct policy_pack *owned;
	const struct host_key *key;
	struct confirm_code code;
	size_t len;
	int rc;

	if (confirm_code_decode(&code, c->code, c->code_len) != KMS_OK) {
		snprintf(why, 256, "the code contains no confirmation");
		return KMS_E_FORMAT;
	}
	if ((key = find_key(s, c, code.key)) == NULL) {
		snprintf(why, 256,
		    "the host key for this confirmation is not installed: run kmsctl key install first");
		return KMS_E_NOT_ENABLED;
	}
	if ((rc = find_pack(s, c->publisher, &code, &pack, &owned, why)) != KMS_OK)
		return rc;
	rc = confirm_code_certificate(cert, sizeof(cert), &len, &code, key, pack,
	    host_identity_sign_pk(s->key), host_identity_kx_pk(s->key));
	free(owned);
	if (rc == KMS_OK)
		rc = make_file(c, cert, len);
	if (rc != KMS_OK)
		snprintf(why, 256, "no certificate can be made from the code: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}
