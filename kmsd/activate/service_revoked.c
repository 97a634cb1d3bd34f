/*
 * service_revoked.c - revocation lists: whether one may be installed over another, and whether
 * it names what this host has. Leases that were given stay: they end by themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/service.h"
#include "kmsd/common/log.h"
#include "libkms/kms_error.h"

int
service_check_revocations(struct service_candidate *c, char why[256])
{
	const struct revocation_list *old = c->publisher->revocations;
	struct fault err = { 0 };
	int rc;

	if ((c->revocations = malloc(sizeof(*c->revocations))) == NULL) {
		snprintf(why, 256, "out of memory");
		return KMS_E_NO_MEMORY;
	}
	rc = revocation_list_parse(c->revocations, (const char *)c->file, c->file_len, &err);
	if (rc != KMS_OK) {
		snprintf(why, 256, "revocation list, line %d: %.200s", err.line, err.text);
		return rc;
	}
	if (service_signer(c->publisher, c->revocations->publisher) == NULL) {
		snprintf(why, 256, "the list names another publisher than the one that signed it");
		return KMS_E_PUBLISHER;
	}
	if (old == NULL || c->revocations->number > old->number)
		return KMS_OK;
	if (c->revocations->number == old->number) {
		snprintf(why, 256, "revocation list %llu is already installed",
		    (unsigned long long)old->number);
		return KMS_E_EXISTS;
	}
	snprintf(why, 256, "revocation list %llu is older than the installed list %llu",
	    (unsigned long long)c->revocations->number, (unsigned long long)old->number);
	return KMS_E_OLDER;
}

static const char *
what(const struct revocation *e)
{
	return e->kind == REVOKED_KEY    ? "host key"
	       : e->kind == REVOKED_HOST ? "host"
					 : "host certificate";
}

int
service_check_revoked(const struct service_publisher *p, const uint8_t host_key[16],
    const uint8_t host[16], uint64_t serial, char why[256])
{
	const struct revocation *e = revocation_find(p->revocations, host_key, host, serial);

	if (e == NULL)
		return KMS_OK;
	snprintf(why, 256, "publisher %s revoked this %s: %s", p->name, what(e), e->reason);
	return KMS_E_KEY_INVALID;
}

void
service_update_revoked(struct service_publisher *p)
{
	const struct certificate *c = &p->certificate;

	p->revoked = p->confirmed
			 ? revocation_find(p->revocations, c->host_key_id, c->host_id, c->serial)
			 : NULL;
	if (p->revoked != NULL)
		log_event(LOG_WARNING, "host-revoked",
		    "publisher %s revoked this host's %s: %s; no lease is given for its products until another host key is installed and confirmed",
		    p->name, what(p->revoked), p->revoked->reason);
}
