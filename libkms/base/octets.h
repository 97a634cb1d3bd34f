/*
 * octets.h - a question about bytes that are no secret.
 */
#ifndef KMS_LIBKMS_BASE_OCTETS_H
#define KMS_LIBKMS_BASE_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Are all of them zero? It stops at the first that is not, where sodium_is_zero reads all of them,
 * one at a time: every request asks this several times.
 */
static inline bool
octets_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

#endif
