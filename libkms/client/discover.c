/*
 * discover.c - SRV, A and AAAA through the system's resolver (resolver.h), in steps until the
 * caller's deadline.
 */
#include "libkms/client/discover.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"
#include "libkms/os/resolver.h"

#define SEARCH_DOMAINS 6

struct lookup {
	struct resolver *resolver;
	struct resolver_answer answer;
	size_t *found;                 /* the caller's: how many there are in the end */
	unsigned asked;                /* SRV: domains */
	char name[DISCOVER_NAME + 16]; /* that is asked for now */
};

bool
discover_same(const struct discover_address *a, const struct discover_address *b)
{
	return a->len == b->len && memcmp(&a->to, &b->to, a->len) == 0;
}

static uint32_t
own_random(void *arg, uint32_t upper)
{
	return randombytes_uniform(upper);
}

/* d->lookup, for an answer that goes to hosts or to addresses, and their number to *count. */
static int
open_lookup(struct discover *d, struct discover_host *hosts, struct discover_address *addresses,
    size_t *count)
{
	struct lookup *l = calloc(1, sizeof(*l));
	const char *why = "";
	int rc;

	if (l == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = resolver_open(&l->resolver, d->nameserver, &why)) != KMS_OK) {
		if (rc == KMS_E_FORMAT)
			snprintf(d->detail, sizeof(d->detail), "name server \"%.80s\": give %s",
			    d->nameserver, resolver_takes);
		else
			snprintf(d->detail, sizeof(d->detail), "resolver: %s", why);
		free(l);
		return rc;
	}
	l->answer = (struct resolver_answer){ .hosts = hosts, .addresses = addresses };
	l->found = count;
	d->lookup = l;
	return KMS_OK;
}

/* Also while a question is on its way. */
void
discover_cancel(struct discover *d)
{
	if (d->lookup == NULL)
		return;
	resolver_close(d->lookup->resolver);
	free(d->lookup);
	d->lookup = NULL;
}

/* Asks the next domain for SRV records; false: each was asked. */
static bool
ask_next(struct discover *d)
{
	struct lookup *l = d->lookup;
	const char *domain = NULL;

	if (d->domain != NULL)
		domain = l->asked == 0 ? d->domain : NULL;
	else if (l->asked < SEARCH_DOMAINS)
		domain = resolver_domain(l->resolver, l->asked);
	if (domain == NULL)
		return false;
	l->asked++;
	l->answer.done = false;
	if (snprintf(l->name, sizeof(l->name), "%s._tcp.%s",
		d->service != NULL ? d->service : "_kms", domain) >= (int)sizeof(l->name)) {
		l->answer.done = true;
		l->answer.none = false;
		l->answer.why = "the name is too long";
	} else {
		resolver_srv(l->resolver, l->name, &l->answer);
	}
	return true;
}

/* The answer of one domain after the other, until one has hosts. */
static int
hosts_step(struct discover *d)
{
	struct lookup *l = d->lookup;
	struct resolver_answer *a = &l->answer;

	while (a->done && a->count == 0) {
		d->absent = a->none;
		snprintf(d->detail, sizeof(d->detail), "SRV %.90s: %s", l->name,
		    a->why == NULL ? "no usable target" : a->why);
		if (!ask_next(d))
			return KMS_E_NO_HOST;
	}
	if (!a->done)
		return DISCOVER_WAIT;
	discover_order(
	    a->hosts, a->count, d->random != NULL ? d->random : own_random, d->random_arg);
	*l->found = a->count;
	return KMS_OK;
}

int
discover_hosts_begin(struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count)
{
	int rc;

	*count = 0;
	d->detail[0] = '\0';
	d->absent = false;
	if ((rc = open_lookup(d, hosts, NULL, count)) != KMS_OK)
		return rc;
	if (ask_next(d))
		return DISCOVER_WAIT;
	snprintf(d->detail, sizeof(d->detail), "the resolver's settings have no search domain");
	discover_cancel(d);
	return KMS_E_NO_HOST;
}

/*
 * An address needs no name server: c-ares 1.18 asks for an IPv4 address as if it were a name, and a
 * name server that is silent would keep a client from a host that it can reach.
 */
static bool
take_address(const struct discover_host *host, struct discover_address *out)
{
	uint8_t address[16];

	if (!address_parse(address, host->name))
		return false;
	out->len = address_give(&out->to, address, host->port);
	return true;
}

static int
addresses_step(struct discover *d)
{
	struct lookup *l = d->lookup;
	const struct resolver_answer *a = &l->answer;

	if (!a->done)
		return DISCOVER_WAIT;
	*l->found = a->count;
	if (a->count > 0)
		return KMS_OK;
	d->absent = a->none;
	snprintf(d->detail, sizeof(d->detail), "%.100s: %s", l->name,
	    a->why == NULL ? "no address" : a->why);
	return KMS_E_NO_HOST;
}

int
discover_addresses_begin(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count)
{
	int rc;

	d->detail[0] = '\0';
	d->absent = false;
	if ((*count = take_address(host, &out[0])) > 0)
		return KMS_OK;
	if ((rc = open_lookup(d, NULL, out, count)) != KMS_OK)
		return rc;
	snprintf(d->lookup->name, sizeof(d->lookup->name), "%s", host->name);
	resolver_addresses(d->lookup->resolver, host->name, host->port, &d->lookup->answer);
	return DISCOVER_WAIT;
}

int
discover_step(struct discover *d, struct wait *w)
{
	struct lookup *l = d->lookup;
	int rc;

	resolver_step(l->resolver);
	if (!l->answer.done && clock_ms() >= d->deadline)
		resolver_give_up(l->resolver);
	rc = l->answer.hosts != NULL ? hosts_step(d) : addresses_step(d);
	if (rc == DISCOVER_WAIT)
		resolver_wait(l->resolver, w, d->deadline);
	else
		discover_cancel(d);
	return rc;
}

int
discover_finish(struct discover *d, int rc)
{
	struct wait w;

	if (rc != DISCOVER_WAIT)
		return rc;
	while ((rc = discover_step(d, &w)) == DISCOVER_WAIT)
		wait_block(&w);
	return rc;
}

int
discover_hosts(struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count)
{
	return discover_finish(d, discover_hosts_begin(d, hosts, count));
}

int
discover_addresses(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count)
{
	return discover_finish(d, discover_addresses_begin(d, host, out, count));
}
