/*
 * share_keys.h - the names under which hosts leave things in the engine, below kms/SHARE/:
 *
 *	b/HOST/FIRST	a parcel of HOST's chain; FIRST: its first batch, 16 hexadecimal digits
 *	h/HOST		HOST's beat
 *
 * HOST: 32 hexadecimal digits. Digits are lower case, so that the order of the names is that of
 * the numbers. Whatever else is below it is left alone.
 */
#ifndef KMSD_SHARE_SHARE_KEYS_H
#define KMSD_SHARE_SHARE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_KEY 112 /* with the zero */

/* Each returns out. share: its name (share_name_ok). */
const char *share_key_parcel(
    char out[SHARE_KEY], const char *share, const uint8_t host[16], uint64_t first);
/* Between which all parcels of a chain are. */
const char *share_key_parcels(char out[SHARE_KEY], const char *share, const uint8_t host[16]);
const char *share_key_parcels_end(char out[SHARE_KEY], const char *share, const uint8_t host[16]);
const char *share_key_beat(char out[SHARE_KEY], const char *share, const uint8_t host[16]);
const char *share_key_beats(char out[SHARE_KEY], const char *share);
const char *share_key_beats_end(char out[SHARE_KEY], const char *share);

/* The key is that of a parcel of this chain. */
bool share_key_is_parcel(
    const char *key, const char *share, const uint8_t host[16], uint64_t *first);
bool share_key_is_beat(const char *key, const char *share, uint8_t host[16]);

#endif
