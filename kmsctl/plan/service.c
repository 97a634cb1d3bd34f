/*
 * service.c - kmsd runs, with the units' settings, on the socket of systemd and with this kms.ini.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "kmsctl/cli/program.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/class_check.h"
#include "kmsctl/host/lost_state.h"
#include "kmsctl/plan/plan.h"
#include "kmsd/common/config_wire.h"
#include "libkms/base/clock.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

enum { STOPPED, OLD_SERVICE, OLD_SOCKET, UNREAD, OLD_CONFIG, NO_SOCKET, BAD_CLASSES };

/* Of drop-ins the directory: removing a file changes only that. */
bool
plan_older(const struct plan *p, const char *path, const char *object)
{
	const char *const argv[] = { "busctl", "get-property", "org.freedesktop.systemd1", object,
		"org.freedesktop.systemd1.Unit", "ActiveState", "ActiveEnterTimestamp", NULL };
	unsigned long long since;
	struct child c;
	struct stat st;
	bool old;

	if (!plan_systemd(p) || stat(path, &st) == -1 ||
	    child_run(&c, argv, NULL, p->ctl->timeout_ms) != KMS_OK)
		return false;
	old = c.exit == 0 && sscanf(c.out, "s \"active\" t %llu", &since) == 1 &&
	      since < (unsigned long long)st.st_mtim.tv_sec * 1000000 +
			  (unsigned long long)st.st_mtim.tv_nsec / 1000;
	child_free(&c);
	return old;
}

static void
outdated(struct plan *p, int tag, const char *unit, const char *due)
{
	struct difference *d =
	    plan_add(p, tag, "a unit reads its settings only when it starts", "%s", unit);

	snprintf(d->is, sizeof(d->is), "started before its drop-ins were changed");
	snprintf(d->due, sizeof(d->due), "%s", due);
}

/* Has kms.ini changed since the running kmsd read it? False for a kmsd that does not say. */
static bool
differs(const struct plan *p, const struct reply *status, const char *mark, bool restart)
{
	const struct reply_row *service = reply_next(status, "service", NULL);
	uint64_t theirs;

	return reply_number(service, mark, &theirs) &&
	       theirs != config_mark(&p->ctl->config, restart);
}

static void
stale(
    struct plan *p, int tag, const char *why, const char *is, const char *due, const char *by_hand)
{
	struct difference *d = plan_add(p, tag, why, "kmsd.service");

	d->by_hand = !plan_systemd(p);
	snprintf(d->is, sizeof(d->is), "%s", is);
	if (d->by_hand)
		snprintf(d->due, sizeof(d->due), "%s%s/kmsd.pid)", by_hand,
		    p->ctl->config.runtime_directory);
	else
		snprintf(d->due, sizeof(d->due), "%s", due);
}

static bool
is_number(const struct reply_row *row, const char *name, uint64_t number)
{
	uint64_t theirs;

	return reply_number(row, name, &theirs) && theirs == number;
}

static bool
is_text(const struct reply_row *row, const char *name, const char *text)
{
	const char *theirs = reply_text(row, name);

	return theirs != NULL && strcmp(theirs, text) == 0;
}

static const struct reply_row *
row_named(const struct reply *status, const char *kind, const char *name)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(status, kind, row)) != NULL && !is_text(row, "name", name))
		;
	return row;
}

/*
 * The first class that kmsd has otherwise than kms.ini, of a pool that it has; of networks and
 * names it says nothing. False: there is none.
 */
static bool
changed_class(const struct plan *p, const struct reply *status, char out[160])
{
	const struct config *c = &p->ctl->config;
	const struct reply_row *row = NULL;

	for (unsigned i = 0; i < c->class_count; i++) {
		const struct config_class *class = &c->classes[i];

		row = row_named(status, "class", class->name);
		if (row == NULL ? row_named(status, "pool", class->pool) != NULL
				: !is_text(row, "pool", class->pool) ||
				      !is_number(row, "reserve", class->reserve) ||
				      !is_number(row, "limit", class->limit)) {
			snprintf(
			    out, 160, "[class %s] has changed since kmsd read it", class->name);
			return true;
		}
	}
	row = NULL;
	while ((row = reply_next(status, "class", row)) != NULL) {
		bool there = false;

		for (unsigned i = 0; i < c->class_count && !there; i++)
			there = is_text(row, "name", c->classes[i].name);
		if (there)
			continue;
		snprintf(out, 160, "[class %.32s] is no longer in kms.ini, but kmsd still uses it",
		    reply_text(row, "name"));
		return true;
	}
	return false;
}

/* kmsd refuses to read them again, and serves them as they are after a start. */
static bool
bad_classes(struct plan *p)
{
	struct fault f = { 0 };
	struct difference *d;

	if (class_check(p->ctl, &f) == KMS_OK)
		return false;
	d = plan_add(p, BAD_CLASSES, "kmsd refuses to reload such a kms.ini", "classes of kms.ini");
	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "%.150s", f.text);
	snprintf(d->due, sizeof(d->due), "correct the classes in kms.ini, then kmsctl plan");
	return true;
}

static void
look_at_config(struct plan *p, const struct reply *status)
{
	const struct config_publisher *publisher = plan_unread(status, &p->ctl->config);
	char is[160] = "kms.ini has changed since kmsd read it";

	if (publisher != NULL)
		snprintf(is, sizeof(is), "[publisher %s] has changed since kmsd read it",
		    publisher->name);
	else
		(void)changed_class(p, status, is);
	if (bad_classes(p))
		return;
	if (differs(p, status, "config-started", true))
		stale(p, OLD_CONFIG, "some keys take effect only at a start",
		    "kms.ini has changed since kmsd started",
		    "restarted; clients that connect meanwhile must wait",
		    "stop it and start kmsd again: kill $(cat ");
	else if (publisher != NULL || differs(p, status, "config-read", false))
		stale(p, UNREAD, "kmsd still uses the kms.ini that it read before", is, "reloaded",
		    "kill -HUP $(cat ");
}

/* kmsd.socket is there, and kmsd was started without it: it was masked then. */
static bool
socket_unused(const struct plan *p)
{
	static const char *const argv[] = { "busctl", "get-property", "org.freedesktop.systemd1",
		"/org/freedesktop/systemd1/unit/kmsd_2esocket", "org.freedesktop.systemd1.Unit",
		"LoadState", "ActiveState", "UnitFileState", NULL };
	struct child c;
	bool unused;

	if (!plan_systemd(p) || child_run(&c, argv, NULL, p->ctl->timeout_ms) != KMS_OK)
		return false;
	unused = c.exit == 0 && strcmp(c.out, "s \"loaded\"\ns \"inactive\"\ns \"enabled\"\n") == 0;
	child_free(&c);
	return unused;
}

static void
look_at_running(struct plan *p, const struct reply *status)
{
	struct difference *d;

	if (plan_older(p, "/etc/systemd/system/kmsd.service.d",
		"/org/freedesktop/systemd1/unit/kmsd_2eservice")) {
		outdated(p, OLD_SERVICE, "kmsd.service",
		    "restarted; clients that connect meanwhile must wait");
	} else if (socket_unused(p)) {
		d = plan_add(p, NO_SOCKET, "systemd keeps the socket open while kmsd restarts",
		    "kmsd.socket");
		snprintf(d->is, sizeof(d->is), "enabled, but the running kmsd does not use it");
		snprintf(d->due, sizeof(d->due),
		    "started, and kmsd restarted; connections are refused for a moment");
	} else {
		look_at_config(p, status);
	}
}

static int
inspect(struct plan *p, struct fault *f)
{
	struct difference *d;
	struct lost_state lost;
	struct reply reply;
	struct fault said = { 0 };
	int rc = ask_quietly(p->ctl, CONTROL_STATUS, NULL, &reply, &said);

	if (plan_older(p, "/etc/systemd/system/kmsd.socket.d",
		"/org/freedesktop/systemd1/unit/kmsd_2esocket")) {
		outdated(p, OLD_SOCKET, "kmsd.socket",
		    "restarted together with kmsd; connections are refused for a moment");
	} else if (rc == KMS_OK) {
		look_at_running(p, &reply);
	} else {
		d = plan_add(p, STOPPED, "it serves the clients", "kmsd.service");
		d->by_hand = !plan_systemd(p) || rc != KMS_E_NOT_RUNNING ||
			     lost_state(p->ctl, p->root, &lost);
		snprintf(d->is, sizeof(d->is), "%.150s",
		    rc == KMS_E_NOT_RUNNING ? "not running" : said.text);
		snprintf(d->due, sizeof(d->due), d->by_hand ? "start kmsd" : "started");
	}
	reply_free(&reply);
	return KMS_OK;
}

/* A reload is over when kmsd reports what it has read, not when it was requested. */
static int
await_reload(struct plan *p, struct fault *f)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int64_t until = clock_ms() + p->ctl->timeout_ms;
	struct reply reply;
	bool read = false;

	do {
		nanosleep(&moment, NULL);
		if (ask_quietly(p->ctl, CONTROL_STATUS, NULL, &reply, NULL) == KMS_OK)
			read = plan_unread(&reply, &p->ctl->config) == NULL &&
			       !differs(p, &reply, "config-read", false);
		reply_free(&reply);
	} while (!read && clock_ms() < until);
	return read ? KMS_OK
		    : fault_set(f, KMS_E_TIMEOUT,
			  "kmsd did not accept the file: journalctl -u kmsd says why");
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	/* kmsd.service wants kmsd.socket, unless that is masked. */
	static const char *const argv[][5] = {
		[STOPPED] = { "systemctl", "start", "kmsd.service", NULL },
		[OLD_SERVICE] = { "systemctl", "restart", "kmsd.service", NULL },
		[OLD_SOCKET] = { "systemctl", "restart", "kmsd.socket", "kmsd.service", NULL },
		[UNREAD] = { "systemctl", "reload", "kmsd.service", NULL },
		[OLD_CONFIG] = { "systemctl", "restart", "kmsd.service", NULL },
		[NO_SOCKET] = { "systemctl", "restart", "kmsd.service", NULL },
	};
	static const char *const reload[] = { "systemctl", "daemon-reload", NULL };
	static const char *const stop[] = { "systemctl", "stop", "kmsd.service", NULL };
	int rc = plan_run(p, reload, f);

	/* kmsd holds the port until it has stopped. */
	if (rc == KMS_OK && d->tag == NO_SOCKET)
		rc = plan_run(p, stop, f);
	if (rc == KMS_OK)
		rc = plan_run(p, argv[d->tag], f);
	return rc == KMS_OK && d->tag == UNREAD ? await_reload(p, f) : rc;
}

const struct aspect aspect_service = {
	.name = "service",
	.needs_running_system = true,
	.inspect = inspect,
	.mend = mend,
};
