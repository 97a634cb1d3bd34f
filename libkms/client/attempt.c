/*
 * attempt.c - see attempt.h. A phase returns false when it waits.
 */
#include "libkms/client/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/client/converse.h"
#include "libkms/client/hosts.h"
#include "libkms/kms_error.h"
#include "libkms/os/error_text.h"

#define PREFER_HOSTS 8 /* of so many, at most, the addresses are looked up for it */

static bool
go_on(struct ask *a, enum ask_phase phase)
{
	a->phase = phase;
	return true;
}

/* The addresses of one host: how long it has to accept a connection on one of them. */
static bool
try_addresses(struct ask *a)
{
	a->address = 0;
	a->host_until = transport_sooner(a->deadline, clock_ms() + a->c->connect_timeout);
	return go_on(a, ASK_CONNECT);
}

/*
 * Another host of the same name or weight would count this client a second time, and knows nothing
 * of a seat that is given back.
 */
static bool
try_again(struct ask *a)
{
	if (!a->c->has_served)
		return go_on(a, ASK_HOSTS);
	a->again = a->asked_again = true;
	a->address_list[0] = a->c->served;
	a->addresses = 1;
	return try_addresses(a);
}

static bool
find_hosts(struct ask *a)
{
	int rc = a->dns.lookup == NULL
		     ? client_hosts_begin(a->c, &a->dns, a->deadline, a->host_list, &a->hosts)
		     : DISCOVER_WAIT;

	if (rc == DISCOVER_WAIT && (rc = discover_step(&a->dns, &a->wait)) == DISCOVER_WAIT)
		return false;
	if (rc == KMS_OK)
		return go_on(a, ASK_PREFER);
	ask_note(a, (uint32_t)rc, false, "%s", a->dns.detail);
	return go_on(a, ASK_DONE);
}

/* Of the first priority, so many; 0: there is no choice, or none of them is known. */
static size_t
choice(const struct ask *a)
{
	size_t n = 1;

	if (a->c->has_served || a->c->state->host[0] == '\0')
		return 0;
	while (n < a->hosts && a->host_list[n].priority == a->host_list[0].priority)
		n++;
	return n == 1 ? 0 : n < PREFER_HOSTS ? n : PREFER_HOSTS;
}

static bool
answered_last(const struct ask *a)
{
	char name[TRANSPORT_PEER];

	for (size_t i = 0; i < a->addresses; i++) {
		const struct discover_address *at = &a->address_list[i];

		transport_name(name, (const struct sockaddr *)&at->to, at->len);
		if (strcmp(name, a->c->state->host) == 0)
			return true;
	}
	return false;
}

/*
 * Hosts of one priority may each have a ledger of their own: a client that goes from one to the
 * other is counted by both.
 */
static bool
prefer_last(struct ask *a)
{
	const struct discover_host h = a->host_list[a->host];
	int rc = DISCOVER_WAIT;

	if (a->dns.lookup == NULL && (a->host >= choice(a) || clock_ms() >= a->deadline)) {
		a->host = 0;
		return go_on(a, ASK_ADDRESSES);
	}
	if (a->dns.lookup == NULL)
		rc = discover_addresses_begin(
		    &a->dns, &a->host_list[a->host], a->address_list, &a->addresses);
	if (rc == DISCOVER_WAIT && (rc = discover_step(&a->dns, &a->wait)) == DISCOVER_WAIT)
		return false;
	if (rc != KMS_OK || !answered_last(a)) {
		a->host++;
		return true;
	}
	memmove(&a->host_list[1], &a->host_list[0], a->host * sizeof(h));
	a->host_list[0] = h;
	a->host = 0;
	return try_addresses(a);
}

static bool
find_addresses(struct ask *a)
{
	const struct discover_host *h = &a->host_list[a->host];
	int rc = DISCOVER_WAIT;

	if (a->dns.lookup == NULL && a->host == a->hosts)
		return go_on(a, ASK_DONE);
	if (a->dns.lookup == NULL && clock_ms() >= a->deadline) {
		ask_note(a, KMS_E_TIMEOUT, false, "out of time after %zu of %zu hosts", a->host,
		    a->hosts);
		return go_on(a, ASK_DONE);
	}
	if (a->dns.lookup == NULL)
		rc = discover_addresses_begin(&a->dns, h, a->address_list, &a->addresses);
	if (rc == DISCOVER_WAIT && (rc = discover_step(&a->dns, &a->wait)) == DISCOVER_WAIT)
		return false;
	if (rc == KMS_OK)
		return try_addresses(a);
	snprintf(a->result.host, sizeof(a->result.host), "%.240s port %u", h->name, h->port);
	ask_note(a, (uint32_t)rc, false, "%s", a->dns.detail);
	a->host++;
	return true;
}

/* Was this address asked before the list? */
static bool
is_asked(const struct ask *a, const struct discover_address *at)
{
	return a->asked_again && !a->again && discover_same(at, &a->c->served);
}

static bool
next_host(struct ask *a)
{
	bool again = a->again;

	a->again = false;
	a->host += again ? 0 : 1;
	return go_on(a, again ? ASK_HOSTS : ASK_ADDRESSES);
}

/*
 * Every address gets a share of the host's time, so that a dead first address leaves time for the
 * others.
 */
static int
dial(struct ask *a)
{
	const struct discover_address *at = &a->address_list[a->address];
	int64_t now = clock_ms();
	int rc = transport_dial(&a->t, (const struct sockaddr *)&at->to, at->len);

	a->connect_until = now + (a->host_until - now) / (int64_t)(a->addresses - a->address);
	snprintf(a->result.host, sizeof(a->result.host), "%s", a->t.peer);
	return rc;
}

static bool
connect_host(struct ask *a)
{
	int rc;

	if (a->t.fd < 0 && a->address == a->addresses)
		return next_host(a);
	if (a->t.fd < 0 && is_asked(a, &a->address_list[a->address])) {
		a->address++;
		return true;
	}
	rc = a->t.fd < 0 ? dial(a) : transport_dialled(&a->t);
	if (rc == TRANSPORT_WAIT && clock_ms() < a->connect_until) {
		wait_until(&a->wait, a->connect_until);
		wait_fd(&a->wait, a->t.fd, a->t.events);
		return false;
	}
	if (rc != KMS_OK) {
		ask_note(a, KMS_E_NO_HOST, false, "%s: %s", a->t.peer,
		    rc == TRANSPORT_WAIT ? "no connection in time" : os_error_text(errno));
		transport_close(&a->t);
		a->address++;
		return true;
	}
	a->refreshed = a->caught_up = false;
	if ((a->dialogue = converse_begin(a, &a->t)) != NULL)
		return go_on(a, ASK_CONVERSE);
	ask_note(a, KMS_E_NO_MEMORY, false, "no guarded memory: raise ulimit -l");
	return go_on(a, ASK_DONE);
}

static bool
talk(struct ask *a)
{
	enum step step = converse_step(a->dialogue, &a->wait);

	if (step == STEP_WAIT)
		return false;
	attempt_end(a);
	if (step == STEP_FINAL)
		return go_on(a, ASK_DONE);
	a->address++;
	a->host_until = transport_sooner(a->deadline, clock_ms() + a->c->connect_timeout);
	return go_on(a, ASK_CONNECT);
}

bool
attempt_step(struct ask *a)
{
	static bool (*const phases[])(struct ask *) = {
		[ASK_AGAIN] = try_again,
		[ASK_HOSTS] = find_hosts,
		[ASK_PREFER] = prefer_last,
		[ASK_ADDRESSES] = find_addresses,
		[ASK_CONNECT] = connect_host,
		[ASK_CONVERSE] = talk,
	};

	while (a->phase != ASK_DONE)
		if (!phases[a->phase](a))
			return false;
	attempt_end(a);
	return true;
}

void
attempt_end(struct ask *a)
{
	converse_end(a->dialogue);
	a->dialogue = NULL;
	transport_close(&a->t);
	discover_cancel(&a->dns);
}
