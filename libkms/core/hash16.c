/*
 * hash16.c - see hash16.h.
 */
#include "libkms/core/hash16.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define SHORT 256

/* What is short is put together first: that costs less than several updates of a state. */
static bool
hash_short(
    uint8_t out[HASH16_SIZE], const char *label, const struct hash16_part *parts, size_t count)
{
	size_t len = strlen(label);
	uint8_t text[SHORT];

	for (size_t i = 0; i < count; i++)
		if (parts[i].len > SHORT || (len += parts[i].len) > SHORT)
			return false;
	len = strlen(label);
	memcpy(text, label, len);
	for (size_t i = 0; i < count; i++) {
		memcpy(text + len, parts[i].bytes, parts[i].len);
		len += parts[i].len;
	}
	crypto_generichash(out, HASH16_SIZE, text, len, NULL, 0);
	sodium_memzero(text, len);
	return true;
}

void
hash16(uint8_t out[HASH16_SIZE], const char *label, const struct hash16_part *parts, size_t count)
{
	crypto_generichash_state state;

	if (hash_short(out, label, parts, count))
		return;

	crypto_generichash_init(&state, NULL, 0, HASH16_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)label, strlen(label));
	for (size_t i = 0; i < count; i++)
		crypto_generichash_update(&state, parts[i].bytes, parts[i].len);
	crypto_generichash_final(&state, out, HASH16_SIZE);
	sodium_memzero(&state, sizeof(state));
}

void
hash16_salt(uint8_t out[HASH16_SIZE], const uint8_t secret_key[32])
{
	hash16(out, "KMS salt v1", &(struct hash16_part){ secret_key, 32 }, 1);
}
