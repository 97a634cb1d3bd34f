/*
 * rotations.c - see rotations.h.
 */
#include "policy/files/rotations.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

_Static_assert(ROTATIONS_DIGEST == crypto_hash_sha256_BYTES, "SHA-256");

size_t
rotations_encode(uint8_t out[ROTATIONS_MAX], const struct publisher_keys *k)
{
	size_t len = k->count * sizeof(k->octets[0]);

	memcpy(out, k->octets, len);
	crypto_hash_sha256(out + len, out, len);
	return len + ROTATIONS_DIGEST;
}

int
rotations_decode(struct publisher_keys *k, const uint8_t *in, size_t len)
{
	uint8_t digest[ROTATIONS_DIGEST];
	int rc;

	k->count = 0;
	if (len < ROTATION_SIZE + ROTATIONS_DIGEST || len > ROTATIONS_MAX ||
	    (len - ROTATIONS_DIGEST) % ROTATION_SIZE != 0)
		return KMS_E_FORMAT;
	len -= ROTATIONS_DIGEST;
	crypto_hash_sha256(digest, in, len);
	if (memcmp(digest, in + len, sizeof(digest)) != 0)
		return KMS_E_FORMAT;
	if ((rc = publisher_keys_chain(k, in, (unsigned)(len / ROTATION_SIZE))) != KMS_OK)
		k->count = 0;
	return rc;
}

void
rotations_path(char out[SIGNED_FILE_PATH], const struct publisher *p)
{
	char hex[17];

	hex_format(hex, p->public.key.id, 8);
	snprintf(out, SIGNED_FILE_PATH, "publishers/%s/rotations", hex);
}

int
rotations_read(int dirfd, struct publisher *p, struct fault *f)
{
	uint8_t octets[ROTATIONS_MAX];
	char path[SIGNED_FILE_PATH];
	size_t len;
	int rc;

	rotations_path(path, p);
	rc = file_read_into(dirfd, path, FILE_OURS, octets, sizeof(octets), &len);
	if (rc == KMS_E_TOO_LARGE)
		rc = KMS_E_FORMAT;
	else if (rc == KMS_OK)
		rc = rotations_decode(&p->public, octets, len);
	if (rc == KMS_E_FORMAT)
		return fault_set(f, rc, "the file is damaged");
	if (rc == KMS_E_PUBLISHER)
		return fault_set(f, rc, "a key rotation in it is another publisher's");
	return rc;
}

int
rotations_check(const struct publisher *p, const uint8_t statement[ROTATION_SIZE])
{
	struct publisher_keys more = p->public;

	return publisher_keys_rotate(&more, statement);
}

int
rotations_store(int dirfd, const struct publisher *p, const uint8_t statement[ROTATION_SIZE])
{
	struct publisher_keys more = p->public;
	uint8_t octets[ROTATIONS_MAX];
	char path[SIGNED_FILE_PATH];
	size_t len;
	int rc = publisher_keys_rotate(&more, statement);

	rotations_path(path, p);
	if (rc == KMS_OK)
		rc = signed_file_make_dirs(dirfd, path);
	len = rotations_encode(octets, &more);
	return rc == KMS_OK ? file_write(dirfd, path, octets, len, 0600, true) : rc;
}
