/*
 * main.c - kmsd-resolve: the names of the relay's KMS hosts, and of the members of a share's
 * engine, to addresses, for kmsd, which reads no DNS. It takes its values of kms.ini from kmsd
 * (child.h), confines itself before it reads any DNS message, asks, sends a message for each of the
 * two, and ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/common/child.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/common/share_config.h"
#include "kmsd/resolve/resolve_confine.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/kms_error.h"

#define PATIENCE 12000 /* ms for all names together */
#define SERVICE "_vlmcs"

struct work {
	struct config config;
	struct discover dns;
	bool members; /* not the hosts of the relay */
	struct ipc_upstreams found;
};

static int
confine(void *arg, uint32_t *layers)
{
	struct work *w = arg;

	*layers = resolve_confine(&w->config);
	return KMS_OK;
}

static void
keep(struct work *w, const struct discover_address *a, const struct endpoint *h)
{
	struct ipc_upstream *u = &w->found.at[w->found.count];

	if (w->found.count == IPC_UPSTREAMS_MAX)
		return;
	memset(u, 0, sizeof(*u));
	if (!address_take(u->address, NULL, (const struct sockaddr *)&a->to))
		return;
	u->port = h->port;
	u->priority = h->priority;
	u->weight = h->weight;
	snprintf(u->name, sizeof(u->name), "%.*s", IPC_UPSTREAM_NAME, h->name);
	w->found.count++;
}

static void
resolve_host(struct work *w, const struct endpoint *h)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct discover_host host = { .port = h->port };
	size_t count = 0;

	snprintf(host.name, sizeof(host.name), "%s", h->name);
	if (discover_addresses(&w->dns, &host, addresses, &count) != KMS_OK) {
		log_event(LOG_WARNING, w->members ? "share-resolve" : "relay-resolve", "%s",
		    w->dns.detail);
		w->found.whole = false;
	}
	for (size_t i = 0; i < count; i++)
		keep(w, &addresses[i], h);
}

/* A host of the SRV records. */
static void
resolve_found(struct work *w, const struct discover_host *host)
{
	struct endpoint h = {
		.port = host->port, .priority = host->priority, .weight = host->weight
	};

	if (!relay_port_allowed(&w->config, h.port)) {
		log_event(LOG_WARNING, "relay-port-refused",
		    "%.100s port %u is in DNS, but not in [relay] ports", host->name, h.port);
		return;
	}
	/* Skip this name only: kmsd rejects the whole list when one name is invalid. */
	if (!dns_name_parse(h.name, IPC_UPSTREAM_NAME + 1, host->name)) {
		log_event(
		    LOG_WARNING, "relay-resolve", "%.100s: not a valid host name", host->name);
		return;
	}
	resolve_host(w, &h);
}

static void
resolve_domain(struct work *w)
{
	struct discover_host hosts[DISCOVER_HOSTS];
	size_t count = 0;

	w->dns.domain = w->config.relay_domain;
	if (discover_hosts(&w->dns, hosts, &count) != KMS_OK) {
		log_event(LOG_WARNING, "relay-resolve", "%s", w->dns.detail);
		w->found.whole = false;
	}
	for (size_t i = 0; i < count; i++)
		resolve_found(w, &hosts[i]);
}

static void
resolve_list(struct work *w, const struct config_endpoints *list, bool members)
{
	w->members = members;
	memset(&w->found, 0, sizeof(w->found));
	w->found.whole = true;
	for (unsigned i = 0; i < list->count; i++)
		if (!list->at[i].literal)
			resolve_host(w, &list->at[i]);
}

static int
answer(const struct ipc_upstreams *found, enum ipc_resolved of)
{
	struct ipc_parent m = {
		.verb = IPC_RESOLVED, .index = (uint8_t)of, .fd = ipc_upstreams_write(found)
	};
	int rc;

	if (m.fd == -1)
		return KMS_E_IO;
	rc = ipc_parent_send(IPC_PARENT_FD, &m);
	close(m.fd);
	return rc;
}

/* Members first, since a host that shares serves nobody without them. */
static int
resolve_all(struct work *w)
{
	const struct config *c = &w->config;
	char server[ENDPOINT_TEXT];
	int rc = KMS_OK;

	w->dns.nameserver = relay_nameserver(c, server);
	w->dns.service = SERVICE;
	w->dns.deadline = clock_ms() + PATIENCE;
	if (share_has_names(c)) {
		resolve_list(w, &c->share_members, true);
		rc = answer(&w->found, IPC_RESOLVED_MEMBERS);
	}
	if (rc != KMS_OK || !relay_has_names(c))
		return rc;
	resolve_list(w, &c->relay_upstream, false);
	if (c->relay_domain[0] != '\0')
		resolve_domain(w);
	return answer(&w->found, IPC_RESOLVED_HOSTS);
}

int
main(int argc, char **argv)
{
	static const struct child_role role = {
		.program = "kmsd-resolve",
		.reader = CONFIG_RESOLVE,
		.wanted = RESOLVE_CONFINE_WANTED,
		.failed = "relay-resolve",
		.confine = confine,
	};
	struct work *w = calloc(1, sizeof(*w));
	uint32_t layers;
	int rc;

	if (child_asked(role.program, argc, argv))
		return 0;
	if (w == NULL || !child_begin(&role) ||
	    child_start(&role, &w->config, w, &layers) != KMS_OK)
		return 1;
	if ((rc = resolve_all(w)) != KMS_OK)
		log_event(LOG_ERR, role.failed, "%s", kms_strerror((uint32_t)rc));
	free(w);
	return rc != KMS_OK;
}
