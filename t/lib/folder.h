/*
 * folder.h - a folder of its own for a test's files, and what tests do to files beside what libkms
 * does. On POSIX this is folder.c, on Windows t/windows/folder.c.
 */
#ifndef KMS_T_LIB_FOLDER_H
#define KMS_T_LIB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define FOLDER_PATH 300

/* A fresh and empty one; rmdir(2) removes it. False: none could be made. */
bool folder_make(char path[FOLDER_PATH]);
/* One in it. */
bool folder_add(const char *path);
/*
 * The mode of a file. On Windows, what its access list amounts to: 0600 or 0644, and 0 for any
 * other list.
 */
unsigned folder_mode(const char *path);
/* A link to a device. False: a test cannot make one on this system. */
bool folder_link(const char *path);
/*
 * From now on no file grows beyond so many bytes; 0: as large as they like. False: this system has
 * no such limit.
 */
bool folder_limit(size_t bytes);

#endif
