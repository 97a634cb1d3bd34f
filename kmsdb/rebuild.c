/*
 * rebuild.c - makes a new index from the journal beside the old one, and replaces the old one in
 * one step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/ledger.h"
#include "kmsdb/position.h"
#include "libkms/base/file.h"

static int
swap(int dirfd)
{
	/* The old one may be missing, which is a reason to rebuild. */
	if (renameat2(dirfd, LEDGER_REBUILD_NAME, dirfd, "index", RENAME_EXCHANGE) != 0 &&
	    (errno != ENOENT || renameat(dirfd, LEDGER_REBUILD_NAME, dirfd, "index") != 0))
		return file_status(errno);
	return fsync(dirfd) == 0 ? KMS_OK : file_status(errno);
}

/* The process that holds the lock may be about to make one. */
static void
remove_unfinished(int dirfd, int status)
{
	int fd;

	if (status == KMS_E_EXISTS || position_directory(dirfd, "kmsdb", 0, &fd) != KMS_OK)
		return;
	index_remove(fd, LEDGER_REBUILD_NAME);
	close(fd);
}

/*
 * Does the old index know a batch that the journal does not have? Then clients may hold leases of
 * it, and the record must say that it went back. It may be of another version. What cannot be read
 * says nothing.
 */
static bool
goes_back(struct kmsdb *db)
{
	struct index_meta meta;
	struct batch_ref ref;

	if (!index_peek(db->dirfd, "index", &meta) || meta.last == 0)
		return false;
	return ledger_batch(db, meta.last, &ref) != KMS_OK || memcmp(ref.hash, meta.hash, 32) != 0;
}

int
kmsdb_rebuild(int dirfd, const struct kmsdb_options *opt, struct fault *fault)
{
	struct kmsdb *db;
	int rc = ledger_open(&db, dirfd, opt, LEDGER_REBUILD, fault);

	if (rc != KMS_OK) {
		remove_unfinished(dirfd, rc);
		return rc;
	}
	rc = checkpoint_all(db);
	if (rc == KMS_OK)
		rc = index_sync(db->index);
	/* Syncing may take long, too. */
	ledger_busy(db);
	if (rc == KMS_OK && goes_back(db))
		rc = kmsdb_restored_tell(dirfd);
	if (rc == KMS_OK)
		rc = swap(db->dirfd);
	if (rc != KMS_OK)
		fault_set(fault, rc,
		    "the new index cannot be written: %s; the old one is untouched",
		    kms_strerror((uint32_t)rc));
	index_remove(db->dirfd, LEDGER_REBUILD_NAME);
	kmsdb_close(db);
	return rc;
}
