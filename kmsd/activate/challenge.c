/*
 * challenge.c - see challenge.h.
 */
#include "kmsd/activate/challenge.h"

#include <sodium.h>

#include "libkms/base/wire.h"

uint8_t *
challenge_key(void)
{
	uint8_t *key = sodium_malloc(CHALLENGE_KEY);

	if (key == NULL)
		return NULL;
	randombytes_buf(key, CHALLENGE_KEY);
	sodium_mprotect_readonly(key);
	return key;
}

static void
of_slot(uint8_t out[MESSAGE_ECHO_SIZE], const uint8_t key[CHALLENGE_KEY], const uint8_t cmid[16],
    uint64_t sequence, uint64_t slot)
{
	uint8_t text[16 + 8 + 8];
	struct wire_writer w;

	wire_writer_init(&w, text, sizeof(text));
	wire_put(&w, cmid, 16);
	wire_put_u64(&w, sequence);
	wire_put_u64(&w, slot);
	crypto_generichash(out, MESSAGE_ECHO_SIZE, text, sizeof(text), key, CHALLENGE_KEY);
}

void
challenge_make(uint8_t out[MESSAGE_ECHO_SIZE], const uint8_t key[CHALLENGE_KEY],
    const uint8_t cmid[16], uint64_t sequence, uint64_t now)
{
	of_slot(out, key, cmid, sequence, now / CHALLENGE_SLOT);
}

bool
challenge_right(const uint8_t echo[MESSAGE_ECHO_SIZE], const uint8_t key[CHALLENGE_KEY],
    const uint8_t cmid[16], uint64_t sequence, uint64_t now)
{
	uint64_t slot = now / CHALLENGE_SLOT;
	uint8_t expected[MESSAGE_ECHO_SIZE];

	for (uint64_t back = 0; back < CHALLENGE_SLOTS && back <= slot; back++) {
		of_slot(expected, key, cmid, sequence, slot - back);
		if (sodium_memcmp(echo, expected, sizeof(expected)) == 0)
			return true;
	}
	return false;
}
