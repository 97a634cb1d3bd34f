/*
 * message.c - codecs of what frames carry: HELLO, HELLO_REPLY, and the text
 * sealed inside REQUEST and REPLY (message.h). No key, no clock, no allocation.
 */
#include "libkms/core/message.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

/* A tail of TAIL_HELLO_REPLY has no room for more. */
_Static_assert(TAIL_HELLO_REPLY / (4 + ROTATION_SIZE) == ROTATION_CHAIN_MAX, "rotations");

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
	return wire_tail_skip(&r, TAIL_HELLO);
}

size_t
message_hello_reply_encode(uint8_t *out, size_t size, const struct message_hello_reply *m)
{
	struct wire_writer w;

	if (m->certificate_len > CERTIFICATE_MAX || m->rotation_count > ROTATION_CHAIN_MAX)
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u64(&w, m->time);
	wire_put(&w, m->exchange, EXCHANGE_SIZE);
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
	struct wire_tail tail;
	struct wire_tlv tlv;

	m->rotation_count = 0;
	wire_reader_init(&r, in, len);
	m->time = wire_get_u64(&r);
	m->exchange = wire_view(&r, EXCHANGE_SIZE);
	m->certificate_len = wire_get_u16(&r);
	if (m->certificate_len > CERTIFICATE_MAX)
		return KMS_E_FORMAT;
	m->certificate = wire_view(&r, m->certificate_len);
	wire_tail_init(&tail, &r, TAIL_HELLO_REPLY);
	tail.repeats = MESSAGE_TLV_ROTATION;
	while (wire_tail_next(&tail, &tlv)) {
		if (tlv.type != MESSAGE_TLV_ROTATION)
			wire_tail_unknown(&tail, &tlv);
		else if (wire_tail_expect(&tail, &tlv, ROTATION_SIZE))
			m->rotations[m->rotation_count++] = tlv.value;
	}
	return wire_tail_finish(&tail);
}

static_assert(2 + 2 + MESSAGE_WITNESS_SIZE + 4 + MESSAGE_HEADER_SIZE + 4 + MESSAGE_ECHO_SIZE + 4 +
		      MESSAGE_BINDING_SIZE + 4 + MESSAGE_NAME + 4 + 16 * MESSAGE_AFTER_MAX + 4 +
		      4 <=
		  TAIL_REQUEST,
    "a request's TLVs fit");

/* What every version of the protocol understands alike. */
static bool
request_in_range(const struct message_request *m)
{
	return m->state <= MESSAGE_CLOCK_BACK && m->sequence > 0 &&
	       m->sequence <= MESSAGE_SEQUENCE_MAX && m->highest_version > 0 &&
	       (m->borrow == 0 || m->operation != MESSAGE_RELEASE) &&
	       !octets_zero(m->request_id, sizeof(m->request_id)) &&
	       !octets_zero(m->salt, sizeof(m->salt));
}

/* What a later version may add. */
static bool
request_is_known(const struct message_request *m)
{
	return m->operation >= MESSAGE_ACTIVATE && m->operation <= MESSAGE_RELEASE &&
	       (m->flags & ~(MESSAGE_VM | MESSAGE_STATELESS)) == 0;
}

/* Zeros are no request's id: alone they say that the client knows of none. */
static bool
after_in_range(const uint8_t *after, size_t count)
{
	if (count == 0 || count > MESSAGE_AFTER_MAX)
		return false;
	for (size_t i = 0; count > 1 && i < count; i++)
		if (octets_zero(after + 16 * i, 16))
			return false;
	return true;
}

static void
put_optional(struct wire_writer *w, uint16_t type, const uint8_t *value, uint16_t len)
{
	if (value != NULL)
		wire_put_tlv(w, type, value, len);
}

size_t
message_request_encode(uint8_t *out, size_t size, const struct message_request *m)
{
	struct wire_writer w;

	if (!request_in_range(m) || !request_is_known(m) ||
	    (m->after != NULL && !after_in_range(m->after, m->after_count)))
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
	wire_put(&w, m->salt, sizeof(m->salt));
	wire_put_u8(&w, m->highest_version);
	wire_put_zero(&w, 7);
	wire_put_text(&w, m->name, MESSAGE_NAME);
	put_optional(&w, MESSAGE_REQUEST_WITNESS, m->witness, MESSAGE_WITNESS_SIZE);
	put_optional(&w, MESSAGE_REQUEST_HEADER, m->header, MESSAGE_HEADER_SIZE);
	put_optional(&w, MESSAGE_REQUEST_ECHO, m->echo, MESSAGE_ECHO_SIZE);
	put_optional(&w, MESSAGE_REQUEST_BINDING, m->binding, MESSAGE_BINDING_SIZE);
	if (m->user[0] != '\0') {
		wire_put_u16(&w, MESSAGE_REQUEST_USER);
		wire_put_u16(&w, MESSAGE_NAME);
		wire_put_text(&w, m->user, MESSAGE_NAME);
	}
	put_optional(&w, MESSAGE_REQUEST_AFTER, m->after, (uint16_t)(16 * m->after_count));
	if (m->borrow > 0) {
		wire_put_u16(&w, MESSAGE_REQUEST_BORROW);
		wire_put_u16(&w, 4);
		wire_put_u32(&w, m->borrow);
	}
	return wire_written(&w);
}

/* A number that is 0 is malformed, because absence already means that. */
static uint64_t
number_tlv(struct wire_tail *tail, const struct wire_tlv *tlv, uint16_t len)
{
	struct wire_reader r;
	uint64_t n;

	if (!wire_tail_expect(tail, tlv, len))
		return 0;
	wire_reader_init(&r, tlv->value, tlv->len);
	n = len == 4 ? wire_get_u32(&r) : wire_get_u64(&r);
	tail->bad = n == 0;
	return n;
}

/* A batch number of 0 names no batch. */
static void
witness(struct message_request *m, struct wire_tail *tail, const struct wire_tlv *tlv)
{
	if (!wire_tail_expect(tail, tlv, MESSAGE_WITNESS_SIZE))
		return;
	m->witness = tlv->value;
	tail->bad = octets_zero(tlv->value, 8);
}

static void
user(struct message_request *m, struct wire_tail *tail, const struct wire_tlv *tlv)
{
	struct wire_reader r;

	if (!wire_tail_expect(tail, tlv, MESSAGE_NAME))
		return;
	wire_reader_init(&r, tlv->value, tlv->len);
	tail->bad = !wire_get_text(&r, m->user, MESSAGE_NAME) || m->user[0] == '\0';
}

/* The one TLV of a request that has several lengths. */
static void
after(struct message_request *m, struct wire_tail *tail, const struct wire_tlv *tlv)
{
	if (tlv->len % 16 != 0 || !after_in_range(tlv->value, tlv->len / 16)) {
		tail->bad = true;
		return;
	}
	m->after = tlv->value;
	m->after_count = tlv->len / 16;
}

static void
request_tlv(struct message_request *m, struct wire_tail *tail, const struct wire_tlv *tlv)
{
	switch (tlv->type) {
	case MESSAGE_REQUEST_WITNESS:
		witness(m, tail, tlv);
		break;
	case MESSAGE_REQUEST_HEADER:
		m->header = wire_tail_expect(tail, tlv, MESSAGE_HEADER_SIZE) ? tlv->value : NULL;
		break;
	case MESSAGE_REQUEST_ECHO:
		m->echo = wire_tail_expect(tail, tlv, MESSAGE_ECHO_SIZE) ? tlv->value : NULL;
		break;
	case MESSAGE_REQUEST_BINDING:
		m->binding = wire_tail_expect(tail, tlv, MESSAGE_BINDING_SIZE) ? tlv->value : NULL;
		break;
	case MESSAGE_REQUEST_USER:
		user(m, tail, tlv);
		break;
	case MESSAGE_REQUEST_AFTER:
		after(m, tail, tlv);
		break;
	case MESSAGE_REQUEST_BORROW:
		m->borrow = (uint32_t)number_tlv(tail, tlv, 4);
		break;
	default:
		wire_tail_unknown(tail, tlv);
	}
}

int
message_request_decode(struct message_request *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	struct wire_tail tail;
	struct wire_tlv tlv;
	uint8_t reserved[7];
	bool ok;
	int rc;

	memset(m, 0, sizeof(*m));
	wire_reader_init(&r, in, len);
	m->operation = wire_get_u8(&r);
	m->state = wire_get_u8(&r);
	m->flags = wire_get_u16(&r);
	m->grace_minutes = wire_get_u32(&r);
	wire_get(&r, m->request_id, sizeof(m->request_id));
	m->time = wire_get_u64(&r);
	m->sequence = wire_get_u64(&r);
	wire_get(&r, m->product, sizeof(m->product));
	wire_get(&r, m->salt, sizeof(m->salt));
	m->highest_version = wire_get_u8(&r);
	wire_get(&r, reserved, sizeof(reserved));
	ok = wire_get_text(&r, m->name, MESSAGE_NAME);
	wire_tail_init(&tail, &r, TAIL_REQUEST);
	while (wire_tail_next(&tail, &tlv))
		request_tlv(m, &tail, &tlv);
	if ((rc = wire_tail_finish(&tail)) != KMS_OK && rc != KMS_E_SCHEMA)
		return rc;
	if (!ok || !request_in_range(m) || !octets_zero(reserved, sizeof(reserved)))
		return KMS_E_FORMAT;
	return rc == KMS_OK && request_is_known(m) ? KMS_OK : KMS_E_SCHEMA;
}

/* A challenge and the highest sequence number say how to catch up, and say it only then. */
static bool
reply_in_range(const struct message_reply *m)
{
	if ((m->status == KMS_E_SEQUENCE) != (m->highest_sequence != 0))
		return false;
	return m->challenge == NULL ||
	       (m->status == KMS_E_SEQUENCE && !octets_zero(m->challenge, MESSAGE_ECHO_SIZE));
}

size_t
message_reply_encode(uint8_t *out, size_t size, const struct message_reply *m)
{
	struct wire_writer w;

	if (m->bundle_len > UINT32_MAX || !reply_in_range(m))
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
		wire_put_u16(&w, MESSAGE_REPLY_HIGHEST);
		wire_put_u16(&w, 8);
		wire_put_u64(&w, m->highest_sequence);
	}
	if (m->retry_after > 0) {
		wire_put_u16(&w, MESSAGE_REPLY_RETRY);
		wire_put_u16(&w, 4);
		wire_put_u32(&w, m->retry_after);
	}
	put_optional(&w, MESSAGE_REPLY_CHALLENGE, m->challenge, MESSAGE_ECHO_SIZE);
	if (m->show > 0) {
		wire_put_u16(&w, MESSAGE_REPLY_SHOW);
		wire_put_u16(&w, 8);
		wire_put_u64(&w, m->show);
	}
	return wire_written(&w);
}

static void
reply_tlv(struct message_reply *m, struct wire_tail *tail, const struct wire_tlv *tlv)
{
	switch (tlv->type) {
	case MESSAGE_REPLY_HIGHEST:
		m->highest_sequence = number_tlv(tail, tlv, 8);
		break;
	case MESSAGE_REPLY_RETRY:
		m->retry_after = (uint32_t)number_tlv(tail, tlv, 4);
		break;
	case MESSAGE_REPLY_CHALLENGE:
		m->challenge = wire_tail_expect(tail, tlv, MESSAGE_ECHO_SIZE) ? tlv->value : NULL;
		break;
	case MESSAGE_REPLY_SHOW:
		m->show = number_tlv(tail, tlv, 8);
		break;
	default:
		wire_tail_unknown(tail, tlv);
	}
}

int
message_reply_decode(struct message_reply *m, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	struct wire_tail tail;
	struct wire_tlv tlv;
	uint32_t flags;
	int rc;

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
	wire_tail_init(&tail, &r, TAIL_REPLY);
	while (wire_tail_next(&tail, &tlv))
		reply_tlv(m, &tail, &tlv);
	if ((rc = wire_tail_finish(&tail)) != KMS_OK && rc != KMS_E_SCHEMA)
		return rc;
	if (!reply_in_range(m))
		return KMS_E_FORMAT;
	return rc == KMS_OK && flags == 0 ? KMS_OK : KMS_E_SCHEMA;
}
