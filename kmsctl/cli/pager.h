/*
 * pager.h - shows what a command prints with a pager, when a person reads it at a terminal.
 *
 * Which one: $KMSCTL_PAGER, else $PAGER, both for sh; else less, more, or none if neither is there.
 * "cat" or nothing at all: no pager. Who became root by sudo, doas or pkexec may have been allowed
 * this command alone: then these variables say nothing, and less is told to start no other program.
 */
#ifndef KMSCTL_CLI_PAGER_H
#define KMSCTL_CLI_PAGER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * From here on standard output goes to the pager; so does standard error, if it is a terminal. The
 * pager's process id; 0: there is none, because standard output is no terminal, nobody wants one,
 * or it cannot be started.
 */
pid_t pager_begin(void);
/* Closes standard output and waits until the reader has seen enough. pid 0: nothing to do. */
void pager_end(pid_t pid);

#endif
