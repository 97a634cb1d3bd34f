/*
 * ping.c - see ping.h.
 */
#include "kmsd/supervisor/ping.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/spawn.h"
#include "libkms/kms_error.h"

/*
 * Intervals without an answer: 15 seconds as shipped for a front, which never waits for a disk or
 * another process, and for any child that the kernel says is stopped. The activation process may be
 * slow for honest reasons, in its loop: Argon2 (a second or more), fdatasync on a disk that fails
 * (Linux gives a command 30 seconds, several times), an index that a slow disk takes minutes to
 * write. To kill it stops everything, and helps none of these; so it has five minutes.
 */
#define SILENCE 3
#define ACTIVATE_SILENCE 60

/* Stopped by a signal (SIGSTOP), and not continued since. */
static bool
stopped(const struct child *c)
{
	siginfo_t si = { 0 };

	return waitid(P_PID, (id_t)c->pid, &si, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid == c->pid;
}

static int64_t
interval(const struct supervisor *s)
{
	return (int64_t)s->config.ping_interval * 1000;
}

/* A stop has its own deadlines. */
static bool
pinged(const struct supervisor *s, const struct child *c)
{
	return s->phase < PHASE_STOPPING_FRONTS && s->config.ping_interval != 0 && c->pid > 0 &&
	       c->state == CHILD_READY;
}

void
ping_begin(struct child *c)
{
	c->ping_waits = false;
	c->unanswered = 0;
	c->pinged_at = clock_ms();
}

bool
ping_answered(struct child *c, const struct ipc_parent *m)
{
	if (!c->ping_waits || m->value != c->ping)
		return false;
	c->ping_waits = false;
	c->unanswered = 0;
	return true;
}

static void
silent(const struct supervisor *s, const struct child *c, bool is_stopped)
{
	char name[32];

	child_name(c, name);
	log_event(LOG_CRIT, "child-hung",
	    "%s, process %ld, %s and has not answered for %u s: killed. %s", name, (long)c->pid,
	    is_stopped ? "was stopped by a signal" : "is alive",
	    c->unanswered * s->config.ping_interval,
	    is_stopped
		? "Find out who sent SIGSTOP; before you do so yourself, write ping_interval = 0 under [kms]"
		: "Look for a slow disk, no free memory or a debugger; ping_interval under [kms] gives it more time");
	kill(c->pid, SIGKILL);
}

static void
ping(struct supervisor *s, struct child *c)
{
	struct ipc_parent m = { .verb = IPC_PING, .fd = -1 };
	bool is_stopped;

	c->pinged_at = clock_ms();
	if (!c->ping_waits) {
		m.value = ++c->ping;
		c->ping_waits = child_tell(c, &m) == KMS_OK;
		return;
	}
	is_stopped = stopped(c);
	if (++c->unanswered < (c == &s->activate && !is_stopped ? ACTIVATE_SILENCE : SILENCE))
		return;
	silent(s, c, is_stopped);
	/* One that waits for a disk dies later: it is said again then. */
	c->unanswered = 0;
}

void
ping_children(struct supervisor *s)
{
	int64_t t = clock_ms();
	struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++) {
		if (pinged(s, c) && t >= c->pinged_at + interval(s))
			ping(s, c);
	}
}

int64_t
ping_due(struct supervisor *s)
{
	int64_t next = INT64_MAX;
	const struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++) {
		if (pinged(s, c) && c->pinged_at + interval(s) < next)
			next = c->pinged_at + interval(s);
	}
	return next;
}
