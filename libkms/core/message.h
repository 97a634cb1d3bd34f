/*
 * message.h - what frames carry: HELLO, and the text inside REQUEST and REPLY.
 * Pure codecs: no key, no clock. Sealing is seal.h.
 *
 * HELLO payload         0  8  publisher key id (minisign's), zero: the only one
 *                       8  .. TLV tail
 * HELLO_REPLY payload   0  8  host time, seconds since 1970 UTC
 *                       8  2  length n of the host certificate
 *                      10  n  host certificate (certificate.h)
 *                          .. TLV tail: type 1, rotation statement (rotation.h), as often as
 *                             there are statements, the oldest first
 * REQUEST payload       0 16  host id (certificate.h) it is sealed for
 *                      16 32  client public key (X25519)
 *                      48 24  nonce
 *                      72  .. ciphertext of the request text, then tag 16
 * REPLY payload         0 24  nonce
 *                      24  .. ciphertext of the reply text, then tag 16
 * Associated data: REQUEST, the frame header and the first 48 bytes of the
 * payload; REPLY, the frame header.
 *
 * Request text          0  1  operation (enum message_operation)
 *                       1  1  licence state (enum message_state)
 *                       2  2  flags (MESSAGE_VM)
 *                       4  4  minutes of grace left
 *                       8 16  request id (random; the same on a retry)
 *                      24  8  client time, seconds
 *                      32  8  sequence number, strictly increasing, from 1
 *                      40 16  product UUID (RFC 9562 byte order)
 *                      56 64  host name, UTF-8, zero padded
 *                     120  .. TLV tail
 * Reply text            0  4  status (enum kms_status)
 *                       4  4  flags, zero
 *                       8 16  request id, echoed
 *                      24  8  host time, seconds
 *                      32  4  current count of the product's pool
 *                      36  4  required count (threshold)
 *                      40  4  activation interval, minutes
 *                      44  4  renewal interval, minutes
 *                      48  4  length n of the lease bundle, 0 without
 *                      52  n  lease bundle (lease.h)
 *                          .. TLV tail (MESSAGE_TLV_*)
 */
#ifndef KMS_LIBKMS_CORE_MESSAGE_H
#define KMS_LIBKMS_CORE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define MESSAGE_NAME 64          /* field width of the host name */
#define MESSAGE_REQUEST_TEXT 120 /* fixed part */
#define MESSAGE_REPLY_TEXT 52    /* fixed part */
#define MESSAGE_VM 0x0001        /* runs on a virtual machine */

/* TLV of a HELLO_REPLY, the only one that repeats. */
#define MESSAGE_TLV_ROTATION 1
#define MESSAGE_ROTATIONS 32
/* TLVs of a reply text. */
#define MESSAGE_TLV_HIGHEST_SEQUENCE 1 /* u64, with KMS_E_SEQUENCE */
#define MESSAGE_TLV_RETRY_AFTER 2      /* u32 seconds */

enum message_operation { MESSAGE_ACTIVATE = 1, MESSAGE_RENEW = 2, MESSAGE_RELEASE = 3 };
enum message_state {
	MESSAGE_UNLICENSED = 0,
	MESSAGE_GRACE = 1,
	MESSAGE_ACTIVATED = 2,
	MESSAGE_RENEWAL_DUE = 3,
	MESSAGE_EXPIRED = 4,
};

struct message_hello {
	uint8_t publisher[8];
};
struct message_hello_reply {
	uint64_t time;
	const uint8_t *certificate; /* borrowed */
	size_t certificate_len;
	const uint8_t *rotations[MESSAGE_ROTATIONS]; /* ROTATION_SIZE bytes each, borrowed */
	unsigned rotation_count;
};
struct message_request {
	uint8_t operation;
	uint8_t state;
	uint16_t flags;
	uint32_t grace_minutes;
	uint8_t request_id[16];
	uint64_t time;
	uint64_t sequence;
	uint8_t product[16];
	char name[MESSAGE_NAME + 1];
};
struct message_reply {
	uint32_t status;
	uint8_t request_id[16];
	uint64_t time;
	uint32_t count;
	uint32_t required;
	uint32_t activation_interval; /* minutes */
	uint32_t renewal_interval;    /* minutes */
	const uint8_t *bundle;        /* borrowed; NULL without */
	size_t bundle_len;
	uint64_t highest_sequence; /* 0: TLV absent */
	uint32_t retry_after;      /* seconds, 0: TLV absent */
};

/*
 * Decoders: KMS_OK, KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT (a field out
 * of its range: operation, state, flags, sequence 0, name not UTF-8).
 * Encoders write at most size bytes and return how many, 0 when it does not fit.
 * Payloads only: the caller adds the frame header.
 */
size_t message_hello_encode(uint8_t *out, size_t size, const struct message_hello *m);
int message_hello_decode(struct message_hello *m, const uint8_t *in, size_t len);
size_t message_hello_reply_encode(uint8_t *out, size_t size, const struct message_hello_reply *m);
int message_hello_reply_decode(struct message_hello_reply *m, const uint8_t *in, size_t len);
size_t message_request_encode(uint8_t *out, size_t size, const struct message_request *m);
int message_request_decode(struct message_request *m, const uint8_t *in, size_t len);
size_t message_reply_encode(uint8_t *out, size_t size, const struct message_reply *m);
int message_reply_decode(struct message_reply *m, const uint8_t *in, size_t len);

#endif
