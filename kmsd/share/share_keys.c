/*
 * share_keys.c - see share_keys.h. The end of a range is its prefix with '0' for the last '/',
 * which is the next character.
 */
#include "kmsd/share/share_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/number.h"

static const char *
of_host(char out[SHARE_KEY], const char *share, char kind, const uint8_t host[16], const char *end)
{
	char hex[33];

	hex_format(hex, host, 16);
	snprintf(out, SHARE_KEY, "kms/%s/%c/%s%s", share, kind, hex, end);
	return out;
}

const char *
share_key_parcel(char out[SHARE_KEY], const char *share, const uint8_t host[16], uint64_t first)
{
	char end[24];

	snprintf(end, sizeof(end), "/%016" PRIx64, first);
	return of_host(out, share, 'b', host, end);
}

const char *
share_key_parcels(char out[SHARE_KEY], const char *share, const uint8_t host[16])
{
	return of_host(out, share, 'b', host, "/");
}

const char *
share_key_parcels_end(char out[SHARE_KEY], const char *share, const uint8_t host[16])
{
	return of_host(out, share, 'b', host, "0");
}

const char *
share_key_beat(char out[SHARE_KEY], const char *share, const uint8_t host[16])
{
	return of_host(out, share, 'h', host, "");
}

const char *
share_key_beats(char out[SHARE_KEY], const char *share)
{
	snprintf(out, SHARE_KEY, "kms/%s/h/", share);
	return out;
}

const char *
share_key_beats_end(char out[SHARE_KEY], const char *share)
{
	snprintf(out, SHARE_KEY, "kms/%s/h0", share);
	return out;
}

bool
share_key_is_parcel(const char *key, const char *share, const uint8_t host[16], uint64_t *first)
{
	char prefix[SHARE_KEY], again[SHARE_KEY], digits[24];
	size_t len = strlen(share_key_parcels(prefix, share, host));

	if (strncmp(key, prefix, len) != 0 || strlen(key + len) != 16)
		return false;
	snprintf(digits, sizeof(digits), "0x%s", key + len);
	/* In the one way in which we write it. */
	return number_parse_hex(first, UINT64_MAX, digits) &&
	       strcmp(share_key_parcel(again, share, host, *first), key) == 0;
}

bool
share_key_is_beat(const char *key, const char *share, uint8_t host[16])
{
	char prefix[SHARE_KEY], again[SHARE_KEY];
	size_t len = strlen(share_key_beats(prefix, share));

	return strncmp(key, prefix, len) == 0 && hex_parse(host, 16, key + len) &&
	       strcmp(share_key_beat(again, share, host), key) == 0;
}
