/*
 * main.c - kmsd-resolve: the names of the relay's KMS hosts to addresses, for kmsd, which reads no
 * DNS. It takes the ini text on descriptor 3, confines itself, asks, sends one message, and ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/resolve/resolve_confine.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

#define PATIENCE 12000 /* ms for all names together */
#define SERVICE "_vlmcs"

struct work {
	struct config config;
	struct discover dns;
	struct ipc_upstreams found;
};

static int
take_config(struct config *c, int fd)
{
	char *text = malloc(CONFIG_MAX);
	struct config_error error;
	size_t len = 0;
	ssize_t n = 0;
	int status = KMS_E_NO_MEMORY;

	if (text == NULL)
		return status;
	while (len < CONFIG_MAX && (n = pread(fd, text + len, CONFIG_MAX - len, (off_t)len)) > 0)
		len += (size_t)n;
	status = n == 0 && config_parse(c, text, len, &error, 1) == 0 ? KMS_OK : KMS_E_CONFIG;
	free(text);
	return status;
}

static int
receive_start(struct config *c)
{
	int status = KMS_E_PEER;

	for (;;) {
		struct ipc_parent m;

		if (ipc_parent_recv(IPC_PARENT_FD, &m) != KMS_OK)
			return KMS_E_PEER;
		if (m.verb == IPC_CONFIG && m.fd != -1)
			status = take_config(c, m.fd);
		if (m.fd != -1)
			close(m.fd);
		if (m.verb == IPC_START)
			return status;
	}
}

/* Before any DNS message is read. */
static int
confine(const struct config *c)
{
	uint32_t may_miss = 0;
	char why[256];

	confine_parse(&may_miss, c->allow_missing);
	if (confine_enough(
		RESOLVE_CONFINE_WANTED, resolve_confine(c), c->sandbox_required, may_miss, why))
		return KMS_OK;
	log_event(LOG_ERR, "sandbox", "%s", why);
	return KMS_E_SANDBOX;
}

static void
keep(struct work *w, const struct discover_address *a, const struct relay_host *h)
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
	memcpy(u->name, h->name, sizeof(u->name));
	w->found.count++;
}

static void
resolve_host(struct work *w, const struct relay_host *h)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct discover_host host = { .port = h->port };
	size_t count = 0;

	snprintf(host.name, sizeof(host.name), "%s", h->name);
	if (discover_addresses(&w->dns, &host, addresses, &count) != KMS_OK) {
		log_event(LOG_WARNING, "relay-resolve", "%s", w->dns.detail);
		w->found.whole = false;
	}
	for (size_t i = 0; i < count; i++)
		keep(w, &addresses[i], h);
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
	for (size_t i = 0; i < count; i++) {
		struct relay_host h = { .port = hosts[i].port,
			.priority = hosts[i].priority,
			.weight = hosts[i].weight };

		if (!relay_port_allowed(&w->config, h.port)) {
			log_event(LOG_WARNING, "relay-port-refused",
			    "%.100s port %u is in DNS, but not in [relay] ports", hosts[i].name,
			    h.port);
			continue;
		}
		if (strlen(hosts[i].name) >= sizeof(h.name))
			continue;
		/* Skip this name only: kmsd rejects the whole list when one name is invalid. */
		if (!relay_name_octets(hosts[i].name)) {
			log_event(LOG_WARNING, "relay-resolve", "%.100s: not a valid host name",
			    hosts[i].name);
			continue;
		}
		memcpy(h.name, hosts[i].name, strlen(hosts[i].name));
		resolve_host(w, &h);
	}
}

static void
resolve_all(struct work *w)
{
	struct relay_host hosts[RELAY_HOSTS];
	int count = relay_hosts(w->config.relay_upstream, hosts);

	w->found.whole = true;
	w->dns.nameserver =
	    w->config.relay_nameserver[0] != '\0' ? w->config.relay_nameserver : NULL;
	w->dns.service = SERVICE;
	w->dns.deadline = clock_ms() + PATIENCE;
	for (int i = 0; i < count; i++)
		if (!hosts[i].literal)
			resolve_host(w, &hosts[i]);
	if (w->config.relay_domain[0] != '\0')
		resolve_domain(w);
}

static int
answer(const struct ipc_upstreams *found)
{
	struct ipc_parent m = { .verb = IPC_RESOLVED, .fd = ipc_upstreams_write(found) };

	return m.fd != -1 ? ipc_parent_send(IPC_PARENT_FD, &m) : KMS_E_IO;
}

int
main(void)
{
	struct work *w = calloc(1, sizeof(*w));
	int status;

	signal(SIGPIPE, SIG_IGN);
	log_open("kmsd-resolve", false, LOG_INFO);
	if (w == NULL)
		return 1;
	config_defaults(&w->config);
	status = receive_start(&w->config);
	if (status == KMS_OK)
		log_open("kmsd-resolve", w->config.log_syslog, w->config.log_level);
	if (status == KMS_OK)
		status = confine(&w->config);
	if (status == KMS_OK) {
		resolve_all(w);
		status = answer(&w->found);
	}
	if (status != KMS_OK)
		log_event(LOG_ERR, "relay-resolve", "%s", kms_strerror((uint32_t)status));
	free(w);
	return status != KMS_OK;
}
