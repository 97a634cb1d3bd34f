/*
 * store.h - small files under the state directory: whole reads, and writes
 * that are there complete and on disk, or not at all (temporary name, fsync,
 * rename, fsync of the directory). Paths are relative to dirfd and made by us
 * from numbers, never from text that came from outside.
 */
#ifndef KMSD_ACTIVATE_STORE_H
#define KMSD_ACTIVATE_STORE_H

#include <stddef.h>
#include <stdint.h>

#define STORE_PATH 160

/* Directory, 0700; fine when it is there. KMS_E_IO. */
int store_mkdir(int dirfd, const char *path);
/*
 * Whole file, malloc'd, a zero byte behind it. KMS_E_NOT_FOUND, KMS_E_TOO_LARGE, KMS_E_IO,
 * KMS_E_NO_MEMORY.
 */
int store_read(int dirfd, const char *path, size_t max, uint8_t **out, size_t *len);
/* The same into a buffer that the caller guards. */
int store_read_into(int dirfd, const char *path, uint8_t *out, size_t size, size_t *len);
/* 0600. KMS_E_FULL, KMS_E_IO. */
int store_write(int dirfd, const char *path, const void *data, size_t len);
/* Gone afterwards, or never there. KMS_E_FULL, KMS_E_IO. */
int store_remove(int dirfd, const char *path);
/* KMS_E_NOT_FOUND, KMS_E_FULL, KMS_E_IO. */
int store_rename(int dirfd, const char *from, const char *to);
/*
 * Every name in directory path that ends with suffix; callback non-zero stops and is returned.
 * A missing directory is empty.
 */
int store_each(int dirfd, const char *path, const char *suffix,
    int (*fn)(const char *name, void *arg), void *arg);

#endif
