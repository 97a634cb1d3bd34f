/*
 * core_test.h - what the tests of libkms' codecs share: cmocka with its
 * prerequisites, and bad input made from good by rows of a table.
 */
#ifndef KMS_T_UNIT_CORE_TEST_H
#define KMS_T_UNIT_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/kms_error.h"

/* Write value at offset of a good structure: the decoder must say status. */
struct bad_field {
	const char *what;
	size_t at;
	uint64_t value;
	unsigned octets; /* of value, big-endian */
	int status;
};

static inline void
bad_field_apply(const struct bad_field *b, uint8_t *in)
{
	for (unsigned i = 0; i < b->octets; i++)
		in[b->at + i] = (uint8_t)(b->value >> 8 * (b->octets - 1 - i));
}

typedef int (*decode_fn)(const uint8_t *in, size_t len);

/* A copy that ends where its memory ends, so that sanitizers see a read past it. */
static inline int
decode_exact(decode_fn decode, const uint8_t *in, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0));
	int rc;

	assert_non_null(copy);
	memcpy(copy, in, len);
	rc = decode(copy, len);
	free(copy);
	return rc;
}

/* Cut at every byte: TRUNCATED each time, nothing else. */
static inline void
check_truncations(decode_fn decode, const uint8_t *in, size_t len)
{
	for (size_t n = 0; n < len; n++)
		if (decode_exact(decode, in, n) != KMS_E_TRUNCATED)
			fail_msg("cut to %zu of %zu: %d", n, len, decode_exact(decode, in, n));
	assert_int_equal(decode_exact(decode, in, len), KMS_OK);
}

static inline void
check_bad_fields(
    decode_fn decode, const uint8_t *in, size_t len, const struct bad_field *rows, size_t count)
{
	uint8_t *copy = malloc(len);

	assert_non_null(copy);
	for (size_t i = 0; i < count; i++) {
		memcpy(copy, in, len);
		bad_field_apply(&rows[i], copy);
		if (decode_exact(decode, copy, len) != rows[i].status)
			fail_msg("%s: %d, not %d", rows[i].what, decode_exact(decode, copy, len),
			    rows[i].status);
	}
	free(copy);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#endif
