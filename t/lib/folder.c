/*
 * folder.c - see folder.h.
 */
#include "t/lib/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool
folder_make(char path[FOLDER_PATH])
{
	snprintf(path, FOLDER_PATH, "/tmp/kms-unit.XXXXXX");
	return mkdtemp(path) != NULL;
}

bool
folder_add(const char *path)
{
	return mkdir(path, 0700) == 0;
}

unsigned
folder_mode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

bool
folder_link(const char *path)
{
	return symlink("/dev/null", path) == 0;
}

bool
folder_limit(size_t bytes)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_FSIZE, &l) != 0)
		return false;
	l.rlim_cur = bytes == 0 ? l.rlim_max : bytes;
	signal(SIGXFSZ, bytes == 0 ? SIG_DFL : SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &l) == 0;
}
