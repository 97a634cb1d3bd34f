/*
 * resolver.c - see resolver.h: c-ares, in steps until the caller's deadline: no thread, no signal,
 * and no wait without an end.
 */
#include "libkms/os/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/base/library_time.h"
#include "libkms/kms_error.h"

#define SOCKETS 32
#define QUERY_TIMEOUT 1500 /* one try; c-ares doubles it */
#define QUERY_TRIES 3
#define LONGEST_MS 10000 /* without a time-out of c-ares's own */

const char resolver_takes[] = "an address or address:port";

struct resolver {
	ares_channel channel;
	struct pollfd sockets[SOCKETS];
	nfds_t count;
	struct ares_options system; /* with the search domains */
	bool has_system;
};

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
open_channel(struct resolver *r, const char *nameserver, const char **why)
{
	struct ares_options o = {
		.timeout = QUERY_TIMEOUT,
		.tries = QUERY_TRIES,
		.sock_state_cb = socket_state,
		.sock_state_cb_data = r,
	};
	int rc;

	rc = ares_init_options(
	    &r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	*why = ares_strerror(rc);
	if (rc != ARES_SUCCESS)
		return rc == ARES_ENOMEM ? KMS_E_NO_MEMORY : KMS_E_NO_HOST;
	if (nameserver == NULL ||
	    ares_set_servers_ports_csv(r->channel, nameserver) == ARES_SUCCESS)
		return KMS_OK;
	ares_destroy(r->channel);
	return KMS_E_FORMAT;
}

int
resolver_open(struct resolver **out, const char *nameserver, const char **why)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	if (r == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = open_channel(r, nameserver, why)) != KMS_OK) {
		free(r);
		return rc;
	}
	*out = r;
	return KMS_OK;
}

/* A question that is on its way: its callback comes with ARES_EDESTRUCTION. */
void
resolver_close(struct resolver *r)
{
	if (r == NULL)
		return;
	ares_destroy(r->channel);
	ares_destroy_options(&r->system);
	free(r);
}

const char *
resolver_domain(struct resolver *r, unsigned index)
{
	int mask = 0;

	if (!r->has_system && ares_save_options(r->channel, &r->system, &mask) != ARES_SUCCESS)
		return NULL;
	r->has_system = true;
	return index < (unsigned)r->system.ndomains ? r->system.domains[index] : NULL;
}

static void
done(struct resolver_answer *a, int status)
{
	a->done = true;
	a->none = status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;
	a->why = status == ARES_SUCCESS ? NULL : ares_strerror(status);
}

static void
srv_answered(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct ares_srv_reply *all = NULL, *srv;

	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(bytes, len, &all);
	for (srv = all; srv != NULL; srv = srv->next)
		resolver_keep_srv(arg, srv->host, srv->port, srv->priority, srv->weight);
	ares_free_data(all);
	done(arg, status);
}

static void
addresses_answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct ares_addrinfo_node *n;

	for (n = info == NULL ? NULL : info->nodes; n != NULL; n = n->ai_next)
		resolver_keep_address(arg, n->ai_addr, n->ai_addrlen);
	ares_freeaddrinfo(info);
	done(arg, status);
}

void
resolver_srv(struct resolver *r, const char *name, struct resolver_answer *answer)
{
	ares_query(r->channel, name, ns_c_in, ns_t_srv, srv_answered, answer);
}

void
resolver_addresses(
    struct resolver *r, const char *name, uint16_t port, struct resolver_answer *answer)
{
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	ares_getaddrinfo(r->channel, name, service, &hints, addresses_answered, answer);
}

void
resolver_step(struct resolver *r)
{
	struct pollfd ready[SOCKETS];
	nfds_t i, n = r->count;
	int got;

	/* Callbacks change r->sockets while this walks: walk a copy. */
	memcpy(ready, r->sockets, sizeof(ready));
	got = os_poll(ready, n, 0);
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

void
resolver_give_up(struct resolver *r)
{
	ares_cancel(r->channel); /* calls back with ARES_ECANCELLED */
}

void
resolver_wait(const struct resolver *r, struct wait *w, int64_t deadline)
{
	struct library_time limit = library_time(LONGEST_MS * UINT64_C(1000)), room;
	int64_t until;
	void *t;

	t = ares_timeout(r->channel, (struct timeval *)&limit, (struct timeval *)&room);
	until = clock_ms() + library_time_ms(t) + 1;
	wait_until(w, until < deadline ? until : deadline);
	for (nfds_t i = 0; i < r->count; i++)
		wait_fd(w, r->sockets[i].fd, r->sockets[i].events);
}
