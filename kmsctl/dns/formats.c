/*
 * formats.c - records for a zone file, for Windows DNS (PowerShell's DnsServer module) and for
 * dnsmasq's configuration file.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/dns/records.h"

static void
zone_line(char out[2 * RECORD_TEXT], const struct record *r, const struct config *c)
{
	record_text(out, r);
}

/*
 * Only the server knows its zones. Assume: for services the domain; for the host the longest of
 * our domains that contains it, or else everything after its first label.
 */
static const char *
zone_of(const struct record *r, const struct config *c)
{
	size_t len = strlen(r->name), d, best = 0;
	unsigned i;

	if (r->type == RECORD_SRV)
		return strstr(r->name, "._tcp.") + strlen("._tcp.");
	for (i = 0; i < c->dns_domains.count; i++) {
		d = strlen(c->dns_domains.at[i]);
		if (d > best && len > d + 1 && r->name[len - d - 1] == '.' &&
		    strcasecmp(r->name + len - d, c->dns_domains.at[i]) == 0)
			best = d;
	}
	return best > 0 ? r->name + len - best : strchr(r->name, '.') + 1;
}

static void
powershell_line(char out[2 * RECORD_TEXT], const struct record *r, const struct config *c)
{
	const char *zone = zone_of(r, c);
	char ttl[32];

	snprintf(ttl, sizeof(ttl), "%u.%02u:%02u:%02u", r->ttl / 86400, r->ttl / 3600 % 24,
	    r->ttl / 60 % 60, r->ttl % 60);
	if (r->type == RECORD_SRV)
		snprintf(out, 2 * RECORD_TEXT,
		    "Add-DnsServerResourceRecord -Srv -ZoneName '%s' -Name '%.*s' -DomainName '%s.' -Priority %u -Weight %u -Port %u -TimeToLive '%s'",
		    zone, (int)(zone - r->name - 1), r->name, r->data, r->priority, r->weight,
		    r->port, ttl);
	else
		snprintf(out, 2 * RECORD_TEXT,
		    "Add-DnsServerResourceRecord%s -ZoneName '%s' -Name '%.*s' -IPv%cAddress '%s' -TimeToLive '%s'",
		    record_type(r), zone, (int)(zone - r->name - 1), r->name,
		    r->type == RECORD_A ? '4' : '6', r->data, ttl);
}

/* srv-host has no TTL: dnsmasq gives all of them its own. */
static void
dnsmasq_line(char out[2 * RECORD_TEXT], const struct record *r, const struct config *c)
{
	if (r->type == RECORD_SRV)
		snprintf(out, 2 * RECORD_TEXT, "srv-host=%s,%s,%u,%u,%u", r->name, r->data, r->port,
		    r->priority, r->weight);
	else
		snprintf(out, 2 * RECORD_TEXT, "host-record=%s,%s,%u", r->name, r->data, r->ttl);
}

static const struct records_format formats[] = {
	{ "zone", zone_line },
	{ "powershell", powershell_line },
	{ "dnsmasq", dnsmasq_line },
};

const struct records_format *
records_format(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
