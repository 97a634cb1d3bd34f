/*
 * authenticate.h - from the bytes of a REQUEST frame to a client whose identity is proven and
 * what it asks. The front's opinion of the frame does not count here: the activation process
 * decodes the client's bytes itself.
 */
#ifndef KMSD_ACTIVATE_AUTHENTICATE_H
#define KMSD_ACTIVATE_AUTHENTICATE_H

#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/exchange_keys.h"
#include "kmsd/activate/session_keys.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"

struct authenticated {
	struct session session; /* secret: the caller wipes it */
	/* only when KMS_OK; request_id also with KMS_E_BAD_REQUEST and KMS_E_NOT_OFFERED */
	struct message_request request;
	uint8_t text[FRAME_MAX_REQUEST]; /* what request borrows from */
};

/*
 * The clear part of a REQUEST frame, decoded here once; the view borrows from frame.
 * KMS_E_BAD_FRAME, KMS_E_BAD_VERSION, KMS_E_TOO_LARGE.
 */
int authenticate_parse(struct seal_request_view *out, const uint8_t *frame, size_t len);
/*
 * KMS_OK. Not authenticated, answer in the clear: KMS_E_UNKNOWN_HOST, KMS_E_UNKNOWN_KEY (sealed for
 * an exchange key that was destroyed), KMS_E_BAD_SEAL.
 * Authenticated, answer sealed: KMS_E_BAD_REQUEST (malformed), KMS_E_NOT_OFFERED (an operation,
 * flag or critical TLV that this version does not know), KMS_E_DOWNGRADE (both sides speak a newer
 * frame version).
 */
int authenticate(struct authenticated *out, const uint8_t host_id[SEAL_HOST],
    const struct exchange_keys *exchange, struct session_keys *cache,
    const struct seal_request_view *view, uint64_t now);

#endif
