/*
 * register_event.c - an event of the register as bytes; register.h has the layout.
 */
#include <string.h>

#include "kmsctl/issue/register.h"
#include "libkms/base/wire.h"

#define LAYOUT_VERSION 2

static const char *const names[] = {
	[EVENT_KEY] = "key",
	[EVENT_CONFIRM] = "confirm",
	[EVENT_REVOKE_KEY] = "revoke-key",
	[EVENT_REVOKE_HOST] = "revoke-host",
	[EVENT_REVOKE_SERIAL] = "revoke-certificate",
	[EVENT_REVOCATIONS] = "revocations",
	[EVENT_ROTATE] = "rotate",
	[EVENT_AUDIT] = "audit",
};

const char *
register_event_name(uint8_t kind)
{
	return kind >= EVENT_KEY && kind <= EVENT_AUDIT ? names[kind] : NULL;
}

static bool
get_entitlements(struct wire_reader *r, struct entitlements *out)
{
	uint16_t len = wire_get_u16(r);
	const uint8_t *octets = wire_view(r, len);

	if (octets == NULL || len == 0)
		return octets != NULL || len == 0;
	if (entitlements_check(octets, len) != KMS_OK)
		return false;
	memcpy(out->octets, octets, len);
	out->len = len;
	return true;
}

size_t
register_event_encode(uint8_t *out, size_t size, const struct register_event *e)
{
	struct wire_writer w;

	if (register_event_name(e->kind) == NULL || e->flags & ~EVENT_OVERRIDE)
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u8(&w, LAYOUT_VERSION);
	wire_put_u8(&w, e->kind);
	wire_put_u16(&w, e->flags);
	wire_put_u64(&w, e->time);
	wire_put(&w, e->publisher, sizeof(e->publisher));
	wire_put(&w, e->host_key, sizeof(e->host_key));
	wire_put(&w, e->host, sizeof(e->host));
	wire_put_u64(&w, e->serial);
	wire_put_u16(&w, e->confirmation);
	wire_put_text(&w, e->group, sizeof(e->group) - 1);
	wire_put_u64(&w, e->from);
	wire_put_u64(&w, e->until);
	wire_put_u32(&w, e->capacity);
	wire_put_u16(&w, e->hosts);
	wire_put_u16(&w, e->confirmations);
	wire_put(&w, e->request, sizeof(e->request));
	wire_put(&w, e->certificate, sizeof(e->certificate));
	wire_put(&w, e->new_publisher, sizeof(e->new_publisher));
	wire_put(&w, e->new_pk, sizeof(e->new_pk));
	wire_put_short_text(&w, e->customer, sizeof(e->customer) - 1);
	wire_put_short_text(&w, e->host_name, sizeof(e->host_name) - 1);
	wire_put_short_text(&w, e->reason, sizeof(e->reason) - 1);
	if (e->entitlements.len > 0 &&
	    entitlements_check(e->entitlements.octets, e->entitlements.len) != KMS_OK)
		w.bad = true;
	wire_put_u16(&w, e->entitlements.len);
	wire_put(&w, e->entitlements.octets, e->entitlements.len);
	return w.bad ? 0 : wire_written(&w);
}

int
register_event_decode(struct register_event *e, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint8_t version;
	bool ok;
	int rc;

	memset(e, 0, sizeof(*e));
	wire_reader_init(&r, in, len);
	version = wire_get_u8(&r);
	if (len > 0 && version != LAYOUT_VERSION)
		return KMS_E_SCHEMA;
	e->kind = wire_get_u8(&r);
	e->flags = wire_get_u16(&r);
	e->time = wire_get_u64(&r);
	wire_get(&r, e->publisher, sizeof(e->publisher));
	wire_get(&r, e->host_key, sizeof(e->host_key));
	wire_get(&r, e->host, sizeof(e->host));
	e->serial = wire_get_u64(&r);
	e->confirmation = wire_get_u16(&r);
	ok = wire_get_text(&r, e->group, sizeof(e->group) - 1);
	e->from = wire_get_u64(&r);
	e->until = wire_get_u64(&r);
	e->capacity = wire_get_u32(&r);
	e->hosts = wire_get_u16(&r);
	e->confirmations = wire_get_u16(&r);
	wire_get(&r, e->request, sizeof(e->request));
	wire_get(&r, e->certificate, sizeof(e->certificate));
	wire_get(&r, e->new_publisher, sizeof(e->new_publisher));
	wire_get(&r, e->new_pk, sizeof(e->new_pk));
	ok = wire_get_short_text(&r, e->customer, sizeof(e->customer) - 1) && ok;
	ok = wire_get_short_text(&r, e->host_name, sizeof(e->host_name) - 1) && ok;
	ok = wire_get_short_text(&r, e->reason, sizeof(e->reason) - 1) && ok;
	ok = get_entitlements(&r, &e->entitlements) && ok;
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	if (e->kind > EVENT_AUDIT)
		return KMS_E_SCHEMA;
	if (!ok || register_event_name(e->kind) == NULL || e->flags & ~EVENT_OVERRIDE)
		return KMS_E_FORMAT;
	return KMS_OK;
}
