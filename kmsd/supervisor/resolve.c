/*
 * resolve.c - which KMS hosts the relay may use, and where the members of a share's engine are.
 * kmsd itself reads no DNS: addresses in the ini file are used as they are; names go to
 * kmsd-resolve, which sends a message for each of the two and ends.
 */
#include "kmsd/supervisor/resolve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/common/share_config.h"
#include "kmsd/supervisor/share_child.h"
#include "kmsd/supervisor/spawn.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define RESOLVE_PATIENCE 20000 /* ms that the child has */
#define RESOLVE_AGAIN 15000    /* ms after a failure */

/* This appliance itself: relaying to it would loop until no descriptor is left. */
static bool
is_self(const struct supervisor *s, const struct ipc_upstream *h)
{
	if (address_is_nowhere(h->address))
		return true;
	for (unsigned i = 0; h->port == s->port && i < s->listener_count; i++)
		if (address_listens(s->listener_addresses[i], h->address))
			return address_is_own(h->address);
	return false;
}

static bool
has(const struct ipc_upstreams *list, const struct ipc_upstream *h)
{
	unsigned i;

	for (i = 0; i < list->count; i++)
		if (list->at[i].port == h->port && memcmp(list->at[i].address, h->address, 16) == 0)
			return true;
	return false;
}

static void
add(const struct supervisor *s, struct ipc_upstreams *list, const struct ipc_upstream *h)
{
	if (list->count == IPC_UPSTREAMS_MAX || has(list, h))
		return;
	if (is_self(s, h)) {
		log_limited(LOG_NOTICE, "relay-loop",
		    "%s port %u is this appliance itself: not used as a KMS host", h->name,
		    h->port);
		return;
	}
	/* kmsd-resolve has read DNS: what it says is not trusted with more than the ini file
	 * allows. */
	if (!relay_port_allowed(&s->config, h->port)) {
		log_limited(LOG_ERR, "relay-resolve",
		    "%s port %u: [relay] names no such port; it is left out", h->name, h->port);
		return;
	}
	list->at[list->count++] = *h;
}

/* Addresses that the ini file gives as such. */
static void
add_literals(const struct supervisor *s, struct ipc_upstreams *list)
{
	const struct config_endpoints *upstream = &s->config.relay_upstream;

	for (unsigned i = 0; i < upstream->count; i++) {
		const struct endpoint *e = &upstream->at[i];
		struct ipc_upstream h = {
			.port = e->port, .priority = e->priority, .weight = e->weight
		};

		if (!e->literal)
			continue;
		memcpy(h.address, e->address, 16);
		snprintf(h.name, sizeof(h.name), "%.*s", IPC_UPSTREAM_NAME, e->name);
		add(s, list, &h);
	}
}

static void
take_list(struct supervisor *s, const struct ipc_upstreams *fresh)
{
	unsigned i;

	if (ipc_upstreams_same(&s->hosts, fresh))
		return;
	s->hosts = *fresh;
	log_event(fresh->count > 0 ? LOG_INFO : LOG_WARNING, "relay-resolved",
	    "%u addresses of KMS hosts to relay to", fresh->count);
	for (i = 0; i < s->config.fronts; i++)
		send_hosts(s, &s->fronts[i]);
}

void
resolve_init(struct supervisor *s)
{
	if (relay_configured(&s->config))
		add_literals(s, &s->hosts);
	resolve_now(s);
}

/* Or sooner, if that was said already. */
static void
again_in(struct supervisor *s, int64_t ms)
{
	int64_t at = clock_ms() + ms;

	if (s->resolve_at == 0 || at < s->resolve_at)
		s->resolve_at = at;
}

void
resolve_now(struct supervisor *s)
{
	struct child *c = &s->resolver;

	s->resolve_at = 0;
	if ((!relay_has_names(&s->config) && !share_has_names(&s->config)) || c->pid != 0)
		return;
	s->resolved = 0;
	if (spawn_child(s, c) != KMS_OK) {
		again_in(s, RESOLVE_AGAIN);
		return;
	}
	c->deadline = clock_ms() + RESOLVE_PATIENCE;
	if (send_config(s, c, IPC_CONFIG) == KMS_OK)
		child_send(c, IPC_START, 0, -1);
}

/* What the child found; the old addresses of names that it could not find are kept. */
static void
hosts_resolved(struct supervisor *s, const struct ipc_upstreams *found)
{
	struct ipc_upstreams fresh = { 0 };
	unsigned i, j;

	add_literals(s, &fresh);
	for (i = 0; i < found->count; i++)
		add(s, &fresh, &found->at[i]);
	for (i = 0; !found->whole && i < s->hosts.count; i++) {
		for (j = 0; j < found->count; j++)
			if (strcmp(found->at[j].name, s->hosts.at[i].name) == 0)
				break;
		if (j == found->count)
			add(s, &fresh, &s->hosts.at[i]);
	}
	take_list(s, &fresh);
}

/* Each list once, and only what kms.ini asks for. */
static bool
resolved(struct supervisor *s, const struct ipc_parent *m)
{
	bool members = m->index == IPC_RESOLVED_MEMBERS;
	struct ipc_upstreams found;
	int rc = KMS_E_PEER;

	if (m->verb == IPC_RESOLVED && m->fd >= 0 && m->index <= IPC_RESOLVED_MEMBERS &&
	    (s->resolved & 1u << m->index) == 0 &&
	    (members ? share_has_names(&s->config) : relay_has_names(&s->config)))
		rc = ipc_upstreams_read(&found, m->fd);
	if (rc != KMS_OK) {
		log_event(
		    LOG_ERR, "child-protocol", "kmsd-resolve: %s", kms_strerror((uint32_t)rc));
		return false;
	}
	s->resolved |= 1u << m->index;
	again_in(s, found.whole ? (int64_t)s->config.relay_resolve_interval * 1000 : RESOLVE_AGAIN);
	if (members)
		share_resolved(s, &found);
	else
		hosts_resolved(s, &found);
	return true;
}

void
resolve_message(struct supervisor *s)
{
	struct child *c = &s->resolver;
	struct ipc_parent m;
	int rc = KMS_OK;
	bool good = true;

	while (good && c->sock != -1 && (rc = ipc_parent_recv(c->sock, &m)) == KMS_OK) {
		good = resolved(s, &m);
		if (m.fd >= 0)
			close(m.fd);
	}
	if (c->sock == -1 || (good && rc == KMS_E_IO && (errno == EAGAIN || errno == EWOULDBLOCK)))
		return;
	close(c->sock);
	c->sock = -1;
}

void
resolve_due(struct supervisor *s)
{
	struct child *c = &s->resolver;
	int64_t t = clock_ms();

	if (s->phase >= PHASE_STOPPING_FRONTS)
		return;
	if (c->pid > 0 && c->deadline != 0 && t >= c->deadline) {
		log_event(LOG_WARNING, "relay-resolve", "kmsd-resolve is too slow: killed");
		c->deadline = 0;
		kill(c->pid, SIGKILL);
	}
	if (c->pid == 0 && s->resolve_at != 0 && t >= s->resolve_at)
		resolve_now(s);
}

void
resolve_reap(struct supervisor *s)
{
	struct child *c = &s->resolver;
	int status;

	if (c->pid <= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	resolve_message(s);
	if (c->sock != -1)
		close(c->sock);
	c->sock = -1;
	c->pid = 0;
	c->deadline = 0;
	c->state = CHILD_ABSENT;
	if (s->resolve_at == 0)
		again_in(s, RESOLVE_AGAIN);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_event(LOG_ERR, "sandbox-violation",
		    "kmsd-resolve made a system call that its sandbox forbids");
	if (status != 0 && s->phase < PHASE_STOPPING_FRONTS)
		log_event(LOG_WARNING, "relay-resolve",
		    "kmsd-resolve failed; the known addresses stay in use");
}

void
resolve_stop(struct supervisor *s)
{
	s->resolve_at = 0;
	if (s->resolver.pid > 0)
		kill(s->resolver.pid, SIGKILL);
}
