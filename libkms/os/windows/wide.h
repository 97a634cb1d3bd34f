/*
 * wide.h - UTF-8, which everything else here speaks, and UTF-16, which Windows does.
 */
#ifndef KMS_LIBKMS_OS_WINDOWS_WIDE_H
#define KMS_LIBKMS_OS_WINDOWS_WIDE_H

#include <stddef.h>
#include <wchar.h>

/* malloc'd. NULL: errno, EILSEQ for what is not UTF-8. */
wchar_t *wide_from(const char *text);
/* The same for a path, which may be longer than 260 characters. */
wchar_t *wide_path(const char *path);
char *wide_to(const wchar_t *text);

/* What Windows calls error, as an errno. Sockets' errors too. */
int wide_errno(unsigned long error);
/* errno from GetLastError. Returns -1. */
int wide_failed(void);

#endif
