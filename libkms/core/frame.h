/*
 * frame.h - the clear outer frame of the native protocol (kms-protocol(7)).
 *
 *   0   4  magic "KMSD" (first byte 0x4B; a DCE/RPC PDU begins with 5)
 *   4   1  protocol version, 2
 *   5   1  type, enum frame_type
 *   6   2  flags, zero
 *   8   4  length of the payload that follows, bytes
 *
 * An ERROR is the same in all versions for ever, and carries the version octet of the frame that it
 * answers: every client can read it.
 *
 * The front needs no more than this file, limits.h and wire.h.
 */
#ifndef KMS_LIBKMS_CORE_FRAME_H
#define KMS_LIBKMS_CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h" /* FRAME_MAX_REQUEST, FRAME_MAX_REPLY */

#define FRAME_HEADER 12
#define FRAME_TYPE_AT 5 /* offset of the type in the header */
#define FRAME_VERSION 2
#define FRAME_VERSION_AT 4 /* offset in the header */

/* ERROR payload: status u32, retry-after u32 (seconds), host time u64. */
#define FRAME_ERROR_PAYLOAD 16
#define FRAME_ERROR_SIZE (FRAME_HEADER + FRAME_ERROR_PAYLOAD)

enum frame_type {
	FRAME_HELLO = 1,       /* client: which publisher */
	FRAME_HELLO_REPLY = 2, /* host: time, exchange key and host certificate */
	FRAME_REQUEST = 3,     /* client: sealed */
	FRAME_REPLY = 4,       /* host: sealed */
	FRAME_ERROR = 5,       /* host: an answer that cannot be sealed */
};

struct frame {
	uint8_t version;
	uint8_t type;
	uint16_t flags;
	uint32_t length; /* of the payload */
};

/*
 * Decode and check a header of FRAME_HEADER bytes. KMS_OK, KMS_E_BAD_FRAME
 * (magic, flags or a type outside enum frame_type), KMS_E_BAD_VERSION (of anything but an ERROR),
 * or KMS_E_TOO_LARGE when length > max. *out is filled whenever the magic is right.
 */
int frame_decode(struct frame *out, const uint8_t header[FRAME_HEADER], uint32_t max);
/*
 * Was a request sent in a lower version than both sides speak? used: the version of its frame; the
 * request says inside its seal which is the highest that the client speaks.
 */
bool frame_downgraded(uint8_t used, uint8_t client_highest, uint8_t host_highest);
void frame_encode(uint8_t out[FRAME_HEADER], enum frame_type type, uint32_t length);

struct frame_error {
	uint8_t version; /* of the frame that it answers; 0: of none, so our own. Not decoded */
	uint32_t status; /* enum kms_status */
	uint32_t retry_after; /* seconds, 0: do not retry as it was */
	uint64_t time;        /* host time, seconds since 1970 UTC */
};
void frame_error_encode(uint8_t out[FRAME_ERROR_SIZE], const struct frame_error *e);
int frame_error_decode(struct frame_error *out, const uint8_t *payload, size_t len);

#endif
