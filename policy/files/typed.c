/*
 * typed.c - a confirmation that was typed: the host certificate is made from the code and from
 * what this host knows. It must be exactly what the publisher signed, or the signature does not
 * fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/code.h"
#include "policy/files/publisher_file.h"

#define TEXT_ROOM (2 * CERTIFICATE_MAX + 1024)

static const struct host_key *
find_key(const struct publishers *s, struct publisher_file *c, const uint8_t begins[8])
{
	for (unsigned i = 0; i < s->count; i++)
		for (unsigned k = 0; k < s->list[i].key_count; k++)
			if (memcmp(s->list[i].keys[k].id, begins, 8) == 0) {
				c->publisher = &s->list[i];
				return &s->list[i].keys[k];
			}
	return NULL;
}

/* The pack that the publisher used: the one in force, or an earlier one. */
static int
find_pack(const struct publishers *s, const struct publisher *p, const struct confirm_code *c,
    const struct policy_pack **pack, struct policy_pack **owned, struct fault *f)
{
	char version[16];

	*owned = NULL;
	*pack = p->pack;
	if (p->pack != NULL && p->pack->major == c->major && p->pack->minor == c->minor)
		return KMS_OK;
	snprintf(version, sizeof(version), "%u.%u", c->major, c->minor);
	if (publisher_pack_read(s, p, version, owned) == KMS_OK) {
		*pack = *owned;
		return KMS_OK;
	}
	return fault_set(f, KMS_E_PREREQUISITE,
	    "the confirmation was made with policy pack %s of publisher %s, which is not installed: kmsctl policy install it first",
	    version, p->name);
}

static int
make_text(struct publisher_file *c, const uint8_t *cert, size_t len)
{
	if ((c->made = malloc(TEXT_ROOM)) == NULL)
		return KMS_E_NO_MEMORY;
	c->text = c->made;
	c->len = certificate_file_format(c->made, TEXT_ROOM, cert, len);
	return c->len > 0 ? KMS_OK : KMS_E_FORMAT;
}

int
publisher_file_of_code(const struct publishers *s, struct publisher_file *out, const uint8_t *code,
    size_t code_len, const uint8_t sign_pk[32], struct fault *f)
{
	uint8_t cert[CERTIFICATE_MAX];
	const struct policy_pack *pack;
	struct policy_pack *owned;
	const struct host_key *key;
	struct confirm_code c;
	size_t len;
	int rc;

	*out = (struct publisher_file){ .kind = FILE_CERTIFICATE };
	if (confirm_code_decode(&c, code, code_len) != KMS_OK)
		return fault_set(f, KMS_E_FORMAT, "the code contains no confirmation");
	if ((key = find_key(s, out, c.key)) == NULL)
		return fault_set(f, KMS_E_NOT_ENABLED,
		    "the host key for this confirmation is not installed: run kmsctl key install first");
	if ((rc = find_pack(s, out->publisher, &c, &pack, &owned, f)) != KMS_OK)
		return rc;
	rc = confirm_code_certificate(cert, sizeof(cert), &len, &c, key, pack, sign_pk);
	free(owned);
	if (rc == KMS_OK)
		rc = make_text(out, cert, len);
	if (rc != KMS_OK)
		return fault_set(f, rc, "no certificate can be made from the code: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}
