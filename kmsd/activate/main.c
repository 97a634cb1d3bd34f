/*
 * main.c - kmsd-activate: takes from kmsd (child.h) its values of kms.ini, the state directory,
 * the control socket and one channel a front; confines itself, opens keys and ledger, and serves:
 * a turn of the event loop, then the batch it made.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/activate_confine.h"
#include "kmsd/activate/challenge.h"
#include "kmsd/activate/control/control_server.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/front_verbs.h"
#include "kmsd/activate/installed.h"
#include "kmsd/activate/retention.h"
#include "kmsd/activate/share/sharing.h"
#include "kmsd/activate/web_peer.h"
#include "kmsd/common/child.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "libkms/base/clock.h"
#include "libkms/base/fault.h"

#define STATS_SECONDS 5
#define LOG_TICKS 12   /* of STATS_SECONDS: limited log lines come once a minute */
#define STOP_SECONDS 3 /* for fronts to take their last replies */
#define MEMLOCK_SLACK (1024 * 1024)
#define BUSY_MS 500

struct server {
	struct activate activate;
	struct control_server *control;
	struct control_access access;
	struct event *parent, *tick;
	struct retention *retention;
	int control_fd, web_fd, share_fd;
	int fronts[CONFIG_FRONTS]; /* channels that came before START */
	unsigned ticks;
	int64_t busy_said; /* ms: when kmsd was told that the ledger is being opened */
	bool stopping;
	bool unlocked_said; /* some of its session keys may reach swap */
};

static const struct child_role role;

static int
take_front(struct server *s, const struct ipc_parent *m)
{
	if (m->index >= CONFIG_FRONTS || m->fd < 0)
		return KMS_E_PEER;
	if (s->fronts[m->index] >= 0)
		close(s->fronts[m->index]);
	s->fronts[m->index] = m->fd;
	return KMS_OK;
}

/* kmsd's messages up to START, in any order. */
static int
take_early(void *arg, const struct ipc_parent *m)
{
	struct server *s = arg;
	int rc;

	switch (m->verb) {
	case IPC_STATE_DIR:
		s->activate.state_dir = m->fd;
		return KMS_OK;
	case IPC_CONTROL:
		s->control_fd = m->fd;
		return KMS_OK;
	case IPC_SECRET:
		rc = secrets_read(&s->activate.secrets, m->index, m->fd);
		if (rc == KMS_OK)
			close(m->fd);
		return rc;
	case IPC_CHANNEL:
		return take_front(s, m);
	case IPC_WEB:
		if (s->web_fd != -1)
			close(s->web_fd);
		s->web_fd = m->fd;
		return KMS_OK;
	case IPC_SHARE:
		if (s->share_fd != -1)
			close(s->share_fd);
		s->share_fd = m->fd;
		return KMS_OK;
	default:
		return KMS_E_PEER;
	}
}

static bool
find_group(const char *key, const char *name, gid_t *gid)
{
	struct group *g = name[0] != '\0' ? getgrnam(name) : NULL;

	if (g != NULL)
		*gid = g->gr_gid;
	else if (name[0] != '\0')
		log_event(LOG_WARNING, "no-such-group", "[kms] %s = %s", key, name);
	return g != NULL;
}

/* Everything that needs names and files outside the state directory, before confinement. */
static void
look_around(struct server *s)
{
	const struct config *c = &s->activate.config;
	struct ucred parent;
	socklen_t len = sizeof(parent);

	tzset();
	s->access.starter = getuid();
	if (getsockopt(IPC_PARENT_FD, SOL_SOCKET, SO_PEERCRED, &parent, &len) == 0)
		s->access.starter = parent.uid;
	s->access.have_group = find_group("control_group", c->control_group, &s->access.group);
	s->access.have_monitor = find_group("monitor_group", c->monitor_group, &s->access.monitor);
	if (gethostname(s->activate.host_name, sizeof(s->activate.host_name) - 1) != 0)
		strcpy(s->activate.host_name, "localhost");
}

static void
ledger_log(int level, const char *event, const char *text, void *arg)
{
	log_event(level, event, "%s", text);
}

/* Not more often than kmsd needs to hear it. */
static void
ledger_busy(void *arg)
{
	struct server *s = arg;
	int64_t t = clock_ms();

	if (t - s->busy_said < BUSY_MS)
		return;
	s->busy_said = t;
	child_busy();
}

static int
open_ledger(struct server *s)
{
	struct activate *a = &s->activate;
	struct kmsdb_options o = {
		.segment_size = a->config.segment_size,
		.overlay_records = a->config.overlay_records,
		.map_size = a->config.map_size,
		.checkpoint_seconds = a->config.checkpoint_interval,
		.have_sign_pk = true,
		.log = ledger_log,
		.busy = ledger_busy,
		.log_arg = s,
	};
	struct kmsdb_info info;
	struct fault fault = { 0 };
	int rc;

	memcpy(o.sign_pk, host_identity_sign_pk(a->key), 32);
	s->busy_said = clock_ms();
	if ((rc = kmsdb_open(&a->db, a->state_dir, &o, &fault)) != KMS_OK) {
		log_event(
		    LOG_CRIT, "ledger-refused", "%s: %s", kms_strerror((uint32_t)rc), fault.text);
		return rc;
	}
	/* Now, between Landlock, which it inherits, and seccomp, which forbids new threads. */
	kmsdb_start(a->db);
	kmsdb_info(a->db, &info);
	a->last_batch = info.last_batch;
	return KMS_OK;
}

static int
open_keys(struct activate *a)
{
	struct fault f = { 0 };
	char why[256] = "";
	int rc;

	rc = host_identity_open(&a->key, a->state_dir, a->now, &a->secrets, &a->new_identity, why);
	if (rc != KMS_OK) {
		log_event(LOG_CRIT, "host-key-refused", "keys/host.key: %s; %s",
		    kms_strerror((uint32_t)rc),
		    *why
			? why
			: "restore it from a backup; without it, the publisher must confirm this host again");
		return rc;
	}
	secrets_forget_passphrase(&a->secrets);
	if (a->new_identity)
		log_event(LOG_NOTICE, "host-key-made",
		    "keys/host.key: this host has a new identity; keep a backup of this file");
	if (host_identity_locked(a->key))
		log_event(LOG_WARNING, "host-locked",
		    "%s%skeys/host.key is sealed with a passphrase: clients are told to try again later, until kmsctl unlock",
		    why, *why ? "; " : "");
	rc =
	    publishers_open(&a->publishers, a->state_dir, host_identity_id(a->key), &a->config, &f);
	if (rc != KMS_OK)
		log_event(LOG_CRIT, "config-refused", "%s", f.text);
	classes_take(&a->classes, &a->config);
	if (rc == KMS_OK)
		activate_tell_classes(a);
	return rc;
}

static size_t
slots(const struct activate *a)
{
	return a->config.batch < KMSDB_BATCH_MAX ? a->config.batch : KMSDB_BATCH_MAX;
}

/* session_cache = 0 in the ini file: a cache of one, which is as good as none. */
static size_t
sessions(const struct activate *a)
{
	return a->config.session_cache > 0 ? a->config.session_cache : 1;
}

/* Of locked memory, with so many session keys. */
static uint64_t
memlock_needed(const struct activate *a, size_t keys)
{
	return session_keys_octets(keys) + pending_octets(slots(a)) + MEMLOCK_SLACK;
}

/* What is kept of clients grows with the ledger. */
static void
look_at_clients(struct server *s)
{
	struct activate *a = &s->activate;
	struct session_keys_info cache;
	struct kmsdb_info info;

	kmsdb_info(a->db, &info);
	session_keys_clients(a->cache, info.clients + info.overlay);
	session_keys_info(a->cache, &cache);
	kmsdb_remember(a->db, cache.size, sessions(a));
	if (cache.unlocked > 0 && !s->unlocked_said)
		log_event(LOG_NOTICE, "memory-not-locked",
		    "%zu bytes of session keys are beyond the limit of locked memory and may reach swap (raise LimitMEMLOCK in systemd, ulimit -l in a shell)",
		    cache.unlocked);
	s->unlocked_said = cache.unlocked > 0;
}

static int
open_memory(struct activate *a)
{
	a->cache = session_keys_new(sessions(a));
	a->pending = pending_new(slots(a));
	a->refusals = refusals_new();
	a->challenge = challenge_key();
	a->base = loop_new();
	if (a->cache == NULL || a->pending == NULL || a->refusals == NULL || a->challenge == NULL ||
	    a->base == NULL)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

static int
open_share(struct server *s)
{
	struct activate *a = &s->activate;

	if (!share_configured(&a->config))
		return KMS_OK;
	return (a->share = share_new(a)) != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

/* A kmsd-share that is not wanted, or cannot be served, sees the end of its channel. */
static void
take_share(struct server *s, int fd)
{
	if (s->activate.share == NULL || share_open(s->activate.share, fd) != KMS_OK)
		close(fd);
}

static int
open_fronts(struct server *s)
{
	int rc;

	for (unsigned i = 0; i < CONFIG_FRONTS; i++) {
		if (s->fronts[i] < 0)
			continue;
		if ((rc = front_verbs_open(&s->activate, s->fronts[i], i)) != KMS_OK)
			return rc;
		s->fronts[i] = -1;
	}
	if (s->web_fd != -1 && (rc = web_peer_open(&s->activate, s->web_fd)) != KMS_OK)
		return rc;
	if (s->share_fd != -1)
		take_share(s, s->share_fd);
	s->control = control_server_new(&s->activate, s->control_fd, &s->access);
	return s->control != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

static void
reload(struct server *s, int fd)
{
	struct activate *a = &s->activate;
	struct publishers publishers;
	struct class_list classes;
	struct fault f = { 0 };
	struct config fresh;

	if (child_config(&role, &fresh, fd) != KMS_OK)
		return;
	if (publishers_open(&publishers, a->state_dir, host_identity_id(a->key), &fresh, &f) !=
	    KMS_OK) {
		log_event(LOG_ERR, "config-refused", "%s; the publishers were not changed", f.text);
		return;
	}
	classes_take(&classes, &fresh);
	if (classes_check(&classes, &publishers, &f) != KMS_OK) {
		log_event(LOG_ERR, "config-refused", "%s; nothing was changed", f.text);
		publishers_free(&publishers);
		return;
	}
	/* No request outlives its turn of the loop, so nothing points into the old one. */
	publishers_free(&a->publishers);
	a->publishers = publishers;
	if (budget_differs(&a->config, &fresh))
		budget_fill(&a->budget);
	config_reload(&a->config, &fresh);
	classes_take(&a->classes, &a->config);
	a->disk_looked = 0;
	log_level((int)a->config.log_level);
	log_event(LOG_INFO, "activate-reloaded", "%u publishers", a->publishers.count);
	/* Of a publisher that is new in kms.ini, files may be there already. */
	if (!host_identity_locked(a->key) && !a->opening.due)
		(void)installed_record(a);
}

static void
stop(struct server *s)
{
	s->stopping = true;
	event_base_loopbreak(s->activate.base);
}

static void
on_parent(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct ipc_parent m;
	int rc = ipc_parent_recv(fd, &m);

	if (rc == KMS_E_IO && (errno == EAGAIN || errno == EINTR))
		return;
	if (rc != KMS_OK) {
		log_event(LOG_NOTICE, "parent-gone", "kmsd has ended: stopping");
		event_del(s->parent);
		stop(s);
		return;
	}
	if (m.verb == IPC_CHANNEL && m.fd >= 0 && m.index < CONFIG_FRONTS) {
		if (front_verbs_open(&s->activate, m.fd, m.index) != KMS_OK)
			close(m.fd);
		return;
	}
	if (m.verb == IPC_WEB && m.fd >= 0) {
		if (web_peer_open(&s->activate, m.fd) != KMS_OK)
			close(m.fd);
		return;
	}
	if (m.verb == IPC_SHARE && m.fd >= 0) {
		take_share(s, m.fd);
		return;
	}
	if (m.verb == IPC_RELOAD && m.fd >= 0)
		reload(s, m.fd);
	else if (m.verb == IPC_PING)
		child_pong(&m);
	else if (m.verb == IPC_STOP)
		stop(s);
	if (m.fd >= 0)
		close(m.fd);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	activate_clock(&s->activate);
	activate_turn_exchange(&s->activate);
	activate_erase_names(&s->activate);
	activate_expire(&s->activate);
	activate_write_refusals(&s->activate, false);
	retention_tick(s->retention);
	front_peer_ask_stats(&s->activate);
	look_at_clients(s);
	pending_idle(&s->activate);
	if (++s->ticks % LOG_TICKS == 0)
		log_flush_limited();
}

static int
add_events(struct server *s)
{
	struct event_base *base = s->activate.base;

	evutil_make_socket_nonblocking(IPC_PARENT_FD);
	s->parent = event_new(base, IPC_PARENT_FD, EV_READ | EV_PERSIST, on_parent, s);
	s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
	s->activate.unseen = unseen_new(&s->activate);
	s->retention = retention_new(&s->activate);
	if (s->parent == NULL || s->tick == NULL || s->activate.unseen == NULL ||
	    s->retention == NULL || event_add(s->parent, NULL) != 0 ||
	    loop_timer(s->tick, STATS_SECONDS * SECOND_US) != 0)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

/* In the order that matters: names, confinement, secrets, ledger, the rest of the confinement. */
static int
confine(void *arg, uint32_t *layers)
{
	struct server *s = arg;
	struct activate *a = &s->activate;
	uint64_t seed;
	size_t keys;
	int rc;

	if (a->state_dir < 0 || s->control_fd < 0) {
		log_event(LOG_ERR, "start-refused",
		    "kmsd did not send the state directory or the control socket");
		return KMS_E_PEER;
	}
	look_around(s);
	activate_clock(a);
	a->started = a->now;
	randombytes_buf(&seed, sizeof(seed));
	budget_init(&a->budget, seed);
	keys = sessions(a);
	a->layers = activate_confine_early(&a->config, a->state_dir, memlock_needed(a, keys),
	    memlock_needed(a, keys < SESSION_KEYS_LEAST ? keys : SESSION_KEYS_LEAST));
	if ((rc = open_memory(a)) != KMS_OK || (rc = add_events(s)) != KMS_OK)
		return rc;
	/* The ledger may be of another version: nothing is written before it is open. */
	if ((rc = open_keys(a)) != KMS_OK || (rc = open_ledger(s)) != KMS_OK ||
	    (!host_identity_locked(a->key) && (rc = activate_open_exchange(a)) != KMS_OK))
		return rc;
	if ((rc = open_share(s)) != KMS_OK)
		return rc;
	look_at_clients(s);
	a->layers |= activate_confine_late(memlock_needed(a, keys));
	*layers = a->layers;
	return KMS_OK;
}

static int
open_service(void *arg, uint32_t layers)
{
	struct server *s = arg;
	int rc;

	if (!host_identity_locked(s->activate.key) && (rc = activate_begin(&s->activate)) != KMS_OK)
		return rc;
	return open_fronts(s);
}

static void
turn(struct activate *a)
{
	if (!relayed_may_wait(a))
		pending_finish(a);
	if (a->share != NULL)
		share_turn(a->share);
	front_peer_flush_all(a);
}

/* Requests that the fronts have already sent are answered; replies get a moment to leave. */
static void
drain(struct activate *a)
{
	time_t end = time(NULL) + STOP_SECONDS;

	event_base_loop(a->base, EVLOOP_NONBLOCK);
	pending_finish(a);
	activate_write_refusals(a, true);
	turn(a);
	while (a->share != NULL && share_holds(a->share) && time(NULL) < end) {
		poll(NULL, 0, 10);
		event_base_loop(a->base, EVLOOP_NONBLOCK);
		turn(a);
	}
	while (front_peer_pending_any(a) && time(NULL) < end) {
		poll(NULL, 0, 10);
		front_peer_flush_all(a);
	}
}

static void
serve(struct server *s)
{
	struct activate *a = &s->activate;

	while (!s->stopping) {
		if (event_base_loop(a->base, EVLOOP_ONCE) < 0)
			break;
		turn(a);
	}
	drain(a);
}

static void
tear_down(struct server *s)
{
	struct activate *a = &s->activate;

	control_server_free(s->control);
	web_peer_close(a);
	share_free(a->share);
	front_peer_free_all(a);
	kmsdb_close(a->db);
	publishers_free(&a->publishers);
	exchange_keys_free(a->exchange);
	host_identity_free(a->key);
	secrets_free(&a->secrets);
	session_keys_free(a->cache);
	pending_free(a->pending);
	refusals_free(a->refusals);
	unseen_free(a->unseen);
	retention_free(s->retention);
	sodium_free(a->challenge);
	if (s->parent != NULL)
		event_free(s->parent);
	if (s->tick != NULL)
		event_free(s->tick);
	if (a->base != NULL)
		event_base_free(a->base);
}

static const struct child_role role = {
	.program = "kmsd-activate",
	.reader = CONFIG_ACTIVATE,
	.wanted = ACTIVATE_LAYERS,
	.ready = "activate-ready",
	.failed = "start-failed",
	.vital = true,
	.take = take_early,
	.confine = confine,
	.open = open_service,
};

int
main(int argc, char **argv)
{
	struct server *s = calloc(1, sizeof(*s));
	uint32_t layers;

	if (child_asked(role.program, argc, argv))
		return 0;
	if (!child_begin(&role))
		return 1;
	if (s == NULL || sodium_init() < 0) {
		log_event(LOG_CRIT, role.failed, "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	s->activate.state_dir = s->control_fd = s->web_fd = s->share_fd = -1;
	for (unsigned i = 0; i < CONFIG_FRONTS; i++)
		s->fronts[i] = -1;
	if (child_start(&role, &s->activate.config, s, &layers) != KMS_OK) {
		tear_down(s);
		return 1;
	}
	child_ready(layers);
	serve(s);
	tear_down(s);
	log_event(LOG_INFO, "activate-stopped", "every accepted request is answered and on disk");
	log_close();
	free(s);
	return 0;
}
