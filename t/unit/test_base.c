/*
 * test_base.c - the ground floor: whole files, faults, the clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/base/clock.h"
#include "libkms/base/fault.h"
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

static void
the_first_fault_is_kept(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(fault_at(&f, 7, KMS_E_FORMAT, "%s is missing", "']'"), KMS_E_FORMAT);
	assert_int_equal(fault_set(&f, KMS_E_IO, "later"), KMS_E_IO);
	assert_int_equal(f.status, KMS_E_FORMAT);
	assert_int_equal(f.line, 7);
	fault_prefix(&f, "kms.ini:%d: ", f.line);
	assert_string_equal(f.text, "kms.ini:7: ']' is missing");
	f = (struct fault){ 0 };
	assert_int_equal(fault_errno(&f, ENOSPC, "%s", "journal"), KMS_E_FULL);
	assert_string_equal(f.text, "journal: No space left on device");
	f = (struct fault){ 0 };
	assert_int_equal(fault_set(&f, KMS_E_TIMEOUT, NULL), KMS_E_TIMEOUT);
	assert_string_equal(f.text, kms_strerror(KMS_E_TIMEOUT));
	assert_string_equal(fault_text(NULL, KMS_E_IO), kms_strerror(KMS_E_IO));
	assert_int_equal(fault_set(NULL, KMS_E_IO, "nobody asks"), KMS_E_IO);
}

static void
the_clock_goes_forward(void **state)
{
	uint64_t before = clock_ns(), after;

	(void)state;
	after = clock_ns();
	assert_true(before > 0 && after >= before);
	assert_true(clock_ms() >= (int64_t)(after / 1000000));
	assert_true(clock_us() >= after / 1000);
	assert_true(clock_seconds() >= after / 1000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_whole),
		cmocka_unit_test(what_was_left_is_replaced),
		cmocka_unit_test(our_own_are_regular),
		cmocka_unit_test(each_name_of_a_directory),
		cmocka_unit_test(the_first_fault_is_kept),
		cmocka_unit_test(the_clock_goes_forward),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
