/*
 * subprocess.h - one command that a program runs and waits for, and what the program is told
 * meanwhile: signals, which it passes on.
 */
#ifndef KMS_LIBKMS_OS_SUBPROCESS_H
#define KMS_LIBKMS_OS_SUBPROCESS_H

#include <stdbool.h>

struct os_child;

/*
 * From here to os_child_close, signals come through os_child_wait. sigpipe: what was done with
 * SIGPIPE when this program was started; the command gets that. NULL: errno.
 */
struct os_child *os_child_prepare(void (*sigpipe)(int));
void os_child_close(struct os_child *c);

/*
 * Says that the program could not be started, and why: an errno. Returns the exit code for it. May
 * be called in another process.
 */
typedef int os_child_failed(const char *program, int why);
/* args[0] is looked for in PATH; ends with NULL. 0, or an errno: no process could be made. */
int os_child_start(struct os_child *c, char **args, os_child_failed *failed);
bool os_child_runs(const struct os_child *c);
/* Of a command that has ended: as a shell has it, 128 and the number of a signal that ended it. */
int os_child_exit(const struct os_child *c);
/* 0, or 128 and the number of a signal that ends us, when there was no command to pass it to. */
int os_child_told_to_end(const struct os_child *c);
/*
 * Until a signal has come, the command has ended, the descriptor of kms_fd can be read, or so many
 * milliseconds are over.
 */
void os_child_wait(struct os_child *c, int fd, int ms);

#endif
