/*
 * signals.c - signals become bytes to read, so that no handler interrupts other code.
 */
#include "kmsd/supervisor/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/reap.h"
#include "kmsd/supervisor/reload.h"
#include "kmsd/supervisor/stop.h"
#include "libkms/kms_error.h"

int
signals_open(struct supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	/* An ignored SIGCHLD may be inherited, and then no child could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &set, NULL) == 0)
		s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals != -1)
		return KMS_OK;
	log_event(LOG_ERR, "start-failed", "signalfd: %s", strerror(errno));
	return KMS_E_IO;
}

void
signals_read(struct supervisor *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			reap_children(s);
			break;
		case SIGHUP:
			reload(s);
			break;
		case SIGINT:
			stop_at_terminal(s);
			break;
		default:
			stop_begin(s, "SIGTERM", EXIT_OK);
		}
	}
}
