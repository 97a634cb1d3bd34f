/*
 * witness.h - what this client knows of the record of each host that gave it a lease: the signed
 * header of the highest batch, by host id. The client says it in each request to that host and to
 * no other, so a host whose record went back meets somebody who knows. Pure: no clock, no file.
 *
 * Of each host one header is kept, the one with the highest number. It moves on with each lease,
 * unless the host has just asked to see it: then it stays until two requests have shown it. Two
 * headers that do not fit together are evidence (enum kms_evidence_kind); the first pair of a host
 * stays.
 */
#ifndef KMS_LIBKMS_CLIENT_WITNESS_H
#define KMS_LIBKMS_CLIENT_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/client/state.h"
#include "libkms/core/certificate.h"
#include "libkms/core/lease.h"
#include "libkms/core/message.h"

/* What a request to one host says of its record. */
struct witness {
	uint64_t number; /* of the highest batch known; 0: nothing is known of this host */
	uint8_t text[MESSAGE_WITNESS_SIZE];
	bool shown; /* with the header itself, because the host asked for it */
	uint8_t header[MESSAGE_HEADER_SIZE];
};

/* For a request to the host of this certificate, which has been verified. */
void witness_for(struct witness *w, const struct state *s, const struct certificate *cert);
/* A sealed reply of that host to the request that said w; show: its TLV 4, 0 without. */
void witness_answered(struct state *s, const struct certificate *cert, const struct witness *w,
    uint64_t show, uint64_t now);

/* A lease's, with its signature. */
void witness_header(uint8_t out[MESSAGE_HEADER_SIZE], const struct lease *l);
bool witness_knows(const struct state *s, const uint8_t host_id[16]);
/*
 * The header of a new lease of this client; one that this host did not sign changes nothing.
 * KMS_OK, or KMS_E_HISTORY: it does not fit to the one that was known.
 */
int witness_lease(struct state *s, const struct certificate *cert,
    const uint8_t header[MESSAGE_HEADER_SIZE], uint64_t now);

/* Is there evidence against any host? */
bool witness_evidence(const struct state *s);

#endif
