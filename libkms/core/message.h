/*
 * message.h - what frames carry: HELLO, and the text inside REQUEST and REPLY.
 * Pure codecs: no key, no clock. Sealing is seal.h.
 *
 * HELLO payload         0  8  publisher key id (minisign's), zero: the host's only publisher
 *                       8  .. TLV tail
 * HELLO_REPLY payload   0  8  host time, seconds since 1970 UTC
 *                       8 160 statement of the host's exchange key (exchange_statement.h)
 *                     168  2  length n of the host certificate
 *                     170  n  host certificate (certificate.h)
 *                          .. TLV tail: type 1, rotation statement (rotation.h), as often as
 *                             there are statements, the oldest first
 * REQUEST payload       0 16  host id (certificate.h) it is sealed for
 *                      16  8  id of the exchange key it is sealed for
 *                      24 32  client public key (X25519)
 *                      56 24  nonce
 *                      80  .. ciphertext of the request text, then tag 16
 * REPLY payload         0 24  nonce
 *                      24  .. ciphertext of the reply text, then tag 16
 * Associated data: REQUEST, the frame header and the first 56 bytes of the
 * payload; REPLY, the frame header.
 *
 * Request text          0  1  operation (enum message_operation)
 *                       1  1  licence state (enum message_state)
 *                       2  2  flags (MESSAGE_VM, MESSAGE_STATELESS)
 *                       4  4  minutes of grace left
 *                       8 16  request id (random, not zero; the same on a retry)
 *                      24  8  client time, seconds
 *                      32  8  sequence number, strictly increasing, 1 to MESSAGE_SEQUENCE_MAX
 *                      40 16  product UUID (RFC 9562 byte order)
 *                      56 16  salt of the client's commitments, not zero
 *                      72  1  highest frame version that the client speaks
 *                      73  7  zero
 *                      80 64  host name, text, zero padded
 *                     144  .. TLV tail (MESSAGE_REQUEST_*)
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
 *                          .. TLV tail (MESSAGE_REPLY_*)
 *
 * The salt is a hash of the client's secret key (seal.h), so that the host needs no look-up to
 * write a client's commitments: each request brings it.
 */
#ifndef KMS_LIBKMS_CORE_MESSAGE_H
#define KMS_LIBKMS_CORE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

#define MESSAGE_VM 0x0001        /* runs on a virtual machine */
#define MESSAGE_STATELESS 0x0002 /* the client keeps no state: its key ends with its object */
#define MESSAGE_SEQUENCE_MAX (UINT64_C(1) << 62)

/* TLV of a HELLO_REPLY, the only one that repeats. */
#define MESSAGE_TLV_ROTATION 1

/* TLVs of a request text. A host that does not use one skips it. */
#define MESSAGE_REQUEST_WITNESS 0x0001 /* batch number 8, SHA-256 of its header 32 */
#define MESSAGE_REQUEST_HEADER 0x0002  /* batch header 108, signature 64 (batch.h) */
#define MESSAGE_REQUEST_ECHO 0x0003    /* the challenge of an earlier reply, 16 */
#define MESSAGE_REQUEST_BINDING 0x0004 /* hash of product and machine id, 16 */
#define MESSAGE_REQUEST_USER 0x0005    /* user name, as the host name, 64, not empty */
#define MESSAGE_REQUEST_AFTER 0x0007   /* 1 to 8 request ids; zeros alone: none */
/* Critical: a host that cannot lend must not answer with a lease that is too short. */
#define MESSAGE_REQUEST_BORROW 0x8006 /* u32 minutes, not 0; not with a release */
#define MESSAGE_WITNESS_SIZE 40
#define MESSAGE_HEADER_SIZE 172
#define MESSAGE_ECHO_SIZE 16
#define MESSAGE_BINDING_SIZE 16
#define MESSAGE_AFTER_MAX 8

/* TLVs of a reply text. */
#define MESSAGE_REPLY_HIGHEST 0x0001   /* u64, always and only with KMS_E_SEQUENCE */
#define MESSAGE_REPLY_RETRY 0x0002     /* u32 seconds, not 0 */
#define MESSAGE_REPLY_CHALLENGE 0x0003 /* 16, not zero, only with KMS_E_SEQUENCE */
#define MESSAGE_REPLY_SHOW 0x0004      /* u64, number of the batch whose header is wanted */

enum message_operation { MESSAGE_ACTIVATE = 1, MESSAGE_RENEW = 2, MESSAGE_RELEASE = 3 };
enum message_state {
	MESSAGE_UNLICENSED = 0,
	MESSAGE_GRACE = 1,
	MESSAGE_ACTIVATED = 2,
	MESSAGE_RENEWAL_DUE = 3,
	MESSAGE_EXPIRED = 4,
	MESSAGE_CLOCK_BACK = 5, /* the client's clock is behind the latest time it saw */
};

struct message_hello {
	uint8_t publisher[8];
};
struct message_hello_reply {
	uint64_t time;
	const uint8_t *exchange;    /* EXCHANGE_SIZE bytes, borrowed, as is the rest */
	const uint8_t *certificate; /* certificate_len bytes, borrowed */
	size_t certificate_len;
	const uint8_t *rotations[ROTATION_CHAIN_MAX]; /* ROTATION_SIZE bytes each */
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
	uint8_t salt[16];
	uint8_t highest_version; /* of frames, at least the one that carries the request */
	char name[MESSAGE_NAME + 1];
	char user[MESSAGE_NAME + 1]; /* empty: TLV absent */
	/* Borrowed; NULL: TLV absent. */
	const uint8_t *witness; /* MESSAGE_WITNESS_SIZE */
	const uint8_t *header;  /* MESSAGE_HEADER_SIZE */
	const uint8_t *echo;    /* MESSAGE_ECHO_SIZE */
	const uint8_t *binding; /* MESSAGE_BINDING_SIZE */
	const uint8_t *after;   /* after_count request ids; one of zeros alone: none is known */
	unsigned after_count;   /* at most MESSAGE_AFTER_MAX */
	uint32_t borrow;        /* minutes; 0: TLV absent */
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
	const uint8_t *challenge;  /* MESSAGE_ECHO_SIZE, borrowed; NULL: TLV absent */
	uint64_t show;             /* batch number, 0: TLV absent */
};

/*
 * Decoders: KMS_OK, KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT (a field out of its range: state,
 * sequence number, request id or salt zero, a name that is no text, a TLV out of order or of a
 * wrong length), KMS_E_SCHEMA (well-formed, as far as it is known: an unknown operation, flag or
 * critical TLV). After KMS_E_SCHEMA *m holds what is known, the request id at least.
 * Encoders write at most size bytes and return how many, 0 when it does not fit or is out of range.
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
