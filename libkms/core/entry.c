/*
 * entry.c - codecs of the journal's entries (entry.h): the layout of client
 * kinds and that of the others, each with a TLV tail that readers skip.
 */
#include "libkms/core/entry.h"

#include <stdbool.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define ENTRY_FLAGS (ENTRY_VM | ENTRY_CLONE)

static bool
kind_known(int kind)
{
	return (kind >= ENTRY_LEASE && kind <= ENTRY_REFUSAL) ||
	       (kind >= ENTRY_START && kind <= ENTRY_KEY_REMOVE) ||
	       (kind >= ENTRY_RELAYED && kind <= ENTRY_RELAYED_NAME);
}

int
entry_kind(const uint8_t *entry, size_t len)
{
	if (len < 16 || len > ENTRY_MAX || entry[0] != ENTRY_VERSION || !kind_known(entry[1]))
		return 0;
	return entry[1];
}

static int
skip_tlvs(struct wire_reader *r)
{
	struct wire_tlv tlv;

	while (wire_next_tlv(r, &tlv))
		continue;
	return wire_finish(r);
}

static bool
client_in_range(const struct entry_client *e)
{
	return entry_kind_is_client(e->kind) && kind_known(e->kind) &&
	       (e->flags & ~ENTRY_FLAGS) == 0 && e->operation >= MESSAGE_ACTIVATE &&
	       e->operation <= MESSAGE_RELEASE && e->state <= MESSAGE_CLOCK_BACK;
}

size_t
entry_client_encode(uint8_t *out, size_t size, const struct entry_client *e)
{
	struct wire_writer w;
	size_t name_len = strnlen(e->name, sizeof(e->name));

	if (!client_in_range(e) || name_len > MESSAGE_NAME || !wire_text_ok(e->name, name_len))
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u8(&w, ENTRY_VERSION);
	wire_put_u8(&w, e->kind);
	wire_put_u16(&w, e->flags);
	wire_put_u32(&w, e->status);
	wire_put_u64(&w, e->time);
	wire_put(&w, e->cmid, sizeof(e->cmid));
	wire_put(&w, e->product, sizeof(e->product));
	wire_put(&w, e->request_id, sizeof(e->request_id));
	wire_put_u64(&w, e->sequence);
	wire_put_u64(&w, e->expires);
	wire_put_u64(&w, e->renew_after);
	wire_put_u32(&w, e->count);
	wire_put_u32(&w, e->required);
	wire_put(&w, e->publisher, sizeof(e->publisher));
	wire_put_u16(&w, e->pool);
	wire_put_u8(&w, e->operation);
	wire_put_u8(&w, e->state);
	wire_put_u32(&w, e->grace_minutes);
	wire_put(&w, e->address, sizeof(e->address));
	wire_put_u8(&w, (uint8_t)name_len);
	wire_put(&w, e->name, name_len);
	return wire_written(&w);
}

/* Length byte and name; false: longer than the field, or not text. */
static bool
get_name(struct wire_reader *r, char out[MESSAGE_NAME + 1])
{
	size_t len = wire_get_u8(r);
	const uint8_t *name = wire_view(r, len);

	out[0] = '\0';
	if (name == NULL || len > MESSAGE_NAME || !wire_text_ok((const char *)name, len))
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return true;
}

int
entry_client_decode(struct entry_client *e, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint8_t version;
	bool name_ok;
	int status;

	wire_reader_init(&r, in, len);
	version = wire_get_u8(&r);
	e->kind = wire_get_u8(&r);
	e->flags = wire_get_u16(&r);
	e->status = wire_get_u32(&r);
	e->time = wire_get_u64(&r);
	wire_get(&r, e->cmid, sizeof(e->cmid));
	wire_get(&r, e->product, sizeof(e->product));
	wire_get(&r, e->request_id, sizeof(e->request_id));
	e->sequence = wire_get_u64(&r);
	e->expires = wire_get_u64(&r);
	e->renew_after = wire_get_u64(&r);
	e->count = wire_get_u32(&r);
	e->required = wire_get_u32(&r);
	wire_get(&r, e->publisher, sizeof(e->publisher));
	e->pool = wire_get_u16(&r);
	e->operation = wire_get_u8(&r);
	e->state = wire_get_u8(&r);
	e->grace_minutes = wire_get_u32(&r);
	wire_get(&r, e->address, sizeof(e->address));
	name_ok = get_name(&r, e->name);
	if ((status = skip_tlvs(&r)) != KMS_OK)
		return status;
	return version == ENTRY_VERSION && len <= ENTRY_MAX && name_ok && client_in_range(e)
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

static bool
admin_in_range(const struct entry_admin *e)
{
	return !entry_kind_is_client(e->kind) && kind_known(e->kind) &&
	       wire_text_ok(e->text, e->text_len);
}

size_t
entry_admin_encode(uint8_t *out, size_t size, const struct entry_admin *e)
{
	struct wire_writer w;

	if (e->text_len > ENTRY_MAX || e->blob_len > ENTRY_MAX || !admin_in_range(e))
		return 0;
	wire_writer_init(&w, out, size < ENTRY_MAX ? size : ENTRY_MAX);
	wire_put_u8(&w, ENTRY_VERSION);
	wire_put_u8(&w, e->kind);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, e->status);
	wire_put_u64(&w, e->time);
	wire_put(&w, e->subject, sizeof(e->subject));
	wire_put(&w, e->digest, sizeof(e->digest));
	wire_put_u16(&w, (uint16_t)e->text_len);
	wire_put(&w, e->text, e->text_len);
	wire_put_u16(&w, (uint16_t)e->blob_len);
	wire_put(&w, e->blob, e->blob_len);
	return wire_written(&w);
}

int
entry_admin_decode(struct entry_admin *e, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint16_t flags;
	uint8_t version;
	int status;

	wire_reader_init(&r, in, len);
	version = wire_get_u8(&r);
	e->kind = wire_get_u8(&r);
	flags = wire_get_u16(&r);
	e->status = wire_get_u32(&r);
	e->time = wire_get_u64(&r);
	wire_get(&r, e->subject, sizeof(e->subject));
	wire_get(&r, e->digest, sizeof(e->digest));
	e->text_len = wire_get_u16(&r);
	e->text = (const char *)wire_view(&r, e->text_len);
	e->blob_len = wire_get_u16(&r);
	e->blob = wire_view(&r, e->blob_len);
	if ((status = skip_tlvs(&r)) != KMS_OK)
		return status;
	return version == ENTRY_VERSION && flags == 0 && len <= ENTRY_MAX && admin_in_range(e)
		   ? KMS_OK
		   : KMS_E_FORMAT;
}
