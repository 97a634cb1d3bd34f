/*
 * segment_list.h - which segments there are: the names in kmsdb/journal.
 */
#ifndef KMSDB_SEGMENT_LIST_H
#define KMSDB_SEGMENT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/segment.h"
#include "libkms/base/fault.h"

/* First batch numbers of the segments, ascending. */
struct segment_list {
	uint64_t *first;
	size_t count;
};

/* kmsdb/journal below dirfd, made when make. */
int segment_directory(int dirfd, bool make, int *journalfd, struct fault *fault);
int segment_list_read(struct segment_list *l, int journalfd);
void segment_list_free(struct segment_list *l);
/* Index of the segment that contains batch number; count when there is none. */
size_t segment_list_find(const struct segment_list *l, uint64_t number);
/* To read; a link is not followed, a FIFO not waited for. *fd is -1 on failure. */
int segment_open(int journalfd, uint64_t first, int *fd);
/* Size of a segment's file, 0 when there is none. */
uint64_t segment_bytes(int journalfd, uint64_t first);
void segment_list_total(int journalfd, uint64_t *segments, uint64_t *bytes);

#endif
