/*
 * file.h - reading and writing at offsets, whole or not at all, and errno as a
 * KMS_E_*.
 */
#ifndef KMSDB_FILE_H
#define KMSDB_FILE_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

/*
 * In a directory that may be somebody else's copy: a link is not followed, a FIFO not waited
 * for.
 */
#define FILE_READ (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* errno: KMS_E_FULL, KMS_E_NOT_FOUND, KMS_E_DENIED, ... KMS_E_IO */
int file_status(int err);
/* *got < len at the end of the file. */
int file_read(int fd, void *buf, size_t len, uint64_t off, size_t *got);
int file_write(int fd, const void *buf, size_t len, uint64_t off);
int file_zero(int fd, uint64_t off, uint64_t len);
int file_size(int fd, uint64_t *size);
/* A directory beneath dirfd, made when create; its descriptor. */
int file_directory(int dirfd, const char *name, int create, int *fd);

#endif
