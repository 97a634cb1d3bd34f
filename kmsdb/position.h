/*
 * position.h - reading and writing at offsets, completely or with an error. Statuses are those of
 * file_status (base/file.h).
 */
#ifndef KMSDB_POSITION_H
#define KMSDB_POSITION_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * For a directory that another user may have prepared: a link is not followed, a FIFO not waited
 * for.
 */
#define POSITION_READ (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* *got < len at the end of the file. */
int position_read(int fd, void *buf, size_t len, uint64_t off, size_t *got);
int position_write(int fd, const void *buf, size_t len, uint64_t off);
int position_zero(int fd, uint64_t off, uint64_t len);
int position_size(int fd, uint64_t *size);
/* A directory beneath dirfd, made when create; its descriptor. */
int position_directory(int dirfd, const char *name, int create, int *fd);

#endif
