/*
 * client_file.c - see client_file.h.
 */
#include "libkms/client/client_file.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

_Static_assert(CLIENT_FILE_SUM == crypto_generichash_BYTES, "BLAKE2b-256");

void
client_file_close(uint8_t *out, size_t len, const char magic[8], uint16_t version)
{
	struct wire_writer w;

	wire_writer_init(&w, out, CLIENT_FILE_HEAD);
	wire_put(&w, magic, 8);
	wire_put_u16(&w, version);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, (uint32_t)len);
	len -= CLIENT_FILE_SUM;
	crypto_generichash(out + len, CLIENT_FILE_SUM, out, len, NULL, 0);
}

int
client_file_check(
    const uint8_t *in, size_t len, const char magic[8], uint16_t version, uint16_t *found)
{
	struct wire_reader r;
	uint8_t sum[CLIENT_FILE_SUM];

	if (len < CLIENT_FILE_HEAD + CLIENT_FILE_SUM || memcmp(in, magic, 8) != 0)
		return KMS_E_STATE;
	crypto_generichash(sum, sizeof(sum), in, len - sizeof(sum), NULL, 0);
	if (memcmp(sum, in + len - sizeof(sum), sizeof(sum)) != 0)
		return KMS_E_STATE;
	wire_reader_init(&r, in + 8, CLIENT_FILE_HEAD - 8);
	*found = wire_get_u16(&r);
	if (wire_get_u16(&r) != 0 || wire_get_u32(&r) != len)
		return KMS_E_STATE;
	return *found == version ? KMS_OK : KMS_E_SCHEMA;
}
