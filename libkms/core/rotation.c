/*
 * rotation.c - see rotation.h.
 */
#include "libkms/core/rotation.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

static const char magic[8] = { 'K', 'M', 'S', 'R', 'O', 'T', 'A', '1' };

void
rotation_encode(uint8_t out[ROTATION_SIZE], const struct rotation *r)
{
	struct wire_writer w;

	memset(out, 0, ROTATION_SIZE);
	wire_writer_init(&w, out, ROTATION_OLD_SIGNS);
	wire_put(&w, magic, sizeof(magic));
	wire_put(&w, r->old.id, sizeof(r->old.id));
	wire_put(&w, r->old.pk, sizeof(r->old.pk));
	wire_put(&w, r->new.id, sizeof(r->new.id));
	wire_put(&w, r->new.pk, sizeof(r->new.pk));
	wire_put_u64(&w, r->from);
	wire_put_u64(&w, r->until);
}

int
rotation_verify(struct rotation *out, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	int rc;

	wire_reader_init(&r, in, len);
	if ((rc = wire_magic(&r, magic)) != KMS_OK)
		return rc;
	wire_get(&r, out->old.id, sizeof(out->old.id));
	wire_get(&r, out->old.pk, sizeof(out->old.pk));
	wire_get(&r, out->new.id, sizeof(out->new.id));
	wire_get(&r, out->new.pk, sizeof(out->new.pk));
	out->from = wire_get_u64(&r);
	out->until = wire_get_u64(&r);
	wire_view(&r, ROTATION_SIZE - ROTATION_OLD_SIGNS);
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	/* With one id for both keys, either could pass for the other. */
	if (out->from > out->until || memcmp(out->old.id, out->new.id, sizeof(out->old.id)) == 0)
		return KMS_E_FORMAT;
	if (crypto_sign_verify_detached(
		in + ROTATION_OLD_SIGNS, in, ROTATION_OLD_SIGNS, out->old.pk) != 0 ||
	    crypto_sign_verify_detached(
		in + ROTATION_NEW_SIGNS, in, ROTATION_NEW_SIGNS, out->new.pk) != 0)
		return KMS_E_SIGNATURE;
	return KMS_OK;
}
