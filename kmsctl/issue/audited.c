/*
 * audited.c - see audited.h.
 */
#include "kmsctl/issue/audited.h"

#include <string.h>

#include "libkms/kms_error.h"

static void
take_confirmation(struct audited *h, const struct register_event *e)
{
	if (h->confirmed == 0 || e->time < h->confirmed)
		h->confirmed = e->time;
	memcpy(h->host_key, e->host_key, sizeof(h->host_key));
	memcpy(h->customer, e->customer, sizeof(h->customer));
	memcpy(h->host_name, e->host_name, sizeof(h->host_name));
}

static void
take_audit(struct audited *h, const struct register_event *e)
{
	h->time = e->time;
	if (e->serial < h->last && (e->flags & EVENT_OVERRIDE) == 0)
		return;
	h->last = e->serial;
	memcpy(h->hash, e->request, sizeof(h->hash));
	h->from = e->from;
	h->until = e->until;
	h->clients = e->capacity;
}

static int
take(const struct register_event *e, void *arg)
{
	struct audited *h;

	if (e->kind != EVENT_CONFIRM && e->kind != EVENT_AUDIT && e->kind != EVENT_REVOKE_HOST)
		return KMS_OK;
	if ((h = audit_table_at(arg, e->host)) == NULL)
		return KMS_E_NO_MEMORY;
	if (e->kind == EVENT_CONFIRM)
		take_confirmation(h, e);
	else if (e->kind == EVENT_AUDIT)
		take_audit(h, e);
	else
		h->revoked = true;
	return KMS_OK;
}

int
audited_read(struct issue_register *r, struct audit_table *out, struct fault *f)
{
	audit_table_init(out, sizeof(struct audited), 16);
	return register_each(r, take, out, f);
}
