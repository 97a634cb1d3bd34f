/*
 * secret.h - what makes a client itself: FILE.key of kms.state(5), mode 0600. A person who
 * has it can ask as this client.
 *
 *   0   8  "KMSSTKEY"
 *   8   2  version, 2
 *  10   2  zero
 *  12   4  length
 *  16  32  secret key (X25519)
 *  48   8  highest sequence number used
 *  56   1  operation pending, 0: none
 *  57   7  zero
 *  64  16  its request id
 *  80  16  its product
 *  96   8  time it was first sent
 * 104   4  minutes that it asks to borrow, 0: none
 * 108   4  zero
 * 112  16  challenge to echo, zero: none
 * 128  ..  requests sent to each host (after.h)
 *      32  BLAKE2b-256 of all before
 *
 * Version 1 ends behind the challenge. It is read: of no host is it known what it was sent.
 */
#ifndef KMS_LIBKMS_CLIENT_SECRET_H
#define KMS_LIBKMS_CLIENT_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/client/after.h"
#include "libkms/client/client_file.h"
#include "libkms/core/limits.h"

#define SECRET_VERSION 2
#define SECRET_OLD 1
#define SECRET_OLD_SIZE (CLIENT_KEY_FIXED + CLIENT_FILE_SUM)
#define SECRET_MIN (CLIENT_KEY_FIXED + 2 + CLIENT_FILE_SUM)
#define SECRET_MAX CLIENT_KEY_MAX

/* Lives in sodium_malloc memory only. */
struct secret {
	uint8_t sk[32];
	uint64_t sequence;         /* highest one used */
	uint8_t pending_operation; /* asked, no answer yet; 0: none */
	uint8_t pending_id[16];
	uint8_t pending_product[16];
	uint64_t pending_time; /* first sent */
	uint32_t borrow_minutes;
	uint8_t challenge[16];
	struct after after;
};

/* Returns the size. */
size_t secret_encode(uint8_t out[SECRET_MAX], const struct secret *s);
/* As state_decode. */
int secret_decode(struct secret *s, const uint8_t *in, size_t len, uint16_t *version);

#endif
