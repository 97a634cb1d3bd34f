/*
 * discover.c - SRV, A and AAAA through c-ares, driven by poll(2) until the
 * caller's deadline: no thread, no signal, and no wait without an end.
 */
#include "libkms/client/discover.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/base/wire.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

#define SOCKETS 32
#define QUERY_TIMEOUT 1500 /* one try; c-ares doubles it */
#define QUERY_TRIES 3
#define SEARCH_DOMAINS 6

struct resolver {
	ares_channel channel;
	struct pollfd sockets[SOCKETS];
	nfds_t count;
};

/* What a callback stores. */
struct answer {
	bool done;
	int status;
	struct discover_host *hosts;
	struct discover_address *addresses;
	size_t count;
};

static uint32_t
own_random(void *arg, uint32_t upper)
{
	return randombytes_uniform(upper);
}

/* c-ares tells which sockets it waits on: select()'s sets would end at descriptor 1023. */
static void
socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	nfds_t i;

	for (i = 0; i < r->count && r->sockets[i].fd != fd; i++)
		;
	if (events == 0) {
		if (i < r->count)
			r->sockets[i] = r->sockets[--r->count];
		return;
	}
	if (i == SOCKETS)
		return;
	if (i == r->count)
		r->count++;
	r->sockets[i] = (struct pollfd){ .fd = fd, .events = events };
}

static int
resolver_open(struct resolver *r, struct discover *d)
{
	struct ares_options o = {
		.timeout = QUERY_TIMEOUT,
		.tries = QUERY_TRIES,
		.sock_state_cb = socket_state,
		.sock_state_cb_data = r,
	};
	int rc;

	memset(r, 0, sizeof(*r));
	rc = ares_init_options(
	    &r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (rc != ARES_SUCCESS) {
		snprintf(d->detail, sizeof(d->detail), "resolver: %s", ares_strerror(rc));
		return rc == ARES_ENOMEM ? KMS_E_NO_MEMORY : KMS_E_NO_HOST;
	}
	if (d->nameserver == NULL)
		return KMS_OK;
	rc = ares_set_servers_ports_csv(r->channel, d->nameserver);
	if (rc != ARES_SUCCESS) {
		snprintf(d->detail, sizeof(d->detail),
		    "name server \"%.80s\": give an address or address:port", d->nameserver);
		ares_destroy(r->channel);
		return KMS_E_FORMAT;
	}
	return KMS_OK;
}

static void
turn(struct resolver *r, int wait)
{
	struct pollfd ready[SOCKETS];
	nfds_t i, n = r->count;
	struct timeval limit = { wait / 1000, wait % 1000 * 1000 }, room, *t;
	int got;

	/* Callbacks change r->sockets while this walks: walk a copy. */
	memcpy(ready, r->sockets, sizeof(ready));
	t = ares_timeout(r->channel, &limit, &room);
	got = poll(ready, n, (int)(t->tv_sec * 1000 + t->tv_usec / 1000 + 1));
	for (i = 0; got > 0 && i < n; i++) {
		short e = ready[i].revents;

		if (e == 0)
			continue;
		ares_process_fd(r->channel,
		    e & (POLLIN | POLLERR | POLLHUP) ? ready[i].fd : ARES_SOCKET_BAD,
		    e & POLLOUT ? ready[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* time-outs */
}

static void
run(struct resolver *r, struct answer *a, int64_t deadline)
{
	while (!a->done) {
		int64_t left = deadline - clock_ms();

		if (left <= 0) {
			ares_cancel(r->channel); /* calls back with ARES_ECANCELLED */
			break;
		}
		turn(r, left > 10000 ? 10000 : (int)left);
	}
}

static void
keep_srv(struct answer *a, const struct ares_srv_reply *srv)
{
	for (; srv != NULL && a->count < DISCOVER_HOSTS; srv = srv->next) {
		struct discover_host *h = &a->hosts[a->count];
		size_t len = strlen(srv->host);

		/* What DNS says is printed later. A root target means that the service is
		 * explicitly not available here. */
		if (len == 0 || strcmp(srv->host, ".") == 0 || len >= sizeof(h->name) ||
		    srv->port == 0 || !wire_text_ok(srv->host, len))
			continue;
		memcpy(h->name, srv->host, len + 1);
		h->port = srv->port;
		h->priority = srv->priority;
		h->weight = srv->weight;
		a->count++;
	}
}

static void
srv_answered(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct answer *a = arg;
	struct ares_srv_reply *srv = NULL;

	a->done = true;
	a->status = status;
	if (status != ARES_SUCCESS)
		return;
	a->status = ares_parse_srv_reply(bytes, len, &srv);
	if (a->status == ARES_SUCCESS)
		keep_srv(a, srv);
	ares_free_data(srv);
}

static void
addresses_answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct answer *a = arg;
	struct ares_addrinfo_node *n;

	a->done = true;
	a->status = status;
	for (n = info == NULL ? NULL : info->nodes; n != NULL && a->count < DISCOVER_ADDRESSES;
	     n = n->ai_next) {
		if (n->ai_addrlen > sizeof(a->addresses[0].to))
			continue;
		memcpy(&a->addresses[a->count].to, n->ai_addr, n->ai_addrlen);
		a->addresses[a->count++].len = n->ai_addrlen;
	}
	ares_freeaddrinfo(info);
}

static bool
says_none(int status)
{
	return status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

/* One domain: KMS_OK with a->count > 0, or KMS_E_NO_HOST. */
static int
ask_srv(struct discover *d, struct resolver *r, const char *domain, struct answer *a)
{
	char name[DISCOVER_NAME + 16];

	if (snprintf(name, sizeof(name), "%s._tcp.%s", d->service != NULL ? d->service : "_kms",
		domain) >= (int)sizeof(name)) {
		snprintf(d->detail, sizeof(d->detail), "domain: longer than DNS allows");
		return KMS_E_NO_HOST;
	}
	a->done = false;
	ares_query(r->channel, name, ns_c_in, ns_t_srv, srv_answered, a);
	run(r, a, d->deadline);
	if (a->count > 0)
		return KMS_OK;
	d->absent = says_none(a->status);
	snprintf(d->detail, sizeof(d->detail), "SRV %.90s: %s", name,
	    a->status == ARES_SUCCESS ? "no usable target" : ares_strerror(a->status));
	return KMS_E_NO_HOST;
}

static int
ask_search_domains(struct discover *d, struct resolver *r, struct answer *a)
{
	struct ares_options o;
	int i, mask = 0, rc = KMS_E_NO_HOST;

	memset(&o, 0, sizeof(o));
	if (ares_save_options(r->channel, &o, &mask) != ARES_SUCCESS)
		return KMS_E_NO_MEMORY;
	snprintf(d->detail, sizeof(d->detail), "the resolver's settings have no search domain");
	for (i = 0; i < o.ndomains && i < SEARCH_DOMAINS && rc == KMS_E_NO_HOST; i++)
		rc = ask_srv(d, r, o.domains[i], a);
	ares_destroy_options(&o);
	return rc;
}

int
discover_hosts(struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count)
{
	struct answer a = { .hosts = hosts };
	struct resolver r;
	int rc;

	*count = 0;
	d->detail[0] = '\0';
	d->absent = false;
	if ((rc = resolver_open(&r, d)) != KMS_OK)
		return rc;
	rc = d->domain != NULL ? ask_srv(d, &r, d->domain, &a) : ask_search_domains(d, &r, &a);
	ares_destroy(r.channel);
	if (rc != KMS_OK)
		return rc;
	discover_order(hosts, a.count, d->random != NULL ? d->random : own_random, d->random_arg);
	*count = a.count;
	return KMS_OK;
}

int
discover_addresses(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count)
{
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct answer a = { .addresses = out };
	struct resolver r;
	char port[8];
	int rc;

	*count = 0;
	d->detail[0] = '\0';
	d->absent = false;
	if ((rc = resolver_open(&r, d)) != KMS_OK)
		return rc;
	snprintf(port, sizeof(port), "%u", host->port);
	ares_getaddrinfo(r.channel, host->name, port, &hints, addresses_answered, &a);
	run(&r, &a, d->deadline);
	ares_destroy(r.channel);
	*count = a.count;
	if (a.count > 0)
		return KMS_OK;
	d->absent = says_none(a.status);
	snprintf(d->detail, sizeof(d->detail), "%.100s: %s", host->name,
	    a.status == ARES_SUCCESS ? "no address" : ares_strerror(a.status));
	return KMS_E_NO_HOST;
}
