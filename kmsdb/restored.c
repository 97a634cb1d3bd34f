/*
 * restored.c - what kmsctl ledger restore leaves for kmsd, which alone can sign: to which batch the
 * ledger went back. A file of 49 bytes, laid out as digest and blob of the entry that follows from
 * it (entry_blobs.h): hash 32, number 8, time 8, cause 1.
 */
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/file.h"
#include "libkms/base/wire.h"
#include "libkms/core/entry_blobs.h"

#define PATH "kmsdb/restored"
#define SIZE 49

int
kmsdb_left_write(int dirfd, const struct kmsdb_left *left)
{
	uint8_t file[SIZE];
	struct wire_writer w;

	wire_writer_init(&w, file, sizeof(file));
	wire_put(&w, left->hash, sizeof(left->hash));
	wire_put_u64(&w, left->number);
	wire_put_u64(&w, left->time);
	wire_put_u8(&w, left->cause);
	return file_write(dirfd, PATH, file, sizeof(file), 0600, true);
}

int
kmsdb_left_read(int dirfd, struct kmsdb_left *left)
{
	uint8_t file[SIZE];
	struct wire_reader r;
	size_t len;
	int rc = file_read_into(dirfd, PATH, FILE_OURS, file, sizeof(file), &len);

	memset(left, 0, sizeof(*left));
	if (rc == KMS_E_NOT_FOUND)
		return rc;
	if (rc != KMS_OK || len != sizeof(file))
		return KMS_E_FORMAT;
	wire_reader_init(&r, file, len);
	wire_get(&r, left->hash, sizeof(left->hash));
	left->number = wire_get_u64(&r);
	left->time = wire_get_u64(&r);
	left->cause = wire_get_u8(&r);
	return wire_finish(&r) == KMS_OK && left->cause >= RESTORED_BACKUP &&
		       left->cause <= RESTORED_NOTHING
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

int
kmsdb_left_remove(int dirfd)
{
	return file_remove(dirfd, PATH);
}
