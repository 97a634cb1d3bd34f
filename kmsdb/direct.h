/*
 * direct.h - appending past the page cache: the kernel neither copies a record nor looks for its
 * dirty pages at the sync. Whole blocks are written, because a disk that has to read a block first,
 * to change a part of it, is slow.
 */
#ifndef KMSDB_DIRECT_H
#define KMSDB_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct direct;

struct direct *direct_new(size_t most); /* bytes of the longest record; NULL: memory */
void direct_free(struct direct *d);
/* The file to which is appended from now on. Without O_DIRECT there, direct_write does nothing. */
void direct_open(struct direct *d, int dirfd, const char *name);
void direct_shut(struct direct *d);
/* Somebody else wrote to the file: what is kept of its last block is read again. */
void direct_forget(struct direct *d);
/*
 * Writes len bytes at offset at; fd is the same file, size its size. What follows them there, up to
 * the end of their block, is zeros. Returns KMS_OK, or a failure as position_write does.
 * KMS_E_NOT_OFFERED: nothing was written, and it must be written in the ordinary way.
 */
int direct_write(
    struct direct *d, int fd, uint64_t size, const uint8_t *octets, size_t len, uint64_t at);

#endif
