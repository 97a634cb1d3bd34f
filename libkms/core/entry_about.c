/*
 * entry_about.c - codec of entries about one client that the host makes (entry_about.h).
 */
#include "libkms/core/entry_about.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/entry_codec.h"
#include "libkms/kms_error.h"

bool
entry_about_ends_seat(int kind)
{
	return kind >= ENTRY_REVOKE && kind <= ENTRY_RECLAIM;
}

static uint32_t
status_of(int kind)
{
	return kind == ENTRY_HOLD ? KMS_E_CLONE : kind == ENTRY_RECLAIM ? KMS_E_RECLAIMED : KMS_OK;
}

static bool
no_seat(const struct entry_about *e)
{
	return sodium_is_zero(e->product, sizeof(e->product)) &&
	       sodium_is_zero(e->publisher, sizeof(e->publisher)) && e->pool == 0 && e->class == 0;
}

static bool
value_in_range(const struct entry_about *e)
{
	if (e->kind == ENTRY_HOLD)
		return e->value > 0;
	return e->kind == ENTRY_ERASE || e->kind == ENTRY_EXPIRE ? e->value <= e->time
								 : e->value == 0;
}

static bool
expire_in_range(const struct entry_about *e)
{
	return sodium_is_zero(e->cmid, sizeof(e->cmid)) &&
	       sodium_is_zero(e->other, sizeof(e->other)) && no_seat(e) && e->through >= 1 &&
	       e->through <= ENTRY_EXPIRE_ALL && e->reason[0] == '\0';
}

static bool
in_range(const struct entry_about *e)
{
	if (!entry_kind_is_about(e->kind) || e->counter == 0 || e->through > ENTRY_SEQUENCE_MAX ||
	    !value_in_range(e))
		return false;
	if (e->kind == ENTRY_EXPIRE)
		return expire_in_range(e);
	if (sodium_is_zero(e->cmid, sizeof(e->cmid)) && e->kind != ENTRY_ERASE)
		return false;
	if (sodium_is_zero(e->other, sizeof(e->other)) != (e->kind != ENTRY_RECLAIM))
		return false;
	if (e->kind == ENTRY_ERASE && e->through != 0)
		return false;
	return entry_about_ends_seat(e->kind) || no_seat(e);
}

size_t
entry_about_encode(uint8_t *out, size_t size, const struct entry_about *e)
{
	struct wire_writer w;

	if (!in_range(e))
		return 0;
	wire_writer_init(&w, out, size);
	entry_head_put(&w, e->kind, 0, status_of(e->kind), e->time);
	wire_put(&w, e->cmid, sizeof(e->cmid));
	wire_put_u64(&w, e->counter);
	wire_put_u64(&w, e->through);
	wire_put_u64(&w, e->value);
	wire_put(&w, e->other, sizeof(e->other));
	wire_put(&w, e->product, sizeof(e->product));
	wire_put(&w, e->publisher, sizeof(e->publisher));
	wire_put_u16(&w, e->pool);
	wire_put_u16(&w, e->class);
	wire_put_short_text(&w, e->reason, ENTRY_REASON);
	return wire_written(&w);
}

int
entry_about_decode(struct entry_about *e, const uint8_t *in, size_t len)
{
	struct entry_head h;
	struct wire_reader r;
	bool reason_ok;
	int rc;

	wire_reader_init(&r, in, len);
	entry_head_get(&r, &h);
	e->kind = h.kind;
	e->time = h.time;
	wire_get(&r, e->cmid, sizeof(e->cmid));
	e->counter = wire_get_u64(&r);
	e->through = wire_get_u64(&r);
	e->value = wire_get_u64(&r);
	wire_get(&r, e->other, sizeof(e->other));
	wire_get(&r, e->product, sizeof(e->product));
	wire_get(&r, e->publisher, sizeof(e->publisher));
	e->pool = wire_get_u16(&r);
	e->class = wire_get_u16(&r);
	reason_ok = wire_get_short_text(&r, e->reason, ENTRY_REASON);
	if (r.bad)
		return KMS_E_TRUNCATED;
	if (h.version != ENTRY_VERSION || !entry_kind_is_about(h.kind) || h.flags != 0)
		return KMS_E_SCHEMA;
	if ((rc = wire_tail_skip(&r, ENTRY_MAX)) != KMS_OK)
		return rc;
	return reason_ok && h.status == status_of(h.kind) && len <= ENTRY_MAX && in_range(e)
		   ? KMS_OK
		   : KMS_E_FORMAT;
}
