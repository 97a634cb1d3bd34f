/*
 * test_windows.c - what libkms/os/windows promises beyond what every system does (test_os.c): who
 * may read a file, paths that are long, a file that somebody has for himself for a moment, the
 * environment as it is now, and a connection that failed. And what Windows is told of the two files
 * that are beside this one.
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
#include "libkms/base/file.h"
#include "libkms/kms_error.h"
#include "libkms/os/net.h"
#include "libkms/os/surroundings.h"
#include "libkms/os/windows/access.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/working_dir.h"
#include "t/lib/folder.h"

/* -- who may read a file -- */

static HANDLE
for_access_check(HANDLE token)
{
	HANDLE out;

	assert_true(DuplicateToken(token, SecurityImpersonation, &out));
	CloseHandle(token);
	return out;
}

static HANDLE
own_token(void)
{
	HANDLE token;

	assert_true(OpenProcessToken(
	    GetCurrentProcess(), TOKEN_DUPLICATE | TOKEN_QUERY | TOKEN_ASSIGN_PRIMARY, &token));
	return token;
}

/* This user without the rights of administrators: as good as another user. */
static HANDLE
plain_token(void)
{
	BYTE administrators[SECURITY_MAX_SID_SIZE];
	DWORD size = sizeof(administrators);
	SID_AND_ATTRIBUTES without = { .Sid = administrators };
	HANDLE token = own_token(), out;

	assert_true(CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &size));
	assert_true(CreateRestrictedToken(
	    token, DISABLE_MAX_PRIVILEGE, 1, &without, 0, NULL, 0, NULL, &out));
	CloseHandle(token);
	return for_access_check(out);
}

/* The list of a file of this mode that belongs to somebody else. */
static PSECURITY_DESCRIPTOR
list_of_other(unsigned mode)
{
	PSECURITY_DESCRIPTOR out;
	struct access access;
	wchar_t *list, all[512];

	assert_non_null(access_for(&access, mode));
	assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(
	    access.attributes.lpSecurityDescriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION,
	    &list, NULL));
	_snwprintf(
	    all, sizeof(all) / sizeof(*all), L"O:S-1-5-21-1-2-3-1001G:S-1-5-21-1-2-3-513%ls", list);
	assert_true(
	    ConvertStringSecurityDescriptorToSecurityDescriptorW(all, SDDL_REVISION_1, &out, NULL));
	LocalFree(list);
	access_free(&access);
	return out;
}

static bool
may(HANDLE token, unsigned mode, DWORD what)
{
	GENERIC_MAPPING files = { FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE,
		FILE_ALL_ACCESS };
	PSECURITY_DESCRIPTOR list = list_of_other(mode);
	PRIVILEGE_SET privileges;
	DWORD size = sizeof(privileges), granted;
	BOOL is = FALSE;

	assert_true(AccessCheck(list, token, what, &files, &privileges, &size, &granted, &is));
	LocalFree(list);
	return is;
}

static void
test_another_user(void **arg)
{
	HANDLE administrator = for_access_check(own_token()), other = plain_token();

	assert_true(may(administrator, 0600, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE));
	assert_true(may(administrator, 0644, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE));
	assert_true(may(other, 0644, FILE_GENERIC_READ));
	assert_false(may(other, 0644, FILE_WRITE_DATA));
	assert_false(may(other, 0644, DELETE));
	assert_false(may(other, 0644, WRITE_DAC));
	assert_false(may(other, 0600, FILE_READ_DATA));
	assert_false(may(other, 0600, FILE_WRITE_DATA));
	assert_false(may(other, 0600, READ_CONTROL));
	CloseHandle(administrator);
	CloseHandle(other);
}

static void
test_lists(void **arg)
{
	struct access access;

	/* Of a file that a person named, the folder decides. */
	assert_null(access_for(&access, 0666));
	access_free(&access);
	/* No list from the folder is added. */
	for (int i = 0; i < 2; i++) {
		SECURITY_DESCRIPTOR_CONTROL control = 0;
		DWORD revision;

		assert_non_null(access_for(&access, i == 0 ? 0600 : 0644));
		assert_false(access.attributes.bInheritHandle);
		assert_true(GetSecurityDescriptorControl(
		    access.attributes.lpSecurityDescriptor, &control, &revision));
		assert_true(control & SE_DACL_PROTECTED);
		access_free(&access);
	}
}

/* As GetNamedSecurityInfo tells it of the files. */
static void
test_files(void **arg)
{
	char folder[FOLDER_PATH], name[FOLDER_PATH + 2];

	assert_true(folder_make(folder));
	snprintf(name, sizeof(name), "%s/a", folder);
	assert_int_equal(file_write(AT_FDCWD, name, "x", 1, 0644, true), KMS_OK);
	assert_int_equal(folder_mode(name), 0644);
	/* The list of the new file counts, not that of the one it replaces. */
	assert_int_equal(file_write(AT_FDCWD, name, "x", 1, 0600, true), KMS_OK);
	assert_int_equal(folder_mode(name), 0600);
	assert_int_equal(file_write(AT_FDCWD, name, "x", 1, 0644, true), KMS_OK);
	assert_int_equal(folder_mode(name), 0644);
	assert_int_equal(file_remove(AT_FDCWD, name), KMS_OK);
	assert_int_equal(rmdir(folder), 0);
}

/* -- paths -- */

static void
expect_text(const char *path, const char *want)
{
	char text[16];
	size_t len;

	assert_int_equal(
	    file_read_into(AT_FDCWD, path, FILE_OURS, text, sizeof(text), &len), KMS_OK);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
}

/* Beyond the 260 characters of old: with '/', from a root, and from the working directory. */
static void
test_long_paths(void **arg)
{
	char folder[FOLDER_PATH], path[4 * FOLDER_PATH], part[130];
	wchar_t before[MAX_PATH], *wide;
	size_t whole;

	memset(part, 'x', sizeof(part));
	memcpy(part, "\xc3\xa4", 2);
	part[120] = '\0';
	assert_true(folder_make(folder));
	snprintf(path, sizeof(path), "%s/%s", folder, part);
	assert_true(folder_add(path));
	snprintf(path, sizeof(path), "%s/%s/%s", folder, part, part);
	assert_true(folder_add(path));
	whole = strlen(path);
	snprintf(path + whole, sizeof(path) - whole, "/%s/../a", part);
	assert_int_equal(file_write(AT_FDCWD, path, "long", 4, 0644, true), KMS_OK);
	snprintf(path + whole, sizeof(path) - whole, "/a");
	expect_text(path, "long");
	assert_true(GetCurrentDirectoryW(MAX_PATH, before) > 0);
	snprintf(path, sizeof(path), "%s/%s", folder, part);
	wide = wide_path(path);
	assert_true(SetCurrentDirectoryW(wide));
	free(wide);
	snprintf(path, sizeof(path), "%s/a", part);
	expect_text(path, "long");
	assert_int_equal(file_remove(AT_FDCWD, path), KMS_OK);
	wide = wide_path(part);
	assert_true(RemoveDirectoryW(wide));
	free(wide);
	assert_true(SetCurrentDirectoryW(before));
	snprintf(path, sizeof(path), "%s/%s", folder, part);
	wide = wide_path(path);
	assert_true(RemoveDirectoryW(wide));
	free(wide);
	assert_int_equal(rmdir(folder), 0);
}

/* -- a file that a virus scanner has for itself -- */

static DWORD WINAPI
let_go(LPVOID file)
{
	Sleep(50);
	CloseHandle(file);
	return 0;
}

static void
test_shared_later(void **arg)
{
	char folder[FOLDER_PATH], name[FOLDER_PATH + 2];
	wchar_t *wide;

	assert_true(folder_make(folder));
	snprintf(name, sizeof(name), "%s/a", folder);
	assert_int_equal(file_write(AT_FDCWD, name, "one", 3, 0644, true), KMS_OK);
	wide = wide_path(name);
	for (int i = 0; i < 2; i++) {
		HANDLE file = CreateFileW(wide, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
		HANDLE thread;

		assert_true(file != INVALID_HANDLE_VALUE);
		assert_non_null(thread = CreateThread(NULL, 0, let_go, file, 0, NULL));
		if (i == 0)
			expect_text(name, "one");
		else
			assert_int_equal(file_write(AT_FDCWD, name, "two", 3, 0644, true), KMS_OK);
		WaitForSingleObject(thread, INFINITE);
		CloseHandle(thread);
	}
	expect_text(name, "two");
	free(wide);
	assert_int_equal(file_remove(AT_FDCWD, name), KMS_OK);
	assert_int_equal(rmdir(folder), 0);
}

/* -- the environment, and connections -- */

static void
test_environment(void **arg)
{
	char *text;

	assert_true(SetEnvironmentVariableW(L"KMS_TEST_NAME", L"k\u00e4se.example"));
	text = os_environment("KMS_TEST_NAME");
	assert_non_null(text);
	assert_string_equal(text, "k\xc3\xa4se.example");
	free(text);
	assert_true(SetEnvironmentVariableW(L"KMS_TEST_NAME", NULL));
	assert_null(os_environment("KMS_TEST_NAME"));
}

/* Told at once, and not when the time is over. */
static void
test_refused(void **arg)
{
	struct sockaddr_storage to;
	struct pollfd p[2] = { { .fd = INVALID_SOCKET, .events = POLLIN } };
	uint8_t address[16];
	socklen_t len;
	int fd;

	assert_true(address_parse(address, "127.0.0.1"));
	len = address_give(&to, address, 1); /* nobody listens there */
	assert_true((fd = os_socket(AF_INET)) >= 0);
	if (os_connect(fd, (struct sockaddr *)&to, len) != 0 && errno == EINPROGRESS) {
		p[1] = (struct pollfd){ .fd = (SOCKET)fd, .events = POLLOUT };
		assert_int_equal(os_poll(p, 2, 30000), 1);
		assert_true(p[1].revents & (POLLOUT | POLLERR));
		assert_int_equal(os_socket_error(fd), ECONNREFUSED);
	}
	os_close_socket(fd);
	/* What is left out makes no noise. */
	assert_int_equal(os_poll(p, 1, 1), 0);
}

/* -- the versions of libkms-1.dll and kmsclient.exe -- */

static void
assert_said(const void *info, const wchar_t *what, const wchar_t *expected)
{
	wchar_t path[64], *said;
	UINT len;

	_snwprintf(path, sizeof(path) / sizeof(*path), L"\\StringFileInfo\\040904B0\\%ls", what);
	assert_true(VerQueryValueW(info, path, (void **)&said, &len));
	assert_int_equal(wcscmp(said, expected), 0);
}

static void
version_of(const wchar_t *file, DWORD type)
{
	wchar_t version[32];
	unsigned major, minor, patch;
	VS_FIXEDFILEINFO *fixed;
	DWORD size = GetFileVersionInfoSizeW(file, NULL);
	UINT len;
	void *info;

	assert_true(size > 0);
	assert_non_null(info = malloc(size));
	assert_true(GetFileVersionInfoW(file, 0, size, info));
	assert_true(MultiByteToWideChar(CP_UTF8, 0, PACKAGE_VERSION, -1, version, 32) > 0);
	assert_said(info, L"FileVersion", version);
	assert_said(info, L"ProductVersion", version);
	assert_said(info, L"OriginalFilename", file);
	assert_true(VerQueryValueW(info, L"\\", (void **)&fixed, &len));
	assert_int_equal(sscanf(PACKAGE_VERSION, "%u.%u.%u", &major, &minor, &patch), 3);
	assert_int_equal(fixed->dwFileVersionMS, major << 16 | minor);
	assert_int_equal(fixed->dwFileVersionLS, patch << 16);
	assert_int_equal(fixed->dwFileType, type);
	free(info);
}

static void
test_versions(void **state)
{
	version_of(L"libkms-1.dll", VFT_DLL);
	version_of(L"kmsclient.exe", VFT_APP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_another_user),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_shared_later),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
