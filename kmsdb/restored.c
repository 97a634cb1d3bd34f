/*
 * restored.c - what kmsctl ledger restore, and rebuild from a shorter journal, leave for kmsd,
 * which alone can sign: that the ledger went back. To which batch is not for a file to say: it is
 * the last one that is there.
 */
#include "kmsdb/kmsdb.h"
#include "libkms/base/file.h"

#define PATH "kmsdb/restored"

int
kmsdb_restored_tell(int dirfd)
{
	static const char text[] = "kmsctl ledger restore: kmsd writes an entry of it\n";

	return file_write(dirfd, PATH, text, sizeof(text) - 1, 0600, true);
}

bool
kmsdb_restored_told(int dirfd)
{
	return file_exists(dirfd, PATH);
}

int
kmsdb_restored_forget(int dirfd)
{
	return file_remove(dirfd, PATH);
}
