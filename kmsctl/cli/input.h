/*
 * input.h - a file that a person names; "-" is standard input.
 */
#ifndef KMSCTL_CLI_INPUT_H
#define KMSCTL_CLI_INPUT_H

#include <stddef.h>

/* All of it, at most max bytes, malloc'd, with a zero byte behind it; statuses are those of
 * file_read. */
int input_read(const char *path, size_t max, char **data, size_t *len);

#endif
