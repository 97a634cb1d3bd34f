/*
 * journal.c - appending. Every step leaves files that scan.c can read: a new
 * segment gets its name only when its header is on disk, the old one its footer only
 * when the new one has its name, and the first batch comes after the footer.
 */
#include "kmsdb/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "kmsdb/direct.h"
#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define NEXT_NAME "next.tmp"

enum next_state { NEXT_NONE, NEXT_BUSY, NEXT_READY };

struct journal {
	int journalfd;
	uint64_t segment_size;
	int fd;
	struct direct *direct;  /* the same file */
	uint64_t size;          /* of the current segment's file */
	struct scan_place tail; /* where the next batch goes */
	uint64_t dirty;         /* bytes after tail that a failed append may have left */
	int closing_fd;         /* segment that still lacks its footer, -1 none */
	uint64_t closing_at;
	pthread_mutex_t writing; /* to the current segment; the tail is read under it elsewhere */
	pthread_mutex_t lock;    /* of those below */
	pthread_cond_t prepared;
	enum next_state next;
	int next_fd;
	bool next_failed, next_said;
	journal_log_fn log;
	void *log_arg;
};

static void
say(struct journal *j, int level, const char *event, const char *text)
{
	if (j->log != NULL)
		j->log(level, event, text, j->log_arg);
}

static int
sync_fd(int fd)
{
	return fdatasync(fd) == 0 ? KMS_OK : file_status(errno);
}

/* Makes a file of zeros that is completely on disk. */
static int
make_next(struct journal *j, int *out)
{
	int fd = openat(
	    j->journalfd, NEXT_NAME, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return file_status(errno);
	/*
	 * Allocate the space first: on a full disk that fails at once, not after filling the disk.
	 */
	rc = fallocate(fd, 0, 0, (off_t)j->segment_size) != 0 && errno == ENOSPC
		 ? KMS_E_FULL
		 : position_zero(fd, 0, j->segment_size);
	if (rc == KMS_OK && fsync(fd) != 0)
		rc = file_status(errno);
	if (rc != KMS_OK) {
		/* Free the space: the index may need it. */
		close(fd);
		unlinkat(j->journalfd, NEXT_NAME, 0);
		return rc;
	}
	*out = fd;
	return KMS_OK;
}

bool
journal_wants_segment(struct journal *j)
{
	bool wants, say_so;

	pthread_mutex_lock(&j->lock);
	wants = j->next == NEXT_NONE && !j->next_failed && j->tail.offset > j->size / 2;
	say_so = j->next_failed && !j->next_said;
	j->next_said |= say_so;
	pthread_mutex_unlock(&j->lock);
	if (say_so)
		say(j, LOG_WARNING, "journal-segment",
		    "the next segment of the journal cannot be prepared; free space on its disk");
	return wants;
}

void
journal_prepare(struct journal *j)
{
	int fd = -1, rc;

	pthread_mutex_lock(&j->lock);
	if (j->next != NEXT_NONE) {
		pthread_mutex_unlock(&j->lock);
		return;
	}
	j->next = NEXT_BUSY;
	pthread_mutex_unlock(&j->lock);
	rc = make_next(j, &fd);
	pthread_mutex_lock(&j->lock);
	j->next = rc == KMS_OK ? NEXT_READY : NEXT_NONE;
	j->next_fd = fd;
	j->next_failed = rc != KMS_OK;
	pthread_cond_broadcast(&j->prepared);
	pthread_mutex_unlock(&j->lock);
}

/*
 * The prepared file; it is made here if the writer thread has not made it. The state stays
 * NEXT_BUSY until name_free: the file still has the name that the writer thread would use for the
 * next one.
 */
static int
take_next(struct journal *j, int *fd)
{
	int rc = KMS_OK;

	pthread_mutex_lock(&j->lock);
	while (j->next == NEXT_BUSY)
		pthread_cond_wait(&j->prepared, &j->lock);
	if (j->next == NEXT_NONE)
		rc = make_next(j, &j->next_fd);
	*fd = j->next_fd;
	j->next_fd = -1;
	j->next = rc == KMS_OK ? NEXT_BUSY : NEXT_NONE;
	j->next_failed = j->next_said = false;
	pthread_mutex_unlock(&j->lock);
	return rc;
}

static void
name_free(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	j->next = NEXT_NONE;
	pthread_cond_broadcast(&j->prepared);
	pthread_mutex_unlock(&j->lock);
}

/* The prepared file becomes the segment that begins at the tail. */
static int
install_next(struct journal *j)
{
	struct segment_header h = { .first = j->tail.number };
	uint8_t octets[SEGMENT_SECTOR];
	char name[SEGMENT_NAME];
	int fd = -1, rc;

	if ((rc = take_next(j, &fd)) != KMS_OK)
		return rc;
	memcpy(h.previous, j->tail.previous, 32);
	segment_header_encode(octets, &h);
	segment_name(name, h.first);
	if ((rc = position_write(fd, octets, sizeof(octets), 0)) != KMS_OK ||
	    (rc = sync_fd(fd)) != KMS_OK)
		goto fail;
	if (renameat(j->journalfd, NEXT_NAME, j->journalfd, name) != 0 ||
	    fsync(j->journalfd) != 0) {
		rc = file_status(errno);
		/* Without its footer, the old segment is still the last one: undo the rename. */
		unlinkat(j->journalfd, name, 0);
		goto fail;
	}
	j->closing_fd = j->fd;
	j->closing_at = j->tail.offset;
	j->fd = fd;
	j->size = j->segment_size;
	j->tail.first = h.first;
	j->tail.offset = SEGMENT_SECTOR;
	direct_open(j->direct, j->journalfd, name);
	name_free(j);
	return KMS_OK;
fail:
	close(fd);
	unlinkat(j->journalfd, NEXT_NAME, 0);
	name_free(j);
	return rc;
}

/* Writes the footer of the segment before; no batch may follow until it is on disk. */
static int
finish_closing(struct journal *j)
{
	uint8_t footer[SEGMENT_SECTOR];
	int rc;

	if (j->closing_fd < 0)
		return KMS_OK;
	segment_footer_encode(footer, j->tail.number, j->tail.previous);
	if ((rc = position_write(j->closing_fd, footer, sizeof(footer), j->closing_at)) != KMS_OK ||
	    (rc = sync_fd(j->closing_fd)) != KMS_OK)
		return rc;
	close(j->closing_fd);
	j->closing_fd = -1;
	return KMS_OK;
}

/* Writes zeros where a failed append may have left bytes. */
static int
scrub(struct journal *j)
{
	uint64_t len = j->dirty;
	int rc;

	if (len == 0)
		return KMS_OK;
	if (j->tail.offset + len > j->size)
		len = j->size - j->tail.offset;
	if ((rc = position_zero(j->fd, j->tail.offset, len)) != KMS_OK ||
	    (rc = sync_fd(j->fd)) != KMS_OK)
		return rc;
	j->dirty = 0;
	return KMS_OK;
}

static int
write_record(struct journal *j, const uint8_t *record, size_t len)
{
	int rc = direct_write(j->direct, j->fd, j->size, record, len, j->tail.offset);

	if (rc == KMS_E_NOT_OFFERED)
		rc = position_write(j->fd, record, len, j->tail.offset);
	return rc == KMS_OK ? sync_fd(j->fd) : rc;
}

static int
append(struct journal *j, const uint8_t *record, size_t len, const uint8_t hash[32],
    uint64_t *first, uint64_t *offset)
{
	int rc = scrub(j);

	/* One sector stays free for the footer. */
	if (rc == KMS_OK && j->tail.offset + len + SEGMENT_SECTOR > j->size)
		rc = install_next(j);
	if (rc == KMS_OK)
		rc = finish_closing(j);
	if (rc != KMS_OK)
		return rc;
	j->dirty = len;
	if ((rc = write_record(j, record, len)) != KMS_OK) {
		scrub(j);
		return rc;
	}
	j->dirty = 0;
	*first = j->tail.first;
	*offset = j->tail.offset;
	j->tail.offset += len;
	j->tail.number++;
	memcpy(j->tail.previous, hash, 32);
	return KMS_OK;
}

int
journal_append(struct journal *j, const uint8_t *record, size_t len, const uint8_t hash[32],
    uint64_t *first, uint64_t *offset)
{
	int rc;

	pthread_mutex_lock(&j->writing);
	rc = append(j, record, len, hash, first, offset);
	pthread_mutex_unlock(&j->writing);
	return rc;
}

int
journal_zero(struct journal *j, uint64_t first, int fd, uint64_t offset, uint64_t len)
{
	int rc;

	pthread_mutex_lock(&j->writing);
	rc = position_zero(fd, offset, len);
	if (first == j->tail.first)
		direct_forget(j->direct);
	pthread_mutex_unlock(&j->writing);
	return rc;
}

uint64_t
journal_last(const struct journal *j)
{
	return j->tail.number - 1;
}

const uint8_t *
journal_last_hash(const struct journal *j)
{
	return j->tail.previous;
}

static int
open_segment(struct journal *j, uint64_t first, int *fd)
{
	char name[SEGMENT_NAME];

	segment_name(name, first);
	*fd = openat(j->journalfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? file_status(errno) : KMS_OK;
}

/* Writes zeros over the rest of a torn write, which is never longer than a record. */
static int
clear_torn(struct journal *j, const struct scan *scan)
{
	char text[FAULT_TEXT + 64];
	int rc;

	j->dirty = RECORD_MAX;
	if ((rc = scrub(j)) != KMS_OK)
		return rc;
	snprintf(
	    text, sizeof(text), "%s: cleared; it had never been acknowledged", scan->fault.text);
	say(j, LOG_WARNING, "journal-torn", text);
	return KMS_OK;
}

static int
resume(struct journal *j, const struct scan *scan)
{
	char name[SEGMENT_NAME];
	int rc;

	if ((rc = open_segment(j, scan->end.first, &j->fd)) != KMS_OK ||
	    (rc = position_size(j->fd, &j->size)) != KMS_OK)
		return rc;
	segment_name(name, scan->end.first);
	direct_open(j->direct, j->journalfd, name);
	/*
	 * The file was cut short: no batch fits, but the zeros are written again when there is
	 * room.
	 */
	if (j->size < j->segment_size &&
	    position_zero(j->fd, j->size, j->segment_size - j->size) == KMS_OK && fsync(j->fd) == 0)
		j->size = j->segment_size;
	if (j->size < j->tail.offset)
		j->size = j->tail.offset;
	if (scan->torn && (rc = clear_torn(j, scan)) != KMS_OK)
		return rc;
	if (scan->unfooted) {
		j->closing_at = scan->footer_at;
		if ((rc = open_segment(j, scan->footer_first, &j->closing_fd)) != KMS_OK)
			return rc;
	}
	return finish_closing(j);
}

static int
first_segment(struct journal *j)
{
	int rc;

	j->tail.number = 1;
	if ((rc = install_next(j)) != KMS_OK)
		return rc;
	j->closing_fd = -1;
	return KMS_OK;
}

int
journal_open(struct journal **out, int journalfd, uint64_t segment_size, const struct scan *scan,
    journal_log_fn log, void *log_arg, struct fault *fault)
{
	struct journal *j = calloc(1, sizeof(*j));
	int rc;

	*out = NULL;
	if (j == NULL || (j->direct = direct_new(RECORD_MAX)) == NULL) {
		free(j);
		return KMS_E_NO_MEMORY;
	}
	j->journalfd = journalfd;
	j->segment_size = segment_size;
	j->fd = j->closing_fd = j->next_fd = -1;
	j->tail = scan->end;
	j->log = log;
	j->log_arg = log_arg;
	pthread_mutex_init(&j->writing, NULL);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->prepared, NULL);
	unlinkat(journalfd, NEXT_NAME, 0);
	rc = scan->empty ? first_segment(j) : resume(j, scan);
	if (rc != KMS_OK) {
		fault_set(fault, rc,
		    "the journal cannot be written: %s; free space on its disk and see that the daemon's user owns it",
		    kms_strerror((uint32_t)rc));
		journal_close(j);
		return rc;
	}
	*out = j;
	return KMS_OK;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	if (j->closing_fd >= 0)
		close(j->closing_fd);
	if (j->next_fd >= 0)
		close(j->next_fd);
	unlinkat(j->journalfd, NEXT_NAME, 0);
	pthread_cond_destroy(&j->prepared);
	pthread_mutex_destroy(&j->lock);
	pthread_mutex_destroy(&j->writing);
	direct_free(j->direct);
	free(j);
}
