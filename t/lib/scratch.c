/*
 * scratch.c - a child waits for the end of its parent, which closes the pipe between them.
 */
#include "t/lib/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
remove_one(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s;
	(void)flag;
	(void)f;
	return remove(path);
}

void
scratch_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void __attribute__((noreturn)) wait_and_remove(int parent, const char *path)
{
	char byte;

	/* Ctrl-C is for the parent; and who reads its output must not wait for us. */
	setsid();
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	while (read(parent, &byte, 1) > 0)
		;
	scratch_remove(path);
	_exit(0);
}

bool
scratch_make(char path[SCRATCH_PATH])
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	int pipefd[2];
	pid_t pid;

	snprintf(path, SCRATCH_PATH, "%s/kms-fuzz-XXXXXX", tmp);
	if (pipe2(pipefd, O_CLOEXEC) != 0 || mkdtemp(path) == NULL)
		return false;
	if ((pid = fork()) == 0) {
		close(pipefd[1]);
		wait_and_remove(pipefd[0], path);
	}
	close(pipefd[0]);
	/* The other end stays open as long as this process. */
	return pid > 0;
}
