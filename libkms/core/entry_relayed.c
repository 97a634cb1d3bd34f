/*
 * entry_relayed.c - see entry_relayed.h.
 */
#include "libkms/core/entry_relayed.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/kms_error.h"

/* The common part of an entry of that kind. */
static int
decode(struct entry_admin *admin, uint8_t kind, size_t text_max, const uint8_t *in, size_t len)
{
	int rc = entry_admin_decode(admin, in, len);

	if (rc != KMS_OK)
		return rc;
	return admin->kind == kind && admin->text_len <= text_max ? KMS_OK : KMS_E_FORMAT;
}

size_t
entry_relayed_encode(uint8_t *out, size_t size, const struct entry_relayed *e)
{
	uint8_t blob[ENTRY_RELAYED_BLOB];
	struct entry_admin admin = {
		.kind = ENTRY_RELAYED,
		.time = e->time,
		.text = e->name,
		.text_len = strlen(e->name),
		.blob = blob,
	};
	struct wire_writer w;

	memcpy(admin.subject, e->subject, COMMITMENT);
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
	admin.blob_len = wire_written(&w);
	return entry_admin_encode(out, size, &admin);
}

int
entry_relayed_decode(struct entry_relayed *e, const uint8_t *in, size_t len)
{
	struct entry_admin admin;
	struct wire_reader r;
	int rc = decode(&admin, ENTRY_RELAYED, sizeof(e->name) - 1, in, len);

	memset(e, 0, sizeof(*e));
	if (rc != KMS_OK)
		return rc;
	e->time = admin.time;
	memcpy(e->subject, admin.subject, COMMITMENT);
	memcpy(e->name, admin.text, admin.text_len);
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
	struct entry_admin admin = {
		.kind = ENTRY_RELAYED_NAME,
		.time = e->time,
		.text = "",
		.blob = blob,
	};
	struct wire_writer w;

	memcpy(admin.subject, e->subject, COMMITMENT);
	memcpy(admin.digest, e->name, COMMITMENT);
	wire_writer_init(&w, blob, sizeof(blob));
	wire_put(&w, e->cmid, 16);
	wire_put_u32(&w, e->count);
	wire_put_u64(&w, e->told);
	admin.blob_len = wire_written(&w);
	return entry_admin_encode(out, size, &admin);
}

int
entry_relayed_name_decode(struct entry_relayed_name *e, const uint8_t *in, size_t len)
{
	struct entry_admin admin;
	struct wire_reader r;
	int rc = decode(&admin, ENTRY_RELAYED_NAME, 0, in, len);

	memset(e, 0, sizeof(*e));
	if (rc != KMS_OK)
		return rc;
	if (!sodium_is_zero(admin.digest + COMMITMENT, sizeof(admin.digest) - COMMITMENT))
		return KMS_E_FORMAT;
	e->time = admin.time;
	memcpy(e->subject, admin.subject, COMMITMENT);
	memcpy(e->name, admin.digest, COMMITMENT);
	wire_reader_init(&r, admin.blob, admin.blob_len);
	wire_get(&r, e->cmid, 16);
	e->count = wire_get_u32(&r);
	e->told = wire_get_u64(&r);
	return wire_finish(&r);
}
