/*
 * issue_file.h - whole small files: read with a bound, written so that a crash
 * leaves the old or the new one and never a part.
 */
#ifndef KMSCTL_ISSUE_ISSUE_FILE_H
#define KMSCTL_ISSUE_ISSUE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * malloc'd and NUL-terminated. KMS_E_NOT_FOUND, KMS_E_DENIED, KMS_E_TOO_LARGE, KMS_E_IO
 * (errno), KMS_E_NO_MEMORY.
 */
int file_read(const char *path, size_t max, char **out, size_t *len);
/* Into a caller's buffer (a secret's), not terminated. */
int file_read_into(const char *path, void *buffer, size_t size, size_t *len);
/* replace false: KMS_E_EXISTS when path is there. Also KMS_E_FULL. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, bool replace);
bool file_exists(const char *path);
/* An existing directory is fine. */
int file_make_dir(const char *path, mode_t mode);
/* Directory entries to disk. */
int file_sync_parent(const char *path);
/* KMS_E_* of errno. */
int file_status(int error);

#endif
