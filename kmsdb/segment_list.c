/*
 * segment_list.c - the journal's directory.
 */
#include "kmsdb/segment_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
segment_directory(int dirfd, bool make, int *journalfd, struct fault *fault)
{
	int fd = -1, rc = position_directory(dirfd, "kmsdb", make, &fd);

	if (rc == KMS_OK) {
		rc = position_directory(fd, "journal", make, journalfd);
		close(fd);
	}
	if (rc != KMS_OK)
		fault_set(fault, rc, "the directory kmsdb/journal cannot be opened: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}

static int
ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int
segment_list_read(struct segment_list *l, int journalfd)
{
	int fd = openat(journalfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t room = 0;
	struct dirent *e;
	int rc = KMS_OK;

	memset(l, 0, sizeof(*l));
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return file_status(errno);
	}
	while ((e = readdir(dir)) != NULL) {
		uint64_t first;
		if (!segment_name_parse(e->d_name, &first))
			continue;
		if (l->count == room) {
			room = room == 0 ? 64 : room * 2;
			uint64_t *more = realloc(l->first, room * sizeof(*more));
			if (more == NULL) {
				rc = KMS_E_NO_MEMORY;
				break;
			}
			l->first = more;
		}
		l->first[l->count++] = first;
	}
	closedir(dir);
	if (rc != KMS_OK)
		segment_list_free(l);
	else if (l->count > 0)
		qsort(l->first, l->count, sizeof(*l->first), ascending);
	return rc;
}

void
segment_list_free(struct segment_list *l)
{
	free(l->first);
	memset(l, 0, sizeof(*l));
}

size_t
segment_list_find(const struct segment_list *l, uint64_t number)
{
	size_t i = l->count;

	while (i > 0 && l->first[i - 1] > number)
		i--;
	return i > 0 ? i - 1 : l->count;
}

int
segment_open(int journalfd, uint64_t first, int *fd)
{
	char name[SEGMENT_NAME];

	segment_name(name, first);
	*fd = openat(journalfd, name, POSITION_READ);
	return *fd < 0 ? file_status(errno) : KMS_OK;
}

uint64_t
segment_bytes(int journalfd, uint64_t first)
{
	char name[SEGMENT_NAME];
	struct stat st;

	segment_name(name, first);
	return fstatat(journalfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

void
segment_list_total(int journalfd, uint64_t *segments, uint64_t *bytes)
{
	struct segment_list list;

	*segments = *bytes = 0;
	if (segment_list_read(&list, journalfd) != KMS_OK)
		return;
	*segments = list.count;
	for (size_t i = 0; i < list.count; i++)
		*bytes += segment_bytes(journalfd, list.first[i]);
	segment_list_free(&list);
}
