/*
 * ping.c - see ping.h.
 */
#include "kmsd/supervisor/ping.h"

#include <signal.h>
#include <stddef.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/spawn.h"
#include "libkms/kms_error.h"

/*
 * Intervals without an answer. A front never waits for a disk or another process, so 15 seconds as
 * shipped are a machine without memory or processor time, or a stopped process. The activation
 * process does wait, in its loop: for Argon2 (a second or more), and for fdatasync, which Linux
 * itself gives 30 seconds with a failing disk before it resets the disk; so it has a minute.
 */
#define FRONT_SILENCE 3
#define ACTIVATE_SILENCE 12

static unsigned
patience(const struct child *c)
{
	return c->index < 0 ? ACTIVATE_SILENCE : FRONT_SILENCE;
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
silent(const struct supervisor *s, const struct child *c)
{
	char name[32];

	child_name(c, name);
	log_event(LOG_CRIT, "child-hung",
	    "%s, process %ld, is alive and has not answered for %u s: killed. If nobody stopped it (SIGSTOP, a debugger), look for a full disk, a slow one or no free memory; [kms] ping_interval gives it more time",
	    name, (long)c->pid, c->unanswered * s->config.ping_interval);
	kill(c->pid, SIGKILL);
}

static void
ping(struct supervisor *s, struct child *c)
{
	struct ipc_parent m = { .verb = IPC_PING, .fd = -1 };

	c->pinged_at = clock_ms();
	if (!c->ping_waits) {
		m.value = ++c->ping;
		c->ping_waits = child_tell(c, &m) == KMS_OK;
	} else if (++c->unanswered >= patience(c)) {
		silent(s, c);
		/* One that waits for a disk dies later: it is said again then. */
		c->unanswered = 0;
	}
}

void
ping_children(struct supervisor *s)
{
	int64_t t = clock_ms();
	struct child *c;

	for (int i = -1; i < (int)s->config.fronts; i++) {
		c = i < 0 ? &s->activate : &s->fronts[i];
		if (pinged(s, c) && t >= c->pinged_at + interval(s))
			ping(s, c);
	}
}

int64_t
ping_due(const struct supervisor *s)
{
	int64_t next = INT64_MAX;
	const struct child *c;

	for (int i = -1; i < (int)s->config.fronts; i++) {
		c = i < 0 ? &s->activate : &s->fronts[i];
		if (pinged(s, c) && c->pinged_at + interval(s) < next)
			next = c->pinged_at + interval(s);
	}
	return next;
}
