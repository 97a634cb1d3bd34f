/*
 * test_os.c - what libkms/os promises on every system: files, locks, sockets, and the descriptor of
 * a wait. Runs on Linux and, under Wine, on Windows; so it uses nothing but that room itself.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/base/file.h"
#include "libkms/client/discover.h"
#include "libkms/client/machine.h"
#include "libkms/client/watch.h"
#include "libkms/kms_error.h"
#include "libkms/os/error_text.h"
#include "libkms/os/hypervisors.h"
#include "libkms/os/lock_file.h"
#include "libkms/os/surroundings.h"
#include "libkms/os/working_dir.h"

/* Not only ASCII: a path is UTF-8 everywhere. */
#define NAME "test_os-\xc3\xa4\xe2\x82\xac-\xe5\x90\x8d"

static void
expect_file(const char *name, const char *text)
{
	char out[64];
	size_t len;

	assert_int_equal(file_read_into(AT_FDCWD, name, FILE_OURS, out, sizeof(out), &len), KMS_OK);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(out, text, len);
}

static void
test_files(void **arg)
{
	char name[64], small[3];
	size_t len;

	snprintf(name, sizeof(name), "%s.%llu", NAME, (unsigned long long)clock_ns());
	assert_false(file_exists(AT_FDCWD, name));
	assert_int_equal(
	    file_read_into(AT_FDCWD, name, FILE_OURS, small, sizeof(small), &len), KMS_E_NOT_FOUND);
	assert_int_equal(file_write(AT_FDCWD, name, "one", 3, 0644, true), KMS_OK);
	expect_file(name, "one");
	/* The mode's access list stays with the file that is replaced, and so does the right to. */
	assert_int_equal(file_write(AT_FDCWD, name, "second", 6, 0600, true), KMS_OK);
	assert_int_equal(file_write(AT_FDCWD, name, "third\r\n\x1a.", 9, 0600, true), KMS_OK);
	expect_file(name, "third\r\n\x1a.");
	assert_int_equal(file_write(AT_FDCWD, name, "x", 1, 0644, false), KMS_E_EXISTS);
	expect_file(name, "third\r\n\x1a.");
	assert_int_equal(
	    file_read_into(AT_FDCWD, name, FILE_OURS, small, sizeof(small), &len), KMS_E_TOO_LARGE);
	assert_int_equal(file_write_given(name, "abc", 3), KMS_OK);
	assert_int_equal(
	    file_read_into(AT_FDCWD, name, FILE_GIVEN, small, sizeof(small), &len), KMS_OK);
	assert_int_equal(len, 3);
	assert_int_equal(file_remove(AT_FDCWD, name), KMS_OK);
	assert_false(file_exists(AT_FDCWD, name));
	assert_int_equal(file_remove(AT_FDCWD, name), KMS_OK);
}

static void
test_file_errors(void **arg)
{
	char out[8];
	size_t len;

	assert_int_equal(
	    file_read_into(AT_FDCWD, ".", FILE_OURS, out, sizeof(out), &len), KMS_E_IO);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(
	    file_write(AT_FDCWD, "no-such-folder/file", "x", 1, 0644, true), KMS_E_NOT_FOUND);
	assert_int_equal(
	    file_read_into(AT_FDCWD, "no-such-folder/file", FILE_OURS, out, sizeof(out), &len),
	    KMS_E_NOT_FOUND);
	assert_string_equal(os_error_text(ECONNREFUSED), "Connection refused");
}

static void
test_lock(void **arg)
{
	char name[64];
	intptr_t one, two;

	snprintf(name, sizeof(name), "%s.lock.%llu", NAME, (unsigned long long)clock_ns());
	one = os_lock(name);
	assert_true(one != OS_NO_LOCK);
	errno = 0;
	assert_true(os_lock(name) == OS_NO_LOCK);
	assert_int_equal(errno, EWOULDBLOCK);
	os_unlock(one);
	two = os_lock(name);
	assert_true(two != OS_NO_LOCK);
	os_unlock(two);
	os_unlock(OS_NO_LOCK);
	assert_int_equal(file_remove(AT_FDCWD, name), KMS_OK);
	assert_true(os_lock("no-such-folder/lock") == OS_NO_LOCK);
	assert_int_equal(errno, ENOENT);
}

/* A watch is quiet while there is nothing to wait for, and tells when the time has come. */
static void
test_watch_time(void **arg)
{
	struct watch *w = watch_open();
	struct pollfd p;
	struct wait what;

	assert_non_null(w);
	p = (struct pollfd){ .fd = watch_fd(w), .events = POLLIN };
	assert_int_equal(os_poll(&p, 1, 0), 0);
	wait_until(&what, clock_ms() + 3600 * 1000);
	watch_set(w, &what);
	assert_int_equal(os_poll(&p, 1, 0), 0);
	wait_until(&what, clock_ms() + 1);
	watch_set(w, &what);
	assert_int_equal(os_poll(&p, 1, 10000), 1);
	watch_clear(w);
	assert_int_equal(os_poll(&p, 1, 0), 0);
	wait_until(&what, clock_ms() - 1);
	watch_set(w, &what);
	assert_int_equal(os_poll(&p, 1, 10000), 1);
	watch_close(w);
}

/* And when a socket is ready: here, one whose connection is refused, or is made. */
static void
test_watch_socket(void **arg)
{
	struct watch *w = watch_open();
	struct sockaddr_storage to;
	uint8_t address[16];
	struct pollfd p;
	struct wait what;
	socklen_t len;
	int fd;

	assert_non_null(w);
	assert_true(address_parse(address, "127.0.0.1"));
	len = address_give(&to, address, 1); /* nobody listens there */
	fd = os_socket(AF_INET);
	assert_true(fd >= 0);
	if (os_connect(fd, (struct sockaddr *)&to, len) != 0 && errno == EINPROGRESS) {
		wait_until(&what, clock_ms() + 3600 * 1000);
		wait_fd(&what, fd, POLLOUT);
		watch_set(w, &what);
		p = (struct pollfd){ .fd = watch_fd(w), .events = POLLIN };
		assert_int_equal(os_poll(&p, 1, 30000), 1);
		watch_clear(w);
		assert_int_equal(os_socket_error(fd), ECONNREFUSED);
	}
	os_close_socket(fd);
	watch_close(w);
}

static void
test_surroundings(void **arg)
{
	char name[256];

	assert_true(os_host_name(name, sizeof(name)));
	assert_true(name[0] != '\0');
	assert_null(os_environment("KMS_NO_SUCH_NAME"));
	assert_non_null(os_language());
}

static void
test_machine(void **arg)
{
	char id[MACHINE_ID + 1];

	if (machine_id(id, ""))
		assert_int_equal(strspn(id, "0123456789abcdef"), MACHINE_ID);
	assert_false(machine_is_virtual("no-such-folder"));
	assert_true(hypervisor_named("innotek GmbH"));
	assert_true(hypervisor_named("the qemu project"));
	assert_false(hypervisor_named("Dell Inc."));
	assert_false(hypervisor_named(""));
}

/* No name server of the world answers for these: the answer is an error in any case, and in time.
 */
static void
test_discover(void **arg)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct discover d = { .nameserver = "no address", .deadline = clock_ms() + 2000 };
	struct discover_host hosts[DISCOVER_HOSTS] = { { .name = "127.0.0.1", .port = 1688 } };
	size_t count;

	assert_int_equal(discover_addresses(&d, &hosts[0], addresses, &count), KMS_OK);
	assert_int_equal(count, 1);
	d.domain = "example.invalid";
	assert_int_equal(discover_hosts(&d, hosts, &count), KMS_E_FORMAT);
	d.nameserver = NULL;
	d.deadline = clock_ms() + 500;
	assert_int_equal(discover_hosts(&d, hosts, &count), KMS_E_NO_HOST);
	assert_string_not_equal(d.detail, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_file_errors),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_watch_time),
		cmocka_unit_test(test_watch_socket),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_discover),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
