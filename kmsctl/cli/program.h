/*
 * program.h - runs another program, with text for its standard input, and collects its output. No
 * shell.
 */
#ifndef KMSCTL_CLI_PROGRAM_H
#define KMSCTL_CLI_PROGRAM_H

#include <stddef.h>

/* bytes kept of each stream; the rest is read and dropped */
#define CHILD_SAYS (1024 * 1024)
#define CHILD_NOT_THERE 127 /* exit: the program is not installed */

struct child {
	int exit;        /* exit code, 128 + signal */
	char *out, *err; /* terminated; never NULL after KMS_OK */
};

/*
 * Runs argv[0], found in PATH or else in the sbin directories, in the C locale. input may be NULL.
 * KMS_OK (however it ended), KMS_E_TIMEOUT (it was killed), KMS_E_IO (errno), KMS_E_NO_MEMORY.
 */
int child_run(struct child *c, const char *const argv[], const char *input, int timeout_ms);
void child_free(struct child *c);

#endif
