/*
 * request.h - the way of one request: authenticated, decided, staged for the batch under way.
 */
#ifndef KMSD_ACTIVATE_REQUEST_H
#define KMSD_ACTIVATE_REQUEST_H

#include <stdint.h>

#include "kmsd/activate/authenticate.h"
#include "kmsd/ipc/ipc.h"

struct activate;
struct front_peer;

/* What a front sent; the bytes stay in its channel until the next fill. */
struct request_frame {
	struct ipc_frame from;
	const uint8_t *bytes;          /* from.length */
	int status;                    /* of authenticate_parse; of another verb: not KMS_OK */
	struct seal_request_view view; /* KMS_OK */
};

/*
 * Decodes the clear part of each, and fetches what their clients need from memory, for all at
 * once: a processor waits for many lines of memory as long as for one.
 */
#define REQUEST_GROUP 8
void request_expect(const struct activate *a, struct request_frame *frames, size_t count);
/*
 * A client's frame, of a front that has a credit for it; each leads to exactly one reply, now or
 * with the batch.
 */
void request_hello(struct activate *a, struct front_peer *p, const struct request_frame *in);
void request_take(struct activate *a, struct front_peer *p, const struct request_frame *in);

#endif
