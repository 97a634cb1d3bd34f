/*
 * shown.h - how a file begins that a client writes for others to verify with the publisher's public
 * key alone, a lease or evidence:
 *
 *   0    8  magic
 *   8    1  r, at most 32
 *   9 232r  rotation statements, the oldest first
 *        2  length c
 *        c  certificate of the host
 */
#ifndef KMS_LIBKMS_CORE_SHOWN_H
#define KMS_LIBKMS_CORE_SHOWN_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/publisher_keys.h"

struct shown {
	const uint8_t *statements; /* borrowed from the file, as is the rest */
	unsigned rotations;
	const uint8_t *certificate;
	size_t certificate_len;
};

size_t shown_size(const struct publisher_keys *keys, size_t certificate_len);
void shown_write(struct wire_writer *w, const char magic[8], const struct publisher_keys *keys,
    const uint8_t *certificate, size_t certificate_len);

/* KMS_OK, KMS_E_SCHEMA (the last two characters of the magic are others), KMS_E_FORMAT. */
int shown_read(struct shown *s, struct wire_reader *r, const char magic[8]);
/* The keys that are trusted with the publisher's, and the certificate, if one of them signed it. */
int shown_trust(const struct shown *s, const struct minisig_key *publisher,
    struct publisher_keys *keys, struct certificate *cert);

#endif
