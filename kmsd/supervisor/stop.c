/*
 * stop.c - the end, in order: fronts and kmsd-web first, which answer what is in flight while the
 * activation process still serves them, then the activation process, whose last batches kmsd-share
 * still carries, then kmsd-share. Each has ten seconds, and kmsd-share, which has nothing of its
 * own to end, two.
 */
#include "kmsd/supervisor/stop.h"

#include <signal.h>

#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/notify.h"
#include "kmsd/supervisor/resolve.h"
#include "kmsd/supervisor/spawn.h"

#define STOP_WAIT 10000 /* ms */
#define SHARE_STOP_WAIT 2000

bool
stop_begun(const struct supervisor *s)
{
	return s->phase >= PHASE_STOPPING_FRONTS;
}

static void
ask_to_stop(struct child *c, int64_t wait)
{
	c->restart_at = 0;
	if (c->pid == 0)
		return;
	c->deadline = clock_ms() + wait;
	child_send(c, IPC_STOP, 0, -1);
}

/* The others need these two to the end. */
static bool
stops_first(const struct supervisor *s, const struct child *c)
{
	return c != &s->activate && c != &s->share;
}

static void
kill_all(struct supervisor *s)
{
	struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++)
		if (c->pid > 0)
			kill(c->pid, SIGKILL);
}

void
stop_begin(struct supervisor *s, const char *why, int exit_code)
{
	struct child *c;

	if (stop_begun(s)) {
		/* Service managers and containers ask more than once. */
		if (exit_code == EXIT_OK)
			log_event(LOG_NOTICE, "kmsd-stopping",
			    "%s again: still stopping, which takes 22 seconds at most", why);
		else if (s->exit_code == EXIT_OK)
			s->exit_code = exit_code;
		return;
	}
	log_event(LOG_NOTICE, "kmsd-stopping", "%s", why);
	notify("STOPPING=1\nSTATUS=stopping: %s\n", why);
	s->exit_code = exit_code;
	s->phase = PHASE_STOPPING_FRONTS;
	resolve_stop(s);
	s->share.restart_at = s->share_at = 0;
	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++)
		if (stops_first(s, c))
			ask_to_stop(c, STOP_WAIT);
	stop_continue(s);
}

/* The ledger survives being killed. */
void
stop_at_terminal(struct supervisor *s)
{
	if (!stop_begun(s)) {
		stop_begin(s, "SIGINT", EXIT_OK);
		return;
	}
	log_event(LOG_WARNING, "stop-forced", "SIGINT while stopping: killing all");
	kill_all(s);
}

void
stop_continue(struct supervisor *s)
{
	const struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++)
		if (c->pid > 0 && stops_first(s, c))
			return;
	if (s->phase == PHASE_STOPPING_FRONTS) {
		s->phase = PHASE_STOPPING_ACTIVATE;
		ask_to_stop(&s->activate, STOP_WAIT);
	}
	if (s->activate.pid != 0)
		return;
	if (s->phase == PHASE_STOPPING_ACTIVATE) {
		s->phase = PHASE_STOPPING_SHARE;
		ask_to_stop(&s->share, SHARE_STOP_WAIT);
	}
	if (s->share.pid == 0)
		s->phase = PHASE_DONE;
}
