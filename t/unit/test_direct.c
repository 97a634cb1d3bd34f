/*
 * test_direct.c - appends past the page cache, held against what the file should be. Where the file
 * system has no O_DIRECT, everything goes the ordinary way, and has to be right too.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/direct.h"
#include "kmsdb/position.h"
#include "libkms/kms_error.h"

#define SIZE (256u * 1024)
#define MOST (20u * 1024)
#define SECTOR 512u

struct file {
	char path[64];
	int dirfd, fd;
	struct direct *direct;
	uint8_t want[SIZE], got[SIZE], record[MOST];
	uint64_t at;
	unsigned ordinary; /* writes that direct_write did not take */
	uint32_t state;
};

static int
setup(void **state)
{
	struct file *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->path, "/tmp/kmsdb-direct-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->fd = openat(f->dirfd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(f->fd >= 0);
	assert_int_equal(position_zero(f->fd, 0, SIZE), KMS_OK);
	assert_non_null(f->direct = direct_new(MOST));
	direct_open(f->direct, f->dirfd, "file");
	f->at = SECTOR;
	f->state = 1;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct file *f = *state;

	direct_free(f->direct);
	close(f->fd);
	unlinkat(f->dirfd, "file", 0);
	close(f->dirfd);
	rmdir(f->path);
	free(f);
	return 0;
}

static uint32_t
pick(struct file *f, uint32_t n)
{
	f->state = f->state * 1664525u + 1013904223u;
	return (f->state >> 8) % n;
}

static void
assert_file(struct file *f)
{
	size_t got;

	assert_int_equal(position_read(f->fd, f->got, SIZE, 0, &got), KMS_OK);
	assert_int_equal(got, SIZE);
	assert_memory_equal(f->got, f->want, SIZE);
}

static int
try_append(struct file *f, size_t len)
{
	int rc;

	for (size_t i = 0; i < len; i++)
		f->record[i] = (uint8_t)pick(f, 256);
	rc = direct_write(f->direct, f->fd, SIZE, f->record, len, f->at);
	if (rc == KMS_E_NOT_OFFERED) {
		f->ordinary++;
		rc = position_write(f->fd, f->record, len, f->at);
	}
	return rc;
}

static void
append(struct file *f, size_t len)
{
	assert_int_equal(try_append(f, len), KMS_OK);
	memcpy(f->want + f->at, f->record, len);
	f->at += len;
}

static void
test_lengths(void **state)
{
	struct file *f = *state;

	while (f->at + MOST + 4096 < SIZE) {
		append(f, SECTOR * (1 + pick(f, pick(f, 2) ? 3 : MOST / SECTOR)));
		assert_file(f);
	}
	append(f, MOST);
	assert_file(f);
}

/* The block does not fit, or the record is too long: the ordinary way, and then on from there. */
static void
test_not_taken(void **state)
{
	struct file *f = *state;

	append(f, SECTOR);
	assert_int_equal(direct_write(f->direct, f->fd, f->at + SECTOR, f->record, SECTOR, f->at),
	    KMS_E_NOT_OFFERED);
	assert_int_equal(position_write(f->fd, f->record, SECTOR, f->at), KMS_OK);
	memcpy(f->want + f->at, f->record, SECTOR);
	f->at += SECTOR;
	append(f, SECTOR);
	assert_file(f);
	assert_int_equal(
	    direct_write(f->direct, f->fd, SIZE, f->got, MOST + SECTOR, f->at), KMS_E_NOT_OFFERED);
	append(f, MOST);
	assert_file(f);
	direct_open(f->direct, f->dirfd, "other");
	assert_int_equal(
	    direct_write(f->direct, f->fd, SIZE, f->record, SECTOR, f->at), KMS_E_NOT_OFFERED);
	assert_file(f);
}

/* What somebody else writes into the last block stays. */
static void
test_forget(void **state)
{
	struct file *f = *state;

	append(f, 2 * SECTOR);
	assert_int_equal(position_zero(f->fd, SECTOR + 3, 40), KMS_OK);
	memset(f->want + SECTOR + 3, 0, 40);
	direct_forget(f->direct);

	append(f, SECTOR);
	assert_file(f);
	append(f, 3 * SECTOR);
	assert_file(f);
}

/* After a write that failed, shorter and longer ones at the same place. */
static void
test_failure(void **state)
{
	struct file *f = *state;
	struct rlimit old, limit;

	append(f, 3 * SECTOR);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = SECTOR;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_not_equal(try_append(f, 4 * SECTOR), KMS_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_file(f);
	append(f, SECTOR);
	append(f, 9 * SECTOR);
	assert_file(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
