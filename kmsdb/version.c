/*
 * version.c - who wrote the ledger last.
 */
#include "kmsdb/version.h"

#include <stdio.h>
#include <string.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define NAME "version"
#define SIZE 128

/* *len: 0 when there is no such file. */
static void
read_file(int dirfd, char out[SIZE], size_t *len)
{
	*len = 0;
	if (file_read_into(dirfd, NAME, FILE_OURS, out, SIZE - 1, len) != KMS_OK)
		*len = 0;
	out[*len] = '\0';
}

int
version_tell(int dirfd)
{
	char want[SIZE], have[SIZE];
	int n = snprintf(want, sizeof(want), "index %d\nkmsd %s\n", INDEX_SCHEMA, PACKAGE_VERSION);
	size_t len;

	read_file(dirfd, have, &len);
	if (len == (size_t)n && memcmp(have, want, len) == 0)
		return KMS_OK;
	return file_write(dirfd, NAME, want, (size_t)n, 0600, true);
}

void
version_writer(int dirfd, char out[VERSION_TEXT])
{
	char have[SIZE];
	unsigned schema;
	size_t len;

	read_file(dirfd, have, &len);
	if (sscanf(have, "index %u\nkmsd %24[0-9A-Za-z.+~-]", &schema, out) != 2)
		out[0] = '\0';
}
