/*
 * main.c - kmsd-front: takes from kmsd (descriptor 3) its ini text, its
 * listening sockets and its channel to kmsd-activate, gives up everything else, and serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/log.h"
#include "kmsd/front/front.h"
#include "kmsd/front/front_confine.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define STOP_SECONDS 5
#define LOG_FLUSH_SECONDS 60
/* Beside the connections: standard ones, PARENT, channel, epoll, log, reserve, room for a memfd. */
#define OWN_FILES 16

/* What main alone needs beside the front. */
struct server {
	struct front front;
	struct config config;
	struct event parent, tick, linger, late;
	unsigned ticks;
	bool too_late;
	int hosts; /* IPC_UPSTREAMS before the start, -1: none */
	int room;  /* kept free for what kmsd sends: clients may have all other descriptors */
};

static void
take_limits(struct front *f, const struct config *c)
{
	f->throttle.connections = c->connections;
	f->throttle.per_source = c->connections_per_source;
	f->deadlines.seconds[DEADLINE_FIRST] = c->first_timeout;
	f->deadlines.seconds[DEADLINE_FRAME] = c->frame_timeout;
	f->deadlines.seconds[DEADLINE_IDLE] = c->idle_timeout;
	f->deadlines.seconds[DEADLINE_ANSWER] = c->idle_timeout;
	f->deadlines.seconds[DEADLINE_SEND] = c->frame_timeout;
	relay_limits(f, c);
}

/* The ini text that kmsd handed over; it was checked there, and is checked here again. */
static int
take_config(struct config *out, int fd)
{
	struct config *fresh = malloc(sizeof(*fresh));
	char *text = malloc(CONFIG_MAX);
	struct config_error error;
	size_t len = 0;
	ssize_t n = 0;
	int status = KMS_E_NO_MEMORY;

	if (text == NULL || fresh == NULL)
		goto out;
	while (len < CONFIG_MAX && (n = pread(fd, text + len, CONFIG_MAX - len, (off_t)len)) > 0)
		len += (size_t)n;
	status = KMS_E_IO;
	if (n != 0)
		goto out;
	status = KMS_E_CONFIG;
	config_defaults(fresh);
	if (config_parse(fresh, text, len, &error, 1) != 0) {
		log_event(LOG_ERR, "config", "line %d: %s", error.line, error.text);
		goto out;
	}
	*out = *fresh;
	status = KMS_OK;
out:
	free(text);
	free(fresh);
	return status;
}

static void
tell_parent(uint8_t verb, uint32_t value)
{
	const struct ipc_parent m = { .verb = verb, .value = value, .fd = -1 };

	ipc_parent_send(IPC_PARENT_FD, &m);
}

static int
take_message(struct server *s, int *channel, const struct ipc_parent *m)
{
	int status;

	if (m->fd == -1)
		return KMS_E_PEER;
	if (m->verb == IPC_UPSTREAMS) {
		/* may come before the ini text: checked when everything is there */
		if (s->hosts != -1)
			close(s->hosts);
		s->hosts = m->fd;
		return KMS_OK;
	}
	if (m->verb == IPC_LISTEN)
		return listeners_add(&s->front, m->fd);
	if (m->verb == IPC_CHANNEL && *channel == -1) {
		*channel = m->fd;
		return KMS_OK;
	}
	status = m->verb == IPC_CONFIG ? take_config(&s->config, m->fd) : KMS_E_PEER;
	close(m->fd);
	return status;
}

/*
 * Before confinement: all messages until START, even when one of them was wrong. Ending with
 * unread messages would reset the channel, and kmsd would not get the reason.
 */
static int
receive_start(struct server *s, int *channel)
{
	struct pollfd wait = { .fd = IPC_PARENT_FD, .events = POLLIN };
	int first = KMS_OK;

	for (;;) {
		struct ipc_parent m;
		int status;

		if (poll(&wait, 1, -1) == -1 && errno != EINTR)
			return KMS_E_IO;
		status = ipc_parent_recv(IPC_PARENT_FD, &m);
		if (status == KMS_E_IO && (errno == EAGAIN || errno == EINTR))
			continue;
		if (status != KMS_OK)
			return status;
		if (m.verb == IPC_START)
			return first;
		status = take_message(s, channel, &m);
		if (first == KMS_OK)
			first = status;
	}
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	log_event(LOG_WARNING, "front-stopped", "%u requests were not answered in time",
	    s->front.forward.asked);
	s->too_late = true;
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	s->front.lingering = false;
	connections_stop(&s->front);
}

/* Answers what is in flight, for a limited time. */
static void
begin_stop(struct server *s)
{
	const struct timeval patience = { .tv_sec = STOP_SECONDS }, moment = { .tv_sec = 1 };

	if (s->front.stopping)
		return;
	s->front.stopping = s->front.lingering = true;
	listeners_close(&s->front);
	connections_stop(&s->front);
	event_add(&s->linger, &moment);
	event_add(&s->late, &patience);
}

static void
reload(struct server *s, int fd)
{
	if (take_config(&s->config, fd) != KMS_OK)
		return;
	take_limits(&s->front, &s->config);
	log_level(s->config.log_level);
	log_event(LOG_INFO, "front-reloaded", "limits are those of the new ini file");
}

static void
on_message(struct server *s, const struct ipc_parent *m)
{
	if (m->verb == IPC_RELOAD && m->fd != -1)
		reload(s, m->fd);
	else if (m->verb == IPC_UPSTREAMS && m->fd != -1)
		relay_hosts_changed(&s->front, m->fd);
	else if (m->verb == IPC_STOP)
		begin_stop(s);
	if (m->fd != -1)
		close(m->fd);
}

static void
on_parent(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct ipc_parent m;
	int status;

	if (s->room != -1)
		close(s->room);
	status = ipc_parent_recv(fd, &m);
	if (status == KMS_OK)
		on_message(s, &m);
	s->room = fcntl(IPC_PARENT_FD, F_DUPFD_CLOEXEC, 0);
	if (status == KMS_OK || (status == KMS_E_IO && (errno == EAGAIN || errno == EINTR)))
		return;
	if (status == KMS_E_LIMIT) {
		log_event(LOG_ERR, "descriptor-limit",
		    "no descriptor for what kmsd sends: raise LimitNOFILE and reload");
		return;
	}
	/* kmsd has ended: stop, as if it had asked for that */
	event_del(&s->parent);
	begin_stop(s);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct connection *late;

	s->front.now = clock_seconds();
	while ((late = deadline_expired(&s->front.deadlines, s->front.now)) != NULL)
		connection_expired(late);
	listeners_resume(&s->front);
	relay_tick(&s->front);
	if (++s->ticks % LOG_FLUSH_SECONDS == 0)
		log_flush_limited();
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* As many descriptors as the configuration asks for, if kmsd was given so many. */
static uint64_t
file_limit(const struct front *f, const struct config *c)
{
	/* A relayed connection needs a second one, to the KMS host. */
	uint64_t want = (uint64_t)c->connections * (relay_configured(c) ? 2 : 1) +
			f->listeners.count + OWN_FILES;
	struct rlimit have;

	if (getrlimit(RLIMIT_NOFILE, &have) == 0 && have.rlim_max < want) {
		log_event(LOG_NOTICE, "descriptor-limit",
		    "[limits] connections = %u needs %llu descriptors, but %llu are allowed: raise LimitNOFILE or lower connections",
		    c->connections, (unsigned long long)want, (unsigned long long)have.rlim_max);
		want = have.rlim_max;
	}
	return want;
}

static int
confine(struct server *s, uint32_t *layers)
{
	uint32_t may_miss = 0;
	char why[256], names[128];

	*layers = front_confine(&s->config, file_limit(&s->front, &s->config));
	confine_parse(&may_miss, s->config.allow_missing);
	if (!confine_enough(
		FRONT_CONFINE_WANTED, *layers, s->config.sandbox_required, may_miss, why)) {
		log_event(LOG_ERR, "sandbox", "%s", why);
		return KMS_E_SANDBOX;
	}
	confine_names(names, sizeof(names), *layers);
	log_event(LOG_INFO, "front-ready", "confined: %s", names);
	return KMS_OK;
}

/* Descriptor 3 is the channel to kmsd, or nothing that we should touch. */
static bool
started_by_kmsd(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(IPC_PARENT_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

static int
set_up_relay(struct server *s, uint64_t seed)
{
	int status = relay_init(&s->front, &s->config, seed);

	if (status == KMS_OK && s->hosts != -1)
		status = relay_hosts_changed(&s->front, s->hosts);
	if (s->hosts != -1)
		close(s->hosts);
	s->hosts = -1;
	return status;
}

static int
set_up(struct server *s, uint32_t *layers)
{
	struct front *f = &s->front;
	int channel = -1, status;
	uint64_t seed;

	status = receive_start(s, &channel);
	if (status != KMS_OK || channel == -1)
		return status != KMS_OK ? status : KMS_E_PEER;
	log_open("kmsd-front", s->config.log_syslog, s->config.log_level);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return KMS_E_IO;
	if ((status = throttle_init(&f->throttle, seed)) != KMS_OK)
		return status;
	if ((status = set_up_relay(s, seed)) != KMS_OK)
		return status;
	take_limits(f, &s->config);
	fcntl(channel, F_SETFL, fcntl(channel, F_GETFL) | O_NONBLOCK);
	fcntl(IPC_PARENT_FD, F_SETFL, fcntl(IPC_PARENT_FD, F_GETFL) | O_NONBLOCK);
	fcntl(IPC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	if ((status = forward_open(f, channel, &connection_calls)) != KMS_OK)
		return status;
	if ((status = listeners_prepare(f, IPC_PARENT_FD)) != KMS_OK)
		return status;
	s->room = fcntl(IPC_PARENT_FD, F_DUPFD_CLOEXEC, 0);
	if ((status = confine(s, layers)) != KMS_OK)
		return status;
	return forward_ready(f, *layers);
}

static void
serve(struct server *s)
{
	const struct timeval second = { .tv_sec = 1 };
	struct front *f = &s->front;

	event_assign(&s->parent, f->base, IPC_PARENT_FD, EV_READ | EV_PERSIST, on_parent, s);
	event_assign(&s->tick, f->base, -1, EV_PERSIST, on_tick, s);
	event_assign(&s->linger, f->base, -1, 0, on_linger, s);
	event_assign(&s->late, f->base, -1, 0, on_late, s);
	event_add(&s->parent, NULL);
	event_add(&s->tick, &second);
	f->now = clock_seconds();
	forward_turn(f);
	while (!f->broken && !s->too_late && !(f->stopping && f->connections.open == 0)) {
		if (event_base_loop(f->base, EVLOOP_ONCE) == -1)
			break;
		forward_turn(f);
		listeners_turn(f);
	}
}

static void
tear_down(struct server *s)
{
	struct front *f = &s->front;
	struct connection *c;

	for (uint32_t i = 0; (c = connections_at(&f->connections, i)) != NULL; i++)
		if (c->state != CONNECTION_FREE)
			connection_close(c);
	listeners_close(f);
	forward_close(f);
	connections_free(&f->connections);
	throttle_free(&f->throttle);
	relay_free(f);
	event_base_free(f->base);
}

int
main(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };
	struct server *s = calloc(1, sizeof(*s));
	uint32_t layers = 0;
	int status;

	/*
	 * kmsd passes on what the terminal and the service manager ask: IPC_STOP, IPC_RELOAD; or
	 * kmsd has ended.
	 */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	log_open("kmsd-front", false, LOG_INFO);
	if (!started_by_kmsd()) {
		log_event(LOG_ERR, "front-failed", "kmsd-front is started by kmsd(8) only");
		return 1;
	}
	if (s == NULL || (s->front.base = new_base()) == NULL) {
		log_event(LOG_ERR, "front-failed", "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	s->hosts = s->room = -1;
	config_defaults(&s->config);
	deadlines_init(&s->front.deadlines);
	connections_init(&s->front.connections);
	status = set_up(s, &layers);
	if (status != KMS_OK) {
		log_event(LOG_ERR, "front-failed", "%s", kms_strerror((uint32_t)status));
		tell_parent(IPC_CHILD_FAILED, (uint32_t)status);
		return 1;
	}
	tell_parent(IPC_CHILD_READY, layers);
	serve(s);
	status = s->front.broken && !s->front.stopping;
	tear_down(s);
	log_close();
	free(s);
	return status;
}
