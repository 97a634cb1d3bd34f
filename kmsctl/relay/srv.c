/*
 * srv.c - looks up the records as a client does, and judges them.
 */
#include "kmsctl/relay/srv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "libkms/kms_error.h"

/* Is it this appliance, by its published name or by its address? */
static bool
is_us(const struct config *c, uint16_t own, const struct discover_host *h,
    const struct discover_address *addresses, size_t count)
{
	char name[DISCOVER_NAME] = "";
	size_t len = strlen(h->name);

	snprintf(name, sizeof(name), "%s", c->dns_host);
	if (name[0] == '\0' && gethostname(name, sizeof(name) - 1) != 0)
		name[0] = '\0';
	len -= len > 0 && h->name[len - 1] == '.';
	if (strlen(name) == len && strncasecmp(name, h->name, len) == 0)
		return true;
	for (size_t i = 0; h->port == own && i < count; i++)
		if (kms_host_is_self(c, &addresses[i]))
			return true;
	return false;
}

void
srv_look(struct srv_seen *seen, const struct config *c, const struct kms_hosts *b, uint16_t own,
    const char *domain)
{
	struct discover_host hosts[DISCOVER_HOSTS];
	char server[ENDPOINT_TEXT];
	struct discover dns = kms_hosts_resolver(c, server);
	size_t count = 0;

	memset(seen, 0, sizeof(*seen));
	dns.domain = domain;
	if (discover_hosts(&dns, hosts, &count) != KMS_OK) {
		seen->silent = !dns.absent;
		snprintf(seen->why, sizeof(seen->why), "%s", dns.detail);
	}
	for (size_t i = 0; i < count; i++) {
		struct discover_address addresses[DISCOVER_ADDRESSES];
		struct discover names = kms_hosts_resolver(c, server);
		size_t n = 0;

		(void)discover_addresses(&names, &hosts[i], addresses, &n);
		if (is_us(c, own, &hosts[i], addresses, n))
			seen->us = true;
		else if (kms_hosts_has(b, &hosts[i], addresses, n))
			seen->upstream = true;
		else
			seen->foreign = true;
	}
}

/* The first row that applies. */
static const struct row {
	bool us, upstream, foreign; /* all true members must have been seen */
	bool problem;
	bool unwanted; /* a problem if this appliance should be published */
	const char *text;
} rows[] = {
	{ true, true, false, true, false,
	    "both this appliance and a KMS host behind it publish _vlmcs._tcp: clients go to either. Delete the host's record and set DisableDnsPublishing there" },
	{ true, false, true, true, false,
	    "this appliance and another KMS host, which is not behind it, publish _vlmcs._tcp: clients go to either. Delete that record, or add the host to [relay] upstream" },
	{ true, false, false, false, false, "clients find this appliance" },
	{ false, false, true, true, false,
	    "clients find a KMS host that is neither this appliance nor behind it: delete that record, or add the host to [relay] upstream" },
	{ false, true, false, false, true, "clients find the KMS host itself, not this appliance" },
	{ false, false, false, false, true, "clients find no KMS host by DNS" },
};

const char *
srv_judge(const struct srv_seen *seen, bool wanted, bool *problem)
{
	const struct row *r = rows;

	*problem = true;
	if (seen->silent)
		return "DNS does not answer";
	while ((r->us && !seen->us) || (r->upstream && !seen->upstream) ||
	       (r->foreign && !seen->foreign))
		r++;
	*problem = r->problem || (r->unwanted && wanted);
	return r->text;
}
