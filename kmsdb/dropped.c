/*
 * dropped.c - see dropped.h.
 */
#include "kmsdb/dropped.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

static const uint8_t head[DROPPED_HASH] = { 'K', 'M', 'S', 'J', 'D', 'R', 'O', 'P', 0, 0, 0, 1 };

static int
check_head(int fd)
{
	uint8_t octets[DROPPED_HASH];
	size_t got;
	int rc = position_read(fd, octets, sizeof(octets), 0, &got);

	if (rc != KMS_OK)
		return rc;
	if (got == 0)
		return KMS_E_NOT_FOUND;
	return got == sizeof(octets) && memcmp(octets, head, got) == 0 ? KMS_OK : KMS_E_SCHEMA;
}

static int
open_read(int journalfd, int *fd)
{
	int rc;

	*fd = openat(journalfd, DROPPED_NAME, POSITION_READ);
	if (*fd < 0)
		return file_status(errno);
	if ((rc = check_head(*fd)) != KMS_OK) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int
dropped_open(int journalfd, int *fd)
{
	int rc;

	*fd = openat(journalfd, DROPPED_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return file_status(errno);
	if ((rc = check_head(*fd)) == KMS_E_NOT_FOUND)
		rc = position_write(*fd, head, sizeof(head), 0);
	if (rc != KMS_OK) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int
dropped_put(int fd, uint64_t number, const uint8_t hash[32])
{
	return position_write(fd, hash, DROPPED_HASH, DROPPED_HASH * number);
}

static int
get(int fd, uint64_t number, uint8_t hash[DROPPED_HASH])
{
	size_t got;
	int rc = position_read(fd, hash, DROPPED_HASH, DROPPED_HASH * number, &got);

	return rc == KMS_OK && got != DROPPED_HASH ? KMS_E_NOT_FOUND : rc;
}

int
dropped_get(int journalfd, uint64_t number, uint8_t hash[DROPPED_HASH])
{
	int fd, rc;

	if (number == 0 || number > UINT64_MAX / DROPPED_HASH / 2)
		return KMS_E_NOT_FOUND;
	if ((rc = open_read(journalfd, &fd)) != KMS_OK)
		return rc;
	rc = get(fd, number, hash);
	close(fd);
	return rc;
}

bool
dropped_continues(int journalfd, uint64_t first, const uint8_t previous[32])
{
	uint8_t hash[DROPPED_HASH];

	return first > 1 && dropped_get(journalfd, first - 1, hash) == KMS_OK &&
	       memcmp(hash, previous, sizeof(hash)) == 0;
}

void
dropped_leaf(struct merkle_run *run, const uint8_t hash[DROPPED_HASH])
{
	uint8_t leaf[MERKLE_HASH];

	merkle_leaf(leaf, hash, DROPPED_HASH);
	merkle_run_add(run, leaf);
}

int
dropped_run(int journalfd, uint64_t upto, struct merkle_run *run)
{
	uint8_t octets[256 * DROPPED_HASH];
	int fd, rc = KMS_OK;

	if (run->count >= upto)
		return KMS_OK;
	if ((rc = open_read(journalfd, &fd)) != KMS_OK)
		return rc;
	while (rc == KMS_OK && run->count < upto) {
		uint64_t left = upto - run->count;
		size_t got, want = left < 256 ? (size_t)left : 256;

		rc = position_read(
		    fd, octets, want * DROPPED_HASH, DROPPED_HASH * (run->count + 1), &got);
		if (rc == KMS_OK && got != want * DROPPED_HASH)
			rc = KMS_E_NOT_FOUND;
		for (size_t i = 0; i < want && rc == KMS_OK; i++)
			dropped_leaf(run, octets + i * DROPPED_HASH);
	}
	close(fd);
	return rc;
}
