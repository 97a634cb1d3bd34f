/*
 * kms_hosts.c - collects the hosts as kmsd and kmsd-resolve do: the same names and ports, without
 * the appliance itself.
 */
#include "kmsctl/relay/kms_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmsd/common/relay_config.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

#define PATIENCE 5000 /* ms for one question to DNS */
#define SERVICE "_vlmcs"

/* Equal weights are not drawn at random, so that two checks show the same. */
static uint32_t
no_draw(void *arg, uint32_t upper)
{
	(void)arg;
	(void)upper;
	return 0;
}

struct discover
kms_hosts_resolver(const struct config *c, char server[ENDPOINT_TEXT])
{
	return (struct discover){
		.nameserver = relay_nameserver(c, server),
		.service = SERVICE,
		.deadline = clock_ms() + PATIENCE,
		.random = no_draw,
	};
}

static bool
same_address(const struct discover_address *a, const struct discover_address *b)
{
	uint8_t x[16], y[16];

	return address_take(x, NULL, (const struct sockaddr *)&a->to) &&
	       address_take(y, NULL, (const struct sockaddr *)&b->to) && memcmp(x, y, 16) == 0;
}

static bool
share_address(const struct kms_host *h, const struct discover_address *addresses, size_t count)
{
	for (size_t i = 0; i < h->count; i++)
		for (size_t j = 0; j < count; j++)
			if (same_address(&h->addresses[i], &addresses[j]))
				return true;
	return false;
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	n -= n > 0 && a[n - 1] == '.';
	m -= m > 0 && b[m - 1] == '.';
	return n == m && strncasecmp(a, b, n) == 0;
}

bool
kms_hosts_has(const struct kms_hosts *b, const struct discover_host *h,
    const struct discover_address *addresses, size_t count)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->at[i].state != KMS_HOST_SELF &&
		    (same_name(b->at[i].host.name, h->name) ||
			share_address(&b->at[i], addresses, count)))
			return true;
	return false;
}

static bool
is_nowhere(const struct discover_address *a)
{
	uint8_t address[16];

	return address_take(address, NULL, (const struct sockaddr *)&a->to) &&
	       address_is_nowhere(address);
}

bool
kms_host_is_self(const struct config *c, const struct discover_address *a)
{
	uint8_t address[16];

	if (!address_take(address, NULL, (const struct sockaddr *)&a->to))
		return false;
	for (unsigned i = 0; i < c->address.count; i++)
		if (address_listens(c->address.at[i], address))
			return address_is_own(address);
	return false;
}

/* Removes addresses of this appliance, as kmsd does. */
static enum kms_host_state
leave_self_out(struct kms_host *h, const struct config *c, uint16_t own)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->count; i++)
		if (!is_nowhere(&h->addresses[i]) &&
		    (h->host.port != own || !kms_host_is_self(c, &h->addresses[i])))
			h->addresses[kept++] = h->addresses[i];
	h->count = kept;
	return kept > 0 ? KMS_HOST_USED : KMS_HOST_SELF;
}

static enum kms_host_state
find_state(struct kms_hosts *b, struct kms_host *h, const struct config *c, uint16_t own)
{
	char server[ENDPOINT_TEXT];
	struct discover dns = kms_hosts_resolver(c, server);
	enum kms_host_state state;

	if (discover_addresses(&dns, &h->host, h->addresses, &h->count) != KMS_OK) {
		snprintf(h->why, sizeof(h->why), "%s", dns.detail);
		return KMS_HOST_NAMELESS;
	}
	state = leave_self_out(h, c, own);
	if (state == KMS_HOST_USED && h->dns && !relay_port_allowed(c, h->host.port))
		return KMS_HOST_PORT;
	for (size_t i = 0; state == KMS_HOST_USED && i < b->count; i++)
		if (b->at[i].state == KMS_HOST_USED && b->at[i].host.port == h->host.port &&
		    share_address(&b->at[i], h->addresses, h->count))
			state = KMS_HOST_TWICE;
	return state;
}

static void
take(struct kms_hosts *b, const struct config *c, uint16_t own, const struct discover_host *host,
    bool dns)
{
	struct kms_host *h = &b->at[b->count];

	h->host = *host;
	h->dns = dns;
	h->state = find_state(b, h, c, own);
	b->count++;
}

static void
take_configured(struct kms_hosts *b, const struct config *c, uint16_t own)
{
	for (unsigned i = 0; i < c->relay_upstream.count; i++) {
		const struct endpoint *e = &c->relay_upstream.at[i];
		struct discover_host h = {
			.port = e->port, .priority = e->priority, .weight = e->weight
		};

		snprintf(h.name, sizeof(h.name), "%s", e->name);
		take(b, c, own, &h, false);
	}
}

static void
take_found(struct kms_hosts *b, const struct config *c, uint16_t own)
{
	struct discover_host hosts[DISCOVER_HOSTS];
	char server[ENDPOINT_TEXT];
	struct discover dns = kms_hosts_resolver(c, server);
	size_t count = 0;

	dns.domain = c->relay_domain;
	if (discover_hosts(&dns, hosts, &count) != KMS_OK)
		snprintf(b->why, sizeof(b->why), "%s", dns.detail);
	for (size_t i = 0; i < count; i++)
		take(b, c, own, &hosts[i], true);
}

int
kms_hosts_collect(struct kms_hosts *b, const struct config *c, uint16_t own)
{
	memset(b, 0, sizeof(*b));
	b->at = calloc(CONFIG_ENDPOINTS + DISCOVER_HOSTS, sizeof(*b->at));
	if (b->at == NULL)
		return KMS_E_NO_MEMORY;
	take_configured(b, c, own);
	if (c->relay_domain[0] != '\0')
		take_found(b, c, own);
	return KMS_OK;
}

void
kms_hosts_free(struct kms_hosts *b)
{
	free(b->at);
	memset(b, 0, sizeof(*b));
}
