/*
 * message.c - codecs of what frames carry: HELLO, HELLO_REPLY, and the text
 * sealed inside REQUEST and REPLY (message.h). No key, no clock, no allocation.
 */
#include "libkms/core/message.h"

#include <stdbool.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"

/* Read the TLV tail when no type is known: every one is skipped. */
static int
skip_tlvs(struct wire_reader *r)
{
	struct wire_tlv tlv;

	while (wire_next_tlv(r, &tlv))
		continue;
	return wire_finish(r);
}

size_t
message_hello_encode(uint8_t *out, size_t size, const struct message_hello *m)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	wire_put(&w, m->publisher, sizeof(m->publisher));
	return wire_written(&w);
}

int
message_hello_decode(struct message_hello *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;

	wire_reader_init(&r, in, len);
	wire_get(&r, m->publisher, sizeof(m->publisher));
	return skip_tlvs(&r);
}

size_t
message_hello_reply_encode(uint8_t *out, size_t size, const struct message_hello_reply *m)
{
	struct wire_writer w;

	if (m->certificate_len > CERTIFICATE_MAX || m->rotation_count > MESSAGE_ROTATIONS)
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u64(&w, m->time);
	wire_put_u16(&w, (uint16_t)m->certificate_len);
	wire_put(&w, m->certificate, m->certificate_len);
	for (unsigned i = 0; i < m->rotation_count; i++)
		wire_put_tlv(&w, MESSAGE_TLV_ROTATION, m->rotations[i], ROTATION_SIZE);
	return wire_written(&w);
}

int
message_hello_reply_decode(struct message_hello_reply *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	struct wire_tlv tlv;
	bool ok = true;
	int status;

	m->rotation_count = 0;
	wire_reader_init(&r, in, len);
	m->time = wire_get_u64(&r);
	m->certificate_len = wire_get_u16(&r);
	m->certificate = wire_view(&r, m->certificate_len);
	while (wire_next_tlv(&r, &tlv)) {
		if (tlv.type != MESSAGE_TLV_ROTATION)
			continue;
		ok = ok && m->rotation_count < MESSAGE_ROTATIONS && tlv.len == ROTATION_SIZE;
		if (ok)
			m->rotations[m->rotation_count++] = tlv.value;
	}
	if ((status = wire_finish(&r)) != KMS_OK)
		return status;
	return ok && m->certificate_len <= CERTIFICATE_MAX ? KMS_OK : KMS_E_FORMAT;
}

static bool
request_in_range(const struct message_request *m)
{
	return m->operation >= MESSAGE_ACTIVATE && m->operation <= MESSAGE_RELEASE &&
	       m->state <= MESSAGE_EXPIRED && (m->flags & ~MESSAGE_VM) == 0 && m->sequence > 0;
}

size_t
message_request_encode(uint8_t *out, size_t size, const struct message_request *m)
{
	struct wire_writer w;

	if (!request_in_range(m))
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u8(&w, m->operation);
	wire_put_u8(&w, m->state);
	wire_put_u16(&w, m->flags);
	wire_put_u32(&w, m->grace_minutes);
	wire_put(&w, m->request_id, sizeof(m->request_id));
	wire_put_u64(&w, m->time);
	wire_put_u64(&w, m->sequence);
	wire_put(&w, m->product, sizeof(m->product));
	wire_put_text(&w, m->name, MESSAGE_NAME);
	return wire_written(&w);
}

int
message_request_decode(struct message_request *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	bool text_ok;
	int status;

	wire_reader_init(&r, in, len);
	m->operation = wire_get_u8(&r);
	m->state = wire_get_u8(&r);
	m->flags = wire_get_u16(&r);
	m->grace_minutes = wire_get_u32(&r);
	wire_get(&r, m->request_id, sizeof(m->request_id));
	m->time = wire_get_u64(&r);
	m->sequence = wire_get_u64(&r);
	wire_get(&r, m->product, sizeof(m->product));
	text_ok = wire_get_text(&r, m->name, MESSAGE_NAME);
	if ((status = skip_tlvs(&r)) != KMS_OK)
		return status;
	return text_ok && request_in_range(m) ? KMS_OK : KMS_E_FORMAT;
}

size_t
message_reply_encode(uint8_t *out, size_t size, const struct message_reply *m)
{
	struct wire_writer w;

	if (m->bundle_len > UINT32_MAX)
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u32(&w, m->status);
	wire_put_u32(&w, 0);
	wire_put(&w, m->request_id, sizeof(m->request_id));
	wire_put_u64(&w, m->time);
	wire_put_u32(&w, m->count);
	wire_put_u32(&w, m->required);
	wire_put_u32(&w, m->activation_interval);
	wire_put_u32(&w, m->renewal_interval);
	wire_put_u32(&w, (uint32_t)m->bundle_len);
	wire_put(&w, m->bundle, m->bundle_len);
	if (m->highest_sequence > 0) {
		wire_put_u16(&w, MESSAGE_TLV_HIGHEST_SEQUENCE);
		wire_put_u16(&w, 8);
		wire_put_u64(&w, m->highest_sequence);
	}
	if (m->retry_after > 0) {
		wire_put_u16(&w, MESSAGE_TLV_RETRY_AFTER);
		wire_put_u16(&w, 4);
		wire_put_u32(&w, m->retry_after);
	}
	return wire_written(&w);
}

/*
 * A known TLV has one length and appears once; zero is not allowed, because absence already means
 * that.
 */
static bool
reply_tlv(struct message_reply *m, const struct wire_tlv *tlv)
{
	struct wire_reader r;

	wire_reader_init(&r, tlv->value, tlv->len);
	switch (tlv->type) {
	case MESSAGE_TLV_HIGHEST_SEQUENCE:
		if (m->highest_sequence != 0 || tlv->len != 8)
			return false;
		return (m->highest_sequence = wire_get_u64(&r)) != 0;
	case MESSAGE_TLV_RETRY_AFTER:
		if (m->retry_after != 0 || tlv->len != 4)
			return false;
		return (m->retry_after = wire_get_u32(&r)) != 0;
	default:
		return true;
	}
}

int
message_reply_decode(struct message_reply *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	struct wire_tlv tlv;
	uint32_t flags;
	bool ok = true;
	int status;

	memset(m, 0, sizeof(*m));
	wire_reader_init(&r, in, len);
	m->status = wire_get_u32(&r);
	flags = wire_get_u32(&r);
	wire_get(&r, m->request_id, sizeof(m->request_id));
	m->time = wire_get_u64(&r);
	m->count = wire_get_u32(&r);
	m->required = wire_get_u32(&r);
	m->activation_interval = wire_get_u32(&r);
	m->renewal_interval = wire_get_u32(&r);
	m->bundle_len = wire_get_u32(&r);
	if (m->bundle_len > 0)
		m->bundle = wire_view(&r, m->bundle_len);
	while (wire_next_tlv(&r, &tlv))
		ok = reply_tlv(m, &tlv) && ok;
	if ((status = wire_finish(&r)) != KMS_OK)
		return status;
	return ok && flags == 0 ? KMS_OK : KMS_E_FORMAT;
}
