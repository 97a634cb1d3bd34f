/*
 * entry_relayed.c - see entry_relayed.h.
 */
#include "libkms/core/entry_relayed.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

static size_t
encode(uint8_t *out, size_t size, uint8_t kind, uint64_t time, const uint8_t source[16],
    const char *text, const struct wire_writer *blob)
{
	struct entry_admin admin = { .kind = kind, .time = time, .text = text };

	memcpy(admin.subject, source, 16);
	admin.text_len = strlen(text);
	admin.blob = blob->start;
	admin.blob_len = wire_written(blob);
	return entry_admin_encode(out, size, &admin);
}

/* The common part of an entry of that kind; its text goes to name. */
static int
decode(struct entry_admin *admin, uint8_t kind, size_t blob_len, uint8_t source[16], char *name,
    size_t name_max, const uint8_t *in, size_t len)
{
	int status = entry_admin_decode(admin, in, len);

	if (status != KMS_OK)
		return status;
	if (admin->kind != kind || admin->blob_len != blob_len || admin->text_len > name_max)
		return KMS_E_FORMAT;
	memcpy(source, admin->subject, 16);
	memset(name, 0, name_max + 1);
	memcpy(name, admin->text, admin->text_len);
	return KMS_OK;
}

size_t
entry_relayed_encode(uint8_t *out, size_t size, const struct entry_relayed *e)
{
	uint8_t blob[ENTRY_RELAYED_BLOB];
	struct wire_writer w;

	wire_writer_init(&w, blob, sizeof(blob));
	wire_put_u8(&w, e->outcome);
	wire_put_u16(&w, e->major);
	wire_put_u16(&w, e->minor);
	wire_put_u32(&w, e->sent);
	wire_put_u32(&w, e->received);
	wire_put_u32(&w, e->status);
	wire_put_u32(&w, e->latency);
	wire_put(&w, e->address, 16);
	wire_put_u16(&w, e->port);
	return encode(out, size, ENTRY_RELAYED, e->time, e->source, e->name, &w);
}

int
entry_relayed_decode(struct entry_relayed *e, const uint8_t *in, size_t len)
{
	struct entry_admin admin;
	struct wire_reader r;
	int status = decode(&admin, ENTRY_RELAYED, ENTRY_RELAYED_BLOB, e->source, e->name,
	    sizeof(e->name) - 1, in, len);

	if (status != KMS_OK)
		return status;
	e->time = admin.time;
	wire_reader_init(&r, admin.blob, admin.blob_len);
	e->outcome = wire_get_u8(&r);
	e->major = wire_get_u16(&r);
	e->minor = wire_get_u16(&r);
	e->sent = wire_get_u32(&r);
	e->received = wire_get_u32(&r);
	e->status = wire_get_u32(&r);
	e->latency = wire_get_u32(&r);
	wire_get(&r, e->address, 16);
	e->port = wire_get_u16(&r);
	return wire_finish(&r);
}

size_t
entry_relayed_name_encode(uint8_t *out, size_t size, const struct entry_relayed_name *e)
{
	uint8_t blob[ENTRY_RELAYED_NAME_BLOB];
	struct wire_writer w;

	wire_writer_init(&w, blob, sizeof(blob));
	wire_put(&w, e->cmid, 16);
	wire_put_u32(&w, e->count);
	wire_put_u64(&w, e->told);
	return encode(out, size, ENTRY_RELAYED_NAME, e->time, e->source, e->name, &w);
}

int
entry_relayed_name_decode(struct entry_relayed_name *e, const uint8_t *in, size_t len)
{
	struct entry_admin admin;
	struct wire_reader r;
	int status = decode(&admin, ENTRY_RELAYED_NAME, ENTRY_RELAYED_NAME_BLOB, e->source, e->name,
	    sizeof(e->name) - 1, in, len);

	if (status != KMS_OK)
		return status;
	e->time = admin.time;
	wire_reader_init(&r, admin.blob, admin.blob_len);
	wire_get(&r, e->cmid, 16);
	e->count = wire_get_u32(&r);
	e->told = wire_get_u64(&r);
	return wire_finish(&r);
}
