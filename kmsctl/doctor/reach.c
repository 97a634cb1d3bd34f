/*
 * reach.c - doctor's checks from the outside, as clients do it: the port, on an address that they
 * use, and the host's name in DNS when kms.ini publishes none.
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/dns/probe.h"
#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/port.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"

#define DNS_MS 3000

static bool
is_loopback(const uint8_t address[16])
{
	static const uint8_t six[16] = { [15] = 1 };

	return memcmp(address, six, 16) == 0 || (address_is_ipv4(address) && address[12] == 127);
}

/* One of this machine that others can use: not loopback, not only of this link. */
static bool
outer_address(uint8_t out[16], bool ipv4)
{
	struct ifaddrs *list, *i;
	uint8_t address[16];
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (i = list; i != NULL && !found; i = i->ifa_next) {
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 ||
		    !address_take(address, NULL, i->ifa_addr) || is_loopback(address) ||
		    (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) ||
		    address_is_ipv4(address) != ipv4)
			continue;
		memcpy(out, address, 16);
		found = true;
	}
	freeifaddrs(list);
	return found;
}

/*
 * Where a client would connect for that line of [listen]. False: nowhere; a machine that has no
 * IPv6 need not serve it.
 */
static bool
from_outside(uint8_t out[16], const uint8_t listening[16])
{
	bool ipv4 = address_is_ipv4(listening);

	memcpy(out, listening, 16);
	if (!address_is_nowhere(listening) || outer_address(out, ipv4))
		return true;
	return ipv4 && address_parse(out, "127.0.0.1");
}

static void
ask(struct doctor *d, const uint8_t address[16], uint16_t port)
{
	const struct config *c = &d->ctl->config;
	struct discover_address at = { .len = 0 };
	struct minisig_key key = { 0 };
	struct probe p;
	bool hello =
	    c->publisher_count > 0 && minisig_key_parse(&key, c->publishers[0].key) == KMS_OK;

	at.len = address_give(&at.to, address, port);
	probe_address(&p, &at, hello, key.id, clock_ms() + d->ctl->timeout_ms);
	if (!p.reached)
		doctor_find(d, "port", BAD, "systemctl restart kmsd, then journalctl -u kmsd",
		    "no client can connect to %s: %s", p.address, p.state);
	else if (hello && !p.serves)
		doctor_find(d, "port", BAD, "kmsctl key show, then journalctl -u kmsd",
		    "kmsd does not serve a client that connects to %s: %s", p.address, p.state);
	else
		doctor_find(d, "port", GOOD, NULL, "%s %s", p.address,
		    hello ? "answers the requests of clients" : "accepts connections");
}

void
doctor_port(struct doctor *d)
{
	const struct config_addresses *list = &d->ctl->config.address;
	uint16_t port = port_of_host(d->ctl);
	unsigned outside = 0, tried = 0;
	uint8_t address[16];

	if (!d->running || d->locked || port == 0)
		return;
	for (unsigned i = 0; i < list->count; i++) {
		if (!from_outside(address, list->at[i]))
			continue;
		outside += !is_loopback(list->at[i]);
		ask(d, address, port);
		tried++;
	}
	if (tried > 0 && outside == 0)
		doctor_find(d, "listen", WARNING,
		    "set [listen] address in kms.ini, for example 0.0.0.0, then systemctl restart kmsd",
		    "kmsd listens on loopback only: no other machine can reach it");
}

/*
 * kms.ini asks for no records, so nobody publishes them for it. Clients search the domains of
 * their resolver all the same.
 */
void
doctor_unpublished(struct doctor *d, const char *nameserver)
{
	struct discover q = { .nameserver = nameserver, .deadline = clock_ms() + DNS_MS };
	struct discover_host hosts[DISCOVER_HOSTS];
	size_t count = 0;
	int rc = discover_hosts(&q, hosts, &count);

	if (rc == KMS_OK)
		doctor_find(d, "dns", GOOD, NULL, "kms.ini publishes nothing, and clients find %s",
		    hosts[0].name);
	else if (rc == KMS_E_NO_HOST && q.absent)
		doctor_find(d, "dns", WARNING, "set [dns] domains in kms.ini, then kmsctl dns show",
		    "no client finds this host: DNS has no record for it (%.150s)", q.detail);
	else
		doctor_find(d, "dns", WARNING, "resolvectl status, or cat /etc/resolv.conf",
		    "no name server answers, so kmsctl cannot tell which hosts clients find: %.150s",
		    q.detail[0] != '\0' ? q.detail : kms_strerror((uint32_t)rc));
}
