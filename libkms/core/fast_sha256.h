/*
 * fast_sha256.h - SHA-256 with the processor's own instructions, for the programs that hash whole
 * journals. nettle chooses the code when the program starts; without such instructions it is about
 * as fast as libsodium's, which all others use.
 */
#ifndef KMS_LIBKMS_CORE_FAST_SHA256_H
#define KMS_LIBKMS_CORE_FAST_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

/* Of a, then b. It is a merkle_sha256. */
void fast_sha256(
    uint8_t out[MERKLE_HASH], const void *a, size_t a_len, const void *b, size_t b_len);

#endif
