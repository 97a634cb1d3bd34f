/*
 * input.c - see input.h.
 */
#include "kmsctl/cli/input.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/file.h"

int
input_read(const char *path, size_t max, char **data, size_t *len)
{
	return strcmp(path, "-") == 0 ? file_read_stream(STDIN_FILENO, max, data, len)
				      : file_read(AT_FDCWD, path, FILE_GIVEN, max, data, len);
}
