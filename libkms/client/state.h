/*
 * state.h - the client's memory between runs (kms.state(5)): its own key pair, the host's
 * certificate, the lease, and its state in the protocol.
 */
#ifndef KMS_LIBKMS_CLIENT_STATE_H
#define KMS_LIBKMS_CLIENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/certificate.h"
#include "libkms/core/lease.h"
#include "libkms/core/rotation.h"

#define STATE_VERSION 1  /* 2: with a rotation statement */
#define STATE_ROTATION 2 /* the version that holds a rotation statement */
#define STATE_HOST 96    /* width of the host field */
#define STATE_FIXED 288
#define STATE_CHECKSUM 32
#define STATE_MAX                                                                                  \
	(STATE_FIXED + 2 * (2 + CERTIFICATE_MAX) + 2 + LEASE_MAX + 2 + ROTATION_SIZE +             \
	    STATE_CHECKSUM)

/* Holds the secret key: lives in sodium_malloc memory only. */
struct state {
	uint8_t pk[32];
	uint8_t sk[32];
	uint64_t sequence;         /* highest one used */
	uint8_t pending_operation; /* asked, no answer yet; 0: none */
	uint8_t pending_id[16];
	uint8_t pending_product[16];
	uint64_t pending_time;
	uint64_t highest_seen; /* latest local time seen */
	uint64_t first_use;
	uint64_t last_exchange; /* a host answered, 0: never */
	uint64_t last_attempt;  /* 0: never */
	uint32_t last_status;
	uint32_t count;
	uint32_t required;
	uint32_t activation_interval; /* minutes, 0: not told */
	uint32_t renewal_interval;
	uint32_t retry_after; /* seconds, 0: not told */
	char host[STATE_HOST + 1];
	/* The host to ask next, and the host that signed the lease: they need not be the same. */
	size_t certificate_len;
	uint8_t certificate[CERTIFICATE_MAX];
	size_t lease_certificate_len;
	uint8_t lease_certificate[CERTIFICATE_MAX];
	size_t bundle_len;
	uint8_t bundle[LEASE_MAX];
	size_t rotation_len; /* 0: none seen, else ROTATION_SIZE */
	uint8_t rotation[ROTATION_SIZE];
};

/*
 * 0: does not fit. KMS_OK, KMS_E_STATE, KMS_E_SCHEMA (whole, but of another
 * version).
 */
size_t state_encode(uint8_t *out, size_t size, const struct state *s);
int state_decode(struct state *s, const uint8_t *in, size_t len);

#endif
