/*
 * child.h - the one way in which a process of kmsd's starts: it receives what kmsd hands over on
 * IPC_PARENT_FD up to IPC_START, opens its log, confines itself, checks that the sandbox is
 * enough, and says that it is ready.
 */
#ifndef KMSD_COMMON_CHILD_H
#define KMSD_COMMON_CHILD_H

#include "kmsd/common/config.h"
#include "kmsd/ipc/ipc.h"

/* What one of the programs is. */
struct child_role {
	const char *program; /* "kmsd-front": its name in the log */
	enum config_reader reader;
	uint32_t wanted;    /* layers of the sandbox, confine.h */
	const char *ready;  /* event of the log when it is confined; NULL: none */
	const char *failed; /* event when it cannot start */
	bool vital;         /* nobody is activated without it: critical, not an error */
	/*
	 * One message before START that is not the configuration. KMS_OK: its descriptor was
	 * taken over; else it is closed, and the process does not start.
	 */
	int (*take)(void *arg, const struct ipc_parent *m);
	/*
	 * Opens what is opened before and between the layers, applies them and says which are in
	 * force. Whatever kmsd sends is there by now.
	 */
	int (*confine)(void *arg, uint32_t *layers);
	/* The rest, confined, before the process is ready; NULL: nothing. */
	int (*open)(void *arg, uint32_t layers);
};

/*
 * The beginning of main: signals that are kmsd's to act on are ignored, and the log goes to
 * standard error. False, with a line in the log: kmsd did not start this process.
 */
bool child_begin(const struct child_role *role);
/*
 * A person looks at the program: --help or --version is its only argument, and is answered on
 * standard output.
 */
bool child_asked(const char *program, int argc, char **argv);
/* KMS_OK; else the log and kmsd were told. config is filled first, then arg is handed on. */
int child_start(const struct child_role *role, struct config *config, void *arg, uint32_t *layers);
void child_ready(uint32_t layers);
/* Before it is ready: it takes its time, and is not stuck. */
void child_busy(void);
/* IPC_PING: this process still serves. */
void child_pong(const struct ipc_parent *ping);
/*
 * IPC_RELOAD: what needs no restart is taken over, the level of the log among it. Anything but
 * KMS_OK: it was not kmsd's to send; the log was told, and nothing has changed.
 */
int child_reload(const struct child_role *role, struct config *config, int fd);
/* The values of a new configuration alone, for one that checks more before it takes them over. */
int child_config(const struct child_role *role, struct config *out, int fd);

#endif
