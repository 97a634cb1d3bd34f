/*
 * frame.c - the clear outer frame (frame.h, kms-protocol(7) "Frames") and the
 * ERROR payload, which is all that travels in the clear besides HELLO.
 */
#include "libkms/core/frame.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

static const uint8_t magic[4] = { 'K', 'M', 'S', 'D' };

int
frame_decode(struct frame *out, const uint8_t header[FRAME_HEADER], uint32_t max)
{
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	if (memcmp(header, magic, sizeof(magic)) != 0)
		return KMS_E_BAD_FRAME;
	wire_reader_init(&r, header + sizeof(magic), FRAME_HEADER - sizeof(magic));
	out->version = wire_get_u8(&r);
	out->type = wire_get_u8(&r);
	out->flags = wire_get_u16(&r);
	out->length = wire_get_u32(&r);
	/* Check the version first: in another version, what follows may mean something else. */
	if (out->version != FRAME_VERSION && out->type != FRAME_ERROR)
		return KMS_E_BAD_VERSION;
	if (out->flags != 0 || out->type < FRAME_HELLO || out->type > FRAME_ERROR)
		return KMS_E_BAD_FRAME;
	return out->length > max ? KMS_E_TOO_LARGE : KMS_OK;
}

bool
frame_downgraded(uint8_t used, uint8_t client_highest, uint8_t host_highest)
{
	return used < (client_highest < host_highest ? client_highest : host_highest);
}

void
frame_encode(uint8_t out[FRAME_HEADER], enum frame_type type, uint32_t length)
{
	struct wire_writer w;

	wire_writer_init(&w, out, FRAME_HEADER);
	wire_put(&w, magic, sizeof(magic));
	wire_put_u8(&w, FRAME_VERSION);
	wire_put_u8(&w, (uint8_t)type);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, length);
}

void
frame_error_encode(uint8_t out[FRAME_ERROR_SIZE], const struct frame_error *e)
{
	struct wire_writer w;

	frame_encode(out, FRAME_ERROR, FRAME_ERROR_PAYLOAD);
	if (e->version != 0)
		out[sizeof(magic)] = e->version;
	wire_writer_init(&w, out + FRAME_HEADER, FRAME_ERROR_PAYLOAD);
	wire_put_u32(&w, e->status);
	wire_put_u32(&w, e->retry_after);
	wire_put_u64(&w, e->time);
}

int
frame_error_decode(struct frame_error *out, const uint8_t *payload, size_t len)
{
	struct wire_reader r;

	out->version = 0;
	wire_reader_init(&r, payload, len);
	out->status = wire_get_u32(&r);
	out->retry_after = wire_get_u32(&r);
	out->time = wire_get_u64(&r);
	return wire_finish(&r);
}
