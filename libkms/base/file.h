/*
 * file.h - whole files: read with a bound, and written so that a crash leaves the old file or the
 * new one and never a part. Paths are relative to dirfd (AT_FDCWD: to the working
 * directory).
 *
 * Statuses are those of file_status; errno is still that of the call that failed.
 */
#ifndef KMS_LIBKMS_BASE_FILE_H
#define KMS_LIBKMS_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define FILE_PATH_MAX 4096 /* bytes of a path with its end */

/* Who chose the file's name? */
enum file_origin {
	/*
	 * kmsd, in a directory of its own: must be a regular file. A link is refused, a FIFO is not
	 * waited for.
	 */
	FILE_OURS,
	/*
	 * A person: anything that can be read, including a pipe or a link. A FIFO that nobody
	 * writes to is an empty file.
	 */
	FILE_GIVEN,
};

/*
 * KMS_E_NOT_FOUND, KMS_E_DENIED (also a read-only file system), KMS_E_FULL, KMS_E_EXISTS,
 * KMS_E_NO_MEMORY, else KMS_E_IO.
 */
int file_status(int error);

/* Up to size bytes of fd, to its end. KMS_E_TOO_LARGE: fd has more. */
int file_read_fd(int fd, void *buffer, size_t size, size_t *len);
/* The same, malloc'd with a zero byte behind it; *out is NULL on failure. */
int file_read_stream(int fd, size_t max, char **out, size_t *len);
/* Into the caller's buffer (a secret's), not terminated. */
int file_read_into(
    int dirfd, const char *path, enum file_origin origin, void *buffer, size_t size, size_t *len);
/* As file_read_stream. */
int file_read(
    int dirfd, const char *path, enum file_origin origin, size_t max, char **out, size_t *len);

/* All of it, or an error. */
int file_write_fd(int fd, const void *data, size_t len);
/*
 * Writes path.new, syncs it and moves it into place; syncs the directory last. The caller ensures
 * that nobody else writes the same path. replace false: KMS_E_EXISTS when path exists.
 */
int file_write(
    int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool replace);
/*
 * To a path that a person named: a regular file is replaced as by file_write, with the mode that
 * the umask gives. A link, a pipe or a terminal stays what it is, and the data are written to it.
 */
int file_write_given(const char *path, const void *data, size_t len);

/* The same as file_write with replace, for more than fits in memory. */
struct file_stream {
	FILE *to; /* the caller writes here */
	int dirfd;
	const char *path; /* borrowed until the end */
	char beside[FILE_PATH_MAX];
};
int file_stream_open(struct file_stream *s, int dirfd, const char *path, mode_t mode);
/*
 * Ends it: the file is in place, or it is removed and the status says why. With done false it is
 * removed, and that is no failure.
 */
int file_stream_close(struct file_stream *s, bool done);
/* Removes the file; a missing one is fine. */
int file_remove(int dirfd, const char *path);
int file_rename(int dirfd, const char *from, const char *to);
/* Syncs the directory that path is in. */
int file_sync_parent(int dirfd, const char *path);
bool file_exists(int dirfd, const char *path);
/* When it was last written, in seconds since 1970; 0: there is no such file. */
uint64_t file_time(int dirfd, const char *path);
/* One that is there is fine. */
int file_make_dir(int dirfd, const char *path, mode_t mode);
/*
 * Calls fn for each name in the directory that ends with suffix; a result other than 0 ends the
 * loop and is returned. A missing directory is empty.
 */
int file_each(int dirfd, const char *path, const char *suffix,
    int (*fn)(const char *name, void *arg), void *arg);

#endif
