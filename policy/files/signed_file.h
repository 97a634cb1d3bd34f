/*
 * signed_file.h - a file and its signature: FILE with FILE.minisig beside it, or both in one text.
 */
#ifndef KMS_POLICY_FILES_SIGNED_FILE_H
#define KMS_POLICY_FILES_SIGNED_FILE_H

#include <stddef.h>

#include "libkms/base/fault.h"
#include "libkms/base/file.h"

#define SIGNED_FILE_MAX (256 * 1024) /* bytes of the largest kind */
#define SIGNATURE_FILE_MAX 16384     /* bytes of a .minisig: its comments may be long */
#define SIGNED_FILE_PATH 160         /* of one in the state directory */

struct signed_file {
	char *text, *signature; /* owned; each with a zero byte behind it */
	size_t len, signature_len;
};

/* Statuses of file_read; f names the file that is missing or cannot be read. */
int signed_file_read(
    struct signed_file *s, int dirfd, const char *path, enum file_origin origin, struct fault *f);
/* From one text with both, as in a mail. KMS_E_SIGNATURE: it contains no signature. */
int signed_file_split(struct signed_file *s, const char *text, size_t len);
/* The directories of path, which this changes and restores. */
int signed_file_make_dirs(int dirfd, char *path);
void signed_file_free(struct signed_file *s);

#endif
