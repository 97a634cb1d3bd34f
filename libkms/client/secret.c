/*
 * secret.c - see secret.h.
 */
#include "libkms/client/secret.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/client_file.h"
#include "libkms/kms_error.h"

static const char magic[8] = { 'K', 'M', 'S', 'S', 'T', 'K', 'E', 'Y' };

size_t
secret_encode(uint8_t out[SECRET_MAX], const struct secret *s)
{
	struct wire_writer w;
	size_t len;

	wire_writer_init(&w, out, SECRET_MAX - CLIENT_FILE_SUM);
	wire_reserve(&w, CLIENT_FILE_HEAD);
	wire_put(&w, s->sk, sizeof(s->sk));
	wire_put_u64(&w, s->sequence);
	wire_put_u8(&w, s->pending_operation);
	wire_put_zero(&w, 7);
	wire_put(&w, s->pending_id, sizeof(s->pending_id));
	wire_put(&w, s->pending_product, sizeof(s->pending_product));
	wire_put_u64(&w, s->pending_time);
	wire_put_u32(&w, s->borrow_minutes);
	wire_put_u32(&w, 0);
	wire_put(&w, s->challenge, sizeof(s->challenge));
	after_put(&w, &s->after);
	len = wire_written(&w) + CLIENT_FILE_SUM;
	client_file_close(out, len, magic, SECRET_VERSION);
	return len;
}

int
secret_decode(struct secret *s, const uint8_t *in, size_t len, uint16_t *version)
{
	struct wire_reader r;
	const uint8_t *zero;
	uint16_t found = 0;
	uint32_t reserved;
	int rc = client_file_check(in, len, magic, SECRET_VERSION, &found);

	if (rc == KMS_E_SCHEMA && found == SECRET_OLD)
		rc = KMS_OK;
	if (version != NULL)
		*version = found;
	if (rc != KMS_OK)
		return rc;
	wire_reader_init(&r, in + CLIENT_FILE_HEAD, len - CLIENT_FILE_HEAD - CLIENT_FILE_SUM);
	wire_get(&r, s->sk, sizeof(s->sk));
	s->sequence = wire_get_u64(&r);
	s->pending_operation = wire_get_u8(&r);
	zero = wire_view(&r, 7);
	wire_get(&r, s->pending_id, sizeof(s->pending_id));
	wire_get(&r, s->pending_product, sizeof(s->pending_product));
	s->pending_time = wire_get_u64(&r);
	s->borrow_minutes = wire_get_u32(&r);
	reserved = wire_get_u32(&r);
	wire_get(&r, s->challenge, sizeof(s->challenge));
	if (found == SECRET_OLD)
		s->after = (struct after){ .partial = true };
	else
		after_get(&r, &s->after);
	return wire_finish(&r) == KMS_OK && reserved == 0 && sodium_is_zero(zero, 7) ? KMS_OK
										     : KMS_E_STATE;
}
