/*
 * reap.c - what children say, how they end, and what follows from it: another front with a
 * back-off, or the end of everything when the activation process is gone.
 */
#include "kmsd/supervisor/reap.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/directories.h"
#include "kmsd/supervisor/listen.h"
#include "kmsd/supervisor/notify.h"
#include "kmsd/supervisor/ping.h"
#include "kmsd/supervisor/resolve.h"
#include "kmsd/supervisor/share_child.h"
#include "kmsd/supervisor/spawn.h"
#include "kmsd/supervisor/stop.h"
#include "kmsd/supervisor/supervisor_confine.h"
#include "kmsd/supervisor/web.h"
#include "libkms/kms_error.h"

#define BACKOFF_FIRST 100 /* ms, after the restart that is immediate */
#define BACKOFF_MAX 5000
#define CLOSE_WAIT 1000 /* ms for a child that closed its channel to end */
#define STEADY 60000    /* ms: after serving this long, the count of failures begins again */

static void
all_ready(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->config.fronts; i++)
		if (s->fronts[i].state != CHILD_READY)
			return;
	if (s->announced)
		return;
	s->announced = true;
	/*
	 * The file tells programs that wait for it that clients are served now, so it is written
	 * last.
	 */
	if (write_port(s) != KMS_OK) {
		stop_begin(s, "the port file cannot be written", EXIT_START);
		return;
	}
	log_event(LOG_NOTICE, "kmsd-ready", "serving on port %u", s->port);
	notify("READY=1\nMAINPID=%ld\nSTATUS=serving on port %u\n", (long)getpid(), s->port);
}

static void
start_fronts(struct supervisor *s)
{
	unsigned i;

	if (listen_begin(s) != KMS_OK) {
		stop_begin(s, "no address to listen on", EXIT_START);
		return;
	}
	if (supervisor_confine(s) != KMS_OK) {
		stop_begin(s, "kmsd cannot be confined as the ini file demands", EXIT_START);
		return;
	}
	s->phase = PHASE_SERVING;
	for (i = 0; i < s->config.fronts; i++)
		if (spawn_front(s, i) != KMS_OK) {
			stop_begin(s, "a front cannot be started", EXIT_START);
			return;
		}
	web_start(s);
	share_start(s);
}

static void
child_ready(struct supervisor *s, struct child *c, uint32_t layers)
{
	char name[32], names[128];

	child_name(c, name);
	confine_names(names, sizeof(names), layers);
	log_event(LOG_INFO, "child-ready", "%s, process %ld, sandbox: %s", name, (long)c->pid,
	    names[0] ? names : "none");
	c->state = CHILD_READY;
	c->ready_at = clock_ms();
	ping_begin(c);
	if (stop_begun(s))
		return;
	c->deadline = 0;
	if (c == &s->activate)
		start_fronts(s);
	else
		all_ready(s);
}

/* Some failures happen again however often a front is started. */
static void
child_failed(struct supervisor *s, struct child *c, uint32_t status)
{
	const struct kms_error *e = kms_error_find(status);
	char name[32];

	child_name(c, name);
	log_event(LOG_ERR, "child-failed", "%s: %s. %s", name, e->meaning, e->remedy);
	if (stop_begun(s) || (status != KMS_E_SANDBOX && status != KMS_E_CONFIG))
		return;
	if (c == &s->web)
		web_give_up(s);
	else if (c == &s->share)
		share_give_up(s);
	else
		stop_begin(s, "a process cannot be started as the ini file demands", EXIT_START);
}

/* An index is made again, which takes minutes when clients are many. */
static void
child_busy(struct supervisor *s, struct child *c)
{
	if (stop_begun(s))
		return;
	c->deadline = clock_ms() + (int64_t)s->start_timeout * 1000;
	if (!s->announced)
		notify("EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=reading the ledger\n",
		    (uint64_t)s->start_timeout * 1000000);
}

/*
 * One message from a child. A child that serves answers pings and sends nothing more: otherwise a
 * front that an attacker controls could report a failure that ends everything.
 */
static int
heard(struct supervisor *s, struct child *c, const struct ipc_parent *m)
{
	char name[32];

	if (m->fd < 0 && c->state == CHILD_STARTING && m->verb == IPC_CHILD_READY) {
		child_ready(s, c, m->value);
		return KMS_OK;
	}
	if (m->fd < 0 && c->state == CHILD_STARTING && m->verb == IPC_CHILD_BUSY &&
	    c == &s->activate) {
		child_busy(s, c);
		return KMS_OK;
	}
	if (m->fd < 0 && c->state == CHILD_STARTING && m->verb == IPC_CHILD_FAILED) {
		child_failed(s, c, m->value);
		return KMS_OK;
	}
	if (m->fd < 0 && c->state == CHILD_READY && m->verb == IPC_PONG && ping_answered(c, m))
		return KMS_OK;
	child_name(c, name);
	log_event(LOG_ERR, "child-protocol", "%s sent verb %u, which is not allowed now: killed",
	    name, m->verb);
	kill(c->pid, SIGKILL);
	return KMS_E_PEER;
}

void
child_message(struct supervisor *s, struct child *c)
{
	struct ipc_parent m;
	int rc = KMS_OK;

	while (c->sock != -1 && rc == KMS_OK && (rc = ipc_parent_recv(c->sock, &m)) == KMS_OK) {
		if (m.fd >= 0)
			close(m.fd);
		rc = heard(s, c, &m);
	}
	if (c->sock == -1 || (rc == KMS_E_IO && (errno == EAGAIN || errno == EWOULDBLOCK)))
		return;
	/*
	 * A closed channel means that the child is ending; anything else means a compromised
	 * child. Neither can be told to stop, so both are killed.
	 */
	close(c->sock);
	c->sock = -1;
	/* Most are ending: they get a second, so that their own exit status is known. */
	if (c->pid > 0 && c->deadline == 0)
		c->deadline = clock_ms() + CLOSE_WAIT;
}

static void
describe_end(int status, char out[96])
{
	const char *name;

	if (WIFEXITED(status)) {
		snprintf(out, 96, "exit status %d", WEXITSTATUS(status));
		return;
	}
	name = sigabbrev_np(WTERMSIG(status));
	snprintf(out, 96, "signal %d (SIG%s)%s", WTERMSIG(status), name ? name : "?",
	    WTERMSIG(status) == SIGSYS ? ": it made a system call that its sandbox forbids" : "");
}

/* Until the next start, ms: none the first time, then 100 doubling up to 5000. */
static int64_t
back_off(struct child *c)
{
	int64_t wait = BACKOFF_FIRST, t = clock_ms();
	unsigned i;

	if (c->ready_at != 0 && t - c->ready_at >= STEADY)
		c->failures = 0;
	if (c->failures++ == 0)
		wait = 0;
	for (i = 2; i < c->failures && wait < BACKOFF_MAX; i++)
		wait *= 2;
	if (wait > BACKOFF_MAX)
		wait = BACKOFF_MAX;
	c->restart_at = t + wait;
	return wait;
}

/* A front, kmsd-web or kmsd-share: another one follows. */
static void
other_ended(struct supervisor *s, struct child *c, int status)
{
	bool wanted = c == &s->web ? web_wanted(s) : c == &s->share ? share_wanted(s) : true;
	char how[96], name[32];

	if (c == &s->share && share_replaced(s))
		return;

	describe_end(status, how);
	child_name(c, name);
	if (!wanted) {
		log_event(LOG_ERR, c == &s->web ? "web-died" : "share-died", "%s: %s", name, how);
		return;
	}
	log_event(LOG_ERR,
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "sandbox-violation"
	    : c == &s->web                                    ? "web-died"
	    : c == &s->share                                  ? "share-died"
							      : "front-died",
	    "%s: %s; the next one starts in %d ms", name, how, (int)back_off(c));
}

static void
activate_ended(struct supervisor *s, int status)
{
	char how[96];

	describe_end(status, how);
	log_event(LOG_CRIT,
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "sandbox-violation"
							      : "activate-died",
	    "%s: %s; everything stops. Read its log lines above, run kmsctl ledger check, then start kmsd again",
	    s->activate.program, how);
	stop_begin(s, "the activation process ended", EXIT_ACTIVATE);
}

static void
child_ended(struct supervisor *s, struct child *c, int status)
{
	enum child_state was = c->state;
	char name[32], how[96];

	if (c->sock != -1)
		child_message(s, c);
	if (c->sock != -1)
		close(c->sock);
	c->sock = -1;
	c->pid = 0;
	c->state = CHILD_ABSENT;
	c->deadline = 0;
	if (!stop_begun(s)) {
		if (c == &s->activate)
			activate_ended(s, status);
		else
			other_ended(s, c, status);
		return;
	}
	if (status != 0) {
		if (c == &s->activate && s->exit_code == EXIT_OK)
			s->exit_code = EXIT_ACTIVATE;
		child_name(c, name);
		describe_end(status, how);
		log_event(was == CHILD_STARTING ? LOG_INFO : LOG_WARNING, "child-ended", "%s: %s",
		    name, how);
	}
	stop_continue(s);
}

void
reap_children(struct supervisor *s)
{
	struct child *c;
	int status;

	resolve_reap(s);
	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++) {
		if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid)
			child_ended(s, c, status);
	}
}

static void
overdue(struct supervisor *s, struct child *c)
{
	char name[32];

	child_name(c, name);
	if (stop_begun(s) || (c == &s->share && s->share_replaced))
		log_event(LOG_WARNING, "stop-forced", "%s did not end in time: killed", name);
	else if (c->state == CHILD_STARTING)
		log_event(LOG_ERR, "child-not-ready", "%s was not ready within %u s: killed", name,
		    s->start_timeout);
	else
		log_event(
		    LOG_ERR, "child-hung", "%s closed its channel but did not end: killed", name);
	c->deadline = 0;
	kill(c->pid, SIGKILL);
}

void
child_deadlines(struct supervisor *s)
{
	int64_t t = clock_ms();
	struct child *c;

	for (unsigned i = 0; (c = child_at(s, i)) != NULL; i++) {
		if (c->pid > 0 && c->deadline != 0 && t >= c->deadline)
			overdue(s, c);
		if (c->pid != 0 || c->restart_at == 0 || t < c->restart_at || stop_begun(s))
			continue;
		if (c == &s->web) {
			web_start(s);
			continue;
		}
		if (c == &s->share) {
			share_start(s);
			continue;
		}
		/* The next front gets the sockets that the last one had. */
		listen_check(s);
		if (spawn_front(s, (unsigned)c->index) != KMS_OK)
			back_off(c);
	}
}
