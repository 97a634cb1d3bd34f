/*
 * shown.c - see shown.h.
 */
#include "libkms/core/shown.h"

#include "libkms/kms_error.h"

size_t
shown_size(const struct publisher_keys *keys, size_t certificate_len)
{
	return 8 + 1 + keys->count * ROTATION_SIZE + 2 + certificate_len;
}

void
shown_write(struct wire_writer *w, const char magic[8], const struct publisher_keys *keys,
    const uint8_t *certificate, size_t certificate_len)
{
	wire_put(w, magic, 8);
	wire_put_u8(w, (uint8_t)keys->count);
	wire_put(w, keys->octets, keys->count * ROTATION_SIZE);
	wire_put_u16(w, (uint16_t)certificate_len);
	wire_put(w, certificate, certificate_len);
}

int
shown_read(struct shown *s, struct wire_reader *r, const char magic[8])
{
	int rc = wire_magic(r, magic);

	if (rc != KMS_OK)
		return rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT;
	s->rotations = wire_get_u8(r);
	s->statements = wire_view(r, (size_t)s->rotations * ROTATION_SIZE);
	s->certificate_len = wire_get_u16(r);
	s->certificate = wire_view(r, s->certificate_len);
	return KMS_OK;
}

int
shown_trust(const struct shown *s, const struct minisig_key *publisher, struct publisher_keys *keys,
    struct certificate *cert)
{
	int rc;

	*keys = (struct publisher_keys){ .key = *publisher };
	if (s->rotations > ROTATION_CHAIN_MAX)
		return KMS_E_FORMAT;
	if (s->rotations > 0 &&
	    (rc = publisher_keys_chain(keys, s->statements, s->rotations)) != KMS_OK)
		return rc;
	return publisher_keys_certificate(keys, cert, s->certificate, s->certificate_len, NULL);
}
