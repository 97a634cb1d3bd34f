/*
 * given_file.c - see given_file.h.
 */
#include "kmsd/supervisor/given_file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
given_objection(int fd, bool private)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (private && st.st_uid != 0 && st.st_uid != geteuid())
		return "belongs to another user: run chown on it";
	if (private && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "other users can read or change it: run chmod 600 on it";
	return NULL;
}
