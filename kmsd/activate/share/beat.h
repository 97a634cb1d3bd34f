/*
 * beat.h - what a host of a share tells all others every few seconds. It is signed, because it
 * passes through the engine, which anybody may own.
 *
 *   0   8  "KMSBEAT1" (keeps this signature apart from every other)
 *   8  32  host signing key (Ed25519); the host id is a hash of it (certificate.h)
 *       1  length of the share's name, and the name
 *       1  length of the host's own name, at most 64, and the name: for administrators
 *       8  its clock, seconds since 1970 UTC
 *       8  number of its last batch, 0: none         32  hash of that batch's header, else zeros
 *       1  number of chains that it heard, at most 64. Of each: host id 16, last batch 8, not 0
 *       1  number of wants, at most 64. Of each: publisher 8, pool u16, rights u32, not 0
 *       1  number of certificates, at most 16. Of each: u16 length, its bytes (certificate.h)
 *      64  signature over all bytes before it
 *
 * Chains ascend by host id, and the host's own is not among them; wants ascend by publisher and
 * pool, certificates by publisher. At most SHARE_BEAT_MAX bytes: certificates that do not fit are
 * left out by the host.
 */
#ifndef KMSD_ACTIVATE_SHARE_BEAT_H
#define KMSD_ACTIVATE_SHARE_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/share_verbs.h"
#include "libkms/core/message.h"

#define BEAT_SIGNATURE 64
#define BEAT_HEARD 64
#define BEAT_WANTS 64
#define BEAT_CERTIFICATES 16
/* Without certificates, of a host with all names and lists full. */
#define BEAT_FIXED                                                                                 \
	(8 + 32 + 1 + SHARE_NAME + 1 + MESSAGE_NAME + 8 + 8 + 32 + 1 + BEAT_HEARD * 24 + 1 +       \
	    BEAT_WANTS * 14 + 1 + BEAT_SIGNATURE)

struct beat_heard {
	uint8_t host[16];
	uint64_t number;
};
struct beat_want {
	uint8_t publisher[8];
	uint16_t pool;
	uint32_t rights;
};
struct beat_octets {
	const uint8_t *octets; /* borrowed */
	size_t len;
};
struct beat {
	uint8_t sign_pk[32];
	uint8_t host[16]; /* by beat_open: the id of that key */
	char share[SHARE_NAME + 1];
	char name[MESSAGE_NAME + 1];
	uint64_t time;
	uint64_t head;
	uint8_t hash[32];
	unsigned heard_count, want_count, certificate_count;
	struct beat_heard heard[BEAT_HEARD];
	struct beat_want wants[BEAT_WANTS];
	struct beat_octets certificates[BEAT_CERTIFICATES];
};

/*
 * The bytes to be signed, without the signature, for which there is room behind them. Certificates
 * at the end of the list that have no room are left out; *left: how many. 0: something else does
 * not fit, or is not what beat_open takes.
 */
size_t beat_write(uint8_t out[SHARE_BEAT_MAX], const struct beat *b, unsigned *left);
/* Are these such bytes, with that signing key? */
bool beat_of(const uint8_t *octets, size_t len, const uint8_t sign_pk[32]);
/*
 * Of a beat with its signature. Certificates are not looked at. KMS_E_FORMAT, KMS_E_TRUNCATED,
 * KMS_E_TRAILING, KMS_E_SCHEMA: another version; KMS_E_SIGNATURE.
 */
int beat_open(struct beat *b, const uint8_t *in, size_t len);
/* Does the host say that it has the chain of that one up to the batch? */
uint64_t beat_heard_of(const struct beat *b, const uint8_t host[16]);

#endif
