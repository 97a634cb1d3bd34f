/*
 * state.h - what a client may show to everybody: FILE of kms.state(5), mode 0644. Its secret is
 * apart (secret.h), so that a status needs neither secret nor lock.
 *
 *   0    8  "KMSSTATE"
 *   8    2  version
 *  10    2  zero
 *  12    4  length of the whole file
 *  16   32  public key (X25519)
 *  48  8x4  latest time seen, first use, last answer, last attempt
 *  80  4x6  last status, count, required count, activation interval, renewal interval, retry
 * 104   96  host that answered last, text, zero padded
 * 200    1  r, at most 32, then r rotation statements of 232
 *        2  length and certificate of the host to ask
 *        1  1 and its exchange statement of 160, or 0
 *        2  length and certificate of the host that signed the lease
 *        2  length and lease bundle
 *        1  w, at most 8, then w hosts:
 *             16  id
 *              8  last use
 *              1  flags: 1 header wanted, 2 evidence, 4 shown once
 *            172  header of the highest batch, with its signature
 *            344  with flag 2: the first two headers that cannot both be true
 *       32  BLAKE2b-256 of all before
 */
#ifndef KMS_LIBKMS_CLIENT_STATE_H
#define KMS_LIBKMS_CLIENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/client_file.h"
#include "libkms/core/certificate.h"
#include "libkms/core/lease.h"
#include "libkms/core/message.h"
#include "libkms/core/publisher_keys.h"

#define STATE_VERSION 3
#define STATE_HOST 96 /* width of the host field */
#define STATE_FIXED 200
#define STATE_HOSTS CLIENT_HOSTS
#define STATE_CHECKSUM CLIENT_FILE_SUM
/* Without anything that is optional. */
#define STATE_MIN (STATE_FIXED + 1 + 2 + 1 + 2 + 2 + 1 + STATE_CHECKSUM)
#define STATE_MAX CLIENT_STATE_MAX

/* A host whose batches this client has seen. */
struct state_host {
	uint8_t id[16];
	uint64_t last_use;
	bool header_wanted; /* it asked for the header of its highest batch */
	bool header_shown;  /* and one request had it since */
	bool evidence;      /* the two headers cannot both be true */
	uint8_t highest[MESSAGE_HEADER_SIZE];
	uint8_t contradiction[2][MESSAGE_HEADER_SIZE];
};

struct state {
	uint8_t pk[32];
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
	unsigned rotation_count; /* a chain (publisher_keys.h), the oldest first */
	uint8_t rotations[ROTATION_CHAIN_MAX][ROTATION_SIZE];
	/* The host to ask next, and the host that signed the lease: they need not be the same. */
	size_t certificate_len;
	uint8_t certificate[CERTIFICATE_MAX];
	bool has_statement; /* of the host to ask */
	uint8_t statement[EXCHANGE_SIZE];
	size_t lease_certificate_len;
	uint8_t lease_certificate[CERTIFICATE_MAX];
	size_t bundle_len;
	uint8_t bundle[LEASE_MAX];
	unsigned host_count;
	struct state_host hosts[STATE_HOSTS];
};

/*
 * Encode: bytes written, 0: does not fit. Decode: KMS_OK; KMS_E_STATE (damaged); KMS_E_SCHEMA
 * (whole, but of another version, which *version holds then; version may be NULL).
 */
size_t state_encode(uint8_t *out, size_t size, const struct state *s);
int state_decode(struct state *s, const uint8_t *in, size_t len, uint16_t *version);

#endif
