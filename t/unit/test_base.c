/*
 * test_base.c - the ground floor: whole files, beside a directory's descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

static int
set_up(void **state)
{
	static char dir[] = "/tmp/kms-test-base-XXXXXX";
	static int fd;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	*state = &fd;
	assert_int_equal(file_make_dir(fd, "sub", 0700), KMS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	int fd = *(int *)*state;
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	unlinkat(fd, "sub", AT_REMOVEDIR);
	close(fd);
	return rmdir(path);
}

static void
files_are_whole(void **state)
{
	int dir = *(int *)*state;
	struct stat st;
	size_t len;
	char *text;

	assert_int_equal(file_read(dir, "a", FILE_OURS, 10, &text, &len), KMS_E_NOT_FOUND);
	assert_null(text);
	assert_int_equal(file_write(dir, "a", "12345", 5, 0640, false), KMS_OK);
	assert_int_equal(file_write(dir, "a", "x", 1, 0640, false), KMS_E_EXISTS);
	assert_false(file_exists(dir, "a.new"));
	assert_int_equal(fstatat(dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* Exactly the bound, and one byte more. */
	assert_int_equal(file_read(dir, "a", FILE_OURS, 5, &text, &len), KMS_OK);
	assert_int_equal(len, 5);
	assert_string_equal(text, "12345");
	free(text);
	assert_int_equal(file_read(dir, "a", FILE_OURS, 4, &text, &len), KMS_E_TOO_LARGE);
	assert_int_equal(file_write(dir, "a", "new", 3, 0600, true), KMS_OK);
	assert_int_equal(file_read(dir, "a", FILE_GIVEN, 5, &text, &len), KMS_OK);
	assert_string_equal(text, "new");
	free(text);
	assert_int_equal(file_rename(dir, "a", "b"), KMS_OK);
	assert_int_equal(file_rename(dir, "a", "b"), KMS_E_NOT_FOUND);
	assert_int_equal(file_remove(dir, "b"), KMS_OK);
	assert_int_equal(file_remove(dir, "b"), KMS_OK);
}

/* What a crash left beside the file may be a link to somewhere else. */
static void
what_was_left_is_replaced(void **state)
{
	int dir = *(int *)*state;

	assert_int_equal(file_write(dir, "victim", "v", 1, 0600, true), KMS_OK);
	assert_int_equal(symlinkat("victim", dir, "a.new"), 0);
	assert_int_equal(file_write(dir, "a", "data", 4, 0600, true), KMS_OK);
	char *text;
	size_t len;
	assert_int_equal(file_read(dir, "victim", FILE_OURS, 9, &text, &len), KMS_OK);
	assert_string_equal(text, "v");
	free(text);
	assert_int_equal(file_remove(dir, "a"), KMS_OK);
	assert_int_equal(file_remove(dir, "victim"), KMS_OK);
}

static void
expect_text(int dir, const char *path, const char *want)
{
	size_t len;
	char *text;

	assert_int_equal(file_read(dir, path, FILE_GIVEN, 99, &text, &len), KMS_OK);
	assert_string_equal(text, want);
	free(text);
}

/* Nothing is in place before the end, and what is given up leaves nothing. */
static void
streams_are_whole(void **state)
{
	int dir = *(int *)*state;
	struct file_stream s;
	struct stat st;

	assert_int_equal(file_write(dir, "a", "old", 3, 0600, true), KMS_OK);
	assert_int_equal(file_stream_open(&s, dir, "a", 0640), KMS_OK);
	fputs("new", s.to);
	fflush(s.to);
	expect_text(dir, "a", "old");
	assert_int_equal(file_stream_close(&s, false), KMS_OK);
	expect_text(dir, "a", "old");
	assert_false(file_exists(dir, "a.new"));
	assert_int_equal(file_stream_open(&s, dir, "a", 0640), KMS_OK);
	fputs("new", s.to);
	assert_int_equal(file_stream_close(&s, true), KMS_OK);
	expect_text(dir, "a", "new");
	assert_int_equal(fstatat(dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_false(file_exists(dir, "a.new"));
	assert_int_equal(file_remove(dir, "a"), KMS_OK);
	assert_int_equal(file_stream_open(&s, dir, "missing/a", 0640), KMS_E_NOT_FOUND);
	/* A write that fails is told at the end. */
	assert_int_equal(file_stream_open(&s, dir, "a", 0600), KMS_OK);
	assert_non_null(freopen("/dev/full", "w", s.to));
	fputs("new", s.to);
	assert_int_equal(file_stream_close(&s, true), KMS_E_FULL);
	assert_false(file_exists(dir, "a") || file_exists(dir, "a.new"));
}

/* A regular file that a person named is replaced; a link or a pipe stays. */
static void
given_paths_are_kept(void **state)
{
	int dir = *(int *)*state;
	char path[64], target[80];
	mode_t mask = umask(027);
	struct stat st;
	ino_t before;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/a", dir);
	snprintf(target, sizeof(target), "/proc/self/fd/%d/link", dir);
	assert_int_equal(file_write_given(path, "one", 3), KMS_OK);
	assert_int_equal(fstatat(dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	before = st.st_ino;
	assert_int_equal(file_write_given(path, "2", 1), KMS_OK);
	expect_text(dir, "a", "2");
	assert_int_equal(fstatat(dir, "a", &st, 0), 0);
	assert_true(st.st_ino != before);
	before = st.st_ino;
	assert_int_equal(symlinkat("a", dir, "link"), 0);
	assert_int_equal(file_write_given(target, "three", 5), KMS_OK);
	expect_text(dir, "a", "three");
	assert_int_equal(fstatat(dir, "link", &st, 0), 0);
	assert_true(st.st_ino == before);
	assert_int_equal(file_write_given("/dev/null", "x", 1), KMS_OK);
	assert_int_equal(file_write_given("/dev/full", "x", 1), KMS_E_FULL);
	assert_int_equal(file_write_given("/nowhere/a", "x", 1), KMS_E_NOT_FOUND);
	umask(mask);
	assert_int_equal(file_remove(dir, "link"), KMS_OK);
	assert_int_equal(file_remove(dir, "a"), KMS_OK);
}

static void
our_own_are_regular(void **state)
{
	int dir = *(int *)*state;
	size_t len;
	char *text;

	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(file_read(dir, "fifo", FILE_OURS, 9, &text, &len), KMS_E_IO);
	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(file_read(dir, "link", FILE_OURS, 1 << 20, &text, &len), KMS_E_IO);
	assert_int_equal(file_read(dir, "link", FILE_GIVEN, 1 << 20, &text, &len), KMS_OK);
	free(text);
	assert_int_equal(file_read(dir, "sub", FILE_GIVEN, 9, &text, &len), KMS_E_IO);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(file_make_dir(dir, "fifo", 0700), KMS_E_IO);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(file_make_dir(dir, "sub", 0700), KMS_OK);
	assert_int_equal(file_remove(dir, "fifo"), KMS_OK);
	assert_int_equal(file_remove(dir, "link"), KMS_OK);
}

/* A pipe that nobody writes to is empty; one that somebody has written to is read to its end. */
static void
pipes_are_read(void **state)
{
	int dir = *(int *)*state, end[2];
	size_t len;
	char *text;

	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(file_read(dir, "fifo", FILE_GIVEN, 9, &text, &len), KMS_OK);
	assert_int_equal(len, 0);
	free(text);
	assert_int_equal(file_remove(dir, "fifo"), KMS_OK);
	assert_int_equal(pipe(end), 0);
	assert_int_equal(file_write_fd(end[1], "12345", 5), KMS_OK);
	close(end[1]);
	assert_int_equal(file_read_stream(end[0], 5, &text, &len), KMS_OK);
	assert_string_equal(text, "12345");
	free(text);
	close(end[0]);
}

static int
count(const char *name, void *arg)
{
	(void)name;
	return ++*(int *)arg == 3 ? -7 : 0;
}

static void
each_name_of_a_directory(void **state)
{
	int dir = *(int *)*state, seen = 0;

	assert_int_equal(file_each(dir, "missing", ".x", count, &seen), KMS_OK);
	assert_int_equal(file_write(dir, "sub/1.x", "", 0, 0600, true), KMS_OK);
	assert_int_equal(file_write(dir, "sub/2.x", "", 0, 0600, true), KMS_OK);
	assert_int_equal(file_write(dir, "sub/3.y", "", 0, 0600, true), KMS_OK);
	assert_int_equal(file_each(dir, "sub", ".x", count, &seen), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(file_each(dir, "sub", ".y", count, &seen), -7);
	assert_int_equal(file_remove(dir, "sub/1.x"), KMS_OK);
	assert_int_equal(file_remove(dir, "sub/2.x"), KMS_OK);
	assert_int_equal(file_remove(dir, "sub/3.y"), KMS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_whole),
		cmocka_unit_test(what_was_left_is_replaced),
		cmocka_unit_test(streams_are_whole),
		cmocka_unit_test(given_paths_are_kept),
		cmocka_unit_test(our_own_are_regular),
		cmocka_unit_test(pipes_are_read),
		cmocka_unit_test(each_name_of_a_directory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
