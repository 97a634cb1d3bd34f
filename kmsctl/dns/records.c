/*
 * records.c - the records that kms.ini asks for, and their text in a zone file. Names and
 * addresses were checked when kms.ini was read: none of their characters is special in a zone file
 * or a shell.
 */
#include "kmsctl/dns/records.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "libkms/base/address.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"

static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
static const char *const types[] = { "SRV", "A", "AAAA" };

const char *
record_type(const struct record *r)
{
	return types[r->type];
}

const char *
records_service(const struct config *c, unsigned i)
{
	static const char *const services[] = { "_kms", "_vlmcs" };

	/* A host that only relays would refuse every client that found it by _kms. */
	if (c->publish_vlmcs && c->publisher_count == 0)
		i++;
	return i < (c->publish_vlmcs ? 2u : 1u) ? services[i] : NULL;
}

const char *
records_domain(const struct config *c, const char *host, unsigned i)
{
	if (c->dns_domains.count > 0)
		return i < c->dns_domains.count ? c->dns_domains.at[i] : NULL;
	return i == 0 ? strchr(host, '.') + 1 : NULL;
}

/* This machine's full name, as hostname --fqdn finds it. */
static bool
full_name(char out[DNS_NAME])
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *info;
	char own[256] = "";
	bool ok = false;

	if (gethostname(own, sizeof(own) - 1) != 0 || getaddrinfo(own, NULL, &hints, &info) != 0)
		return false;
	if (info->ai_canonname != NULL && strlen(info->ai_canonname) < DNS_NAME &&
	    strchr(info->ai_canonname, '.') != NULL &&
	    strspn(info->ai_canonname, good) == strlen(info->ai_canonname) &&
	    strncasecmp(info->ai_canonname, "localhost.", 10) != 0) {
		snprintf(out, DNS_NAME, "%s", info->ai_canonname);
		ok = true;
	}
	freeaddrinfo(info);
	return ok;
}

int
records_host(const struct config *c, char host[DNS_NAME], struct fault *f)
{
	if (c->dns_host[0] != '\0') {
		snprintf(host, DNS_NAME, "%s", c->dns_host);
		return KMS_OK;
	}
	if (full_name(host))
		return KMS_OK;
	return fault_set(f, KMS_E_CONFIG,
	    "this machine has no full name (hostname --fqdn): set [dns] host in kms.ini");
}

static bool
add_services(struct records *out, const struct config *c, const char *host, const char *domain)
{
	struct record r = { .type = RECORD_SRV,
		.ttl = c->dns_ttl,
		.priority = c->dns_priority,
		.weight = c->dns_weight,
		.port = c->port };
	const char *service;
	unsigned i;

	snprintf(r.data, sizeof(r.data), "%s", host);
	for (i = 0; (service = records_service(c, i)) != NULL; i++) {
		if (snprintf(r.name, sizeof(r.name), "%s._tcp.%s", service, domain) >= DNS_NAME ||
		    !records_add(out, &r))
			return false;
	}
	return true;
}

int
records_wanted(struct records *out, const struct config *c, struct fault *f)
{
	struct record r = { .ttl = c->dns_ttl };
	char host[DNS_NAME];
	const char *domain;
	unsigned i;
	int rc;

	out->count = 0;
	if (c->port == 0)
		return fault_set(f, KMS_E_CONFIG,
		    "[listen] port is 0, so the port changes at each start: set a fixed port for the DNS records");
	if ((rc = records_host(c, host, f)) != KMS_OK)
		return rc;
	for (i = 0; (domain = records_domain(c, host, i)) != NULL; i++)
		if (!add_services(out, c, host, domain))
			return fault_set(f, KMS_E_CONFIG,
			    "_kms._tcp.%.200s: the name is longer than DNS allows", domain);
	snprintf(r.name, sizeof(r.name), "%s", host);
	for (i = 0; i < c->dns_addresses.count; i++) {
		r.type = address_is_ipv4(c->dns_addresses.at[i]) ? RECORD_A : RECORD_AAAA;
		address_text(r.data, c->dns_addresses.at[i]);
		records_add(out, &r);
	}
	return KMS_OK;
}

bool
record_same(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->priority == b->priority && a->weight == b->weight &&
	       a->port == b->port && strcasecmp(a->name, b->name) == 0 &&
	       strcasecmp(a->data, b->data) == 0;
}

bool
records_have(const struct records *set, const struct record *r)
{
	unsigned i;

	for (i = 0; i < set->count; i++)
		if (record_same(&set->rows[i], r))
			return true;
	return false;
}

bool
records_add(struct records *set, const struct record *r)
{
	if (records_have(set, r))
		return true;
	if (set->count == RECORDS_MAX)
		return false;
	set->rows[set->count++] = *r;
	return true;
}

void
record_data(char out[RECORD_TEXT], const struct record *r)
{
	if (r->type == RECORD_SRV)
		snprintf(
		    out, RECORD_TEXT, "SRV %u %u %u %s.", r->priority, r->weight, r->port, r->data);
	else
		snprintf(out, RECORD_TEXT, "%s %s", record_type(r), r->data);
}

void
record_text(char out[RECORD_TEXT], const struct record *r)
{
	char data[RECORD_TEXT];

	record_data(data, r);
	snprintf(out, RECORD_TEXT, "%s. %u IN %.320s", r->name, r->ttl, data);
}

/* A name without the final dot. */
static bool
undot(char *name)
{
	size_t len = strlen(name);

	if (len < 2 || name[len - 1] != '.')
		return false;
	name[len - 1] = '\0';
	return strspn(name, good) == len - 1;
}

/* The fields of a line, split at blanks; how many, 0: too many. */
static unsigned
split(char *line, char *fields[8])
{
	unsigned n = 0;
	char *field, *rest = NULL;

	for (field = strtok_r(line, " ", &rest); field != NULL;
	     field = strtok_r(NULL, " ", &rest)) {
		if (n == 8)
			return 0;
		fields[n++] = field;
	}
	return n;
}

bool
record_parse(struct record *out, const char *line)
{
	uint64_t ttl, n[3] = { 0 };
	char copy[RECORD_TEXT], *f[8];
	uint8_t address[16];
	unsigned count, i;

	memset(out, 0, sizeof(*out));
	if ((size_t)snprintf(copy, sizeof(copy), "%s", line) >= sizeof(copy))
		return false;
	count = split(copy, f);
	if (count < 5 || strlen(f[0]) >= sizeof(out->name) || !undot(f[0]) || f[0][0] == '.' ||
	    strchr(f[0], '.') == NULL || !number_parse(&ttl, UINT32_MAX, f[1]) ||
	    strcmp(f[2], "IN") != 0 || strlen(f[count - 1]) > sizeof(out->data))
		return false;
	for (i = 0; i < 3 && strcmp(f[3], types[i]) != 0; i++)
		;
	if (i == 3 || count != (i == RECORD_SRV ? 8 : 5))
		return false;
	out->type = (enum record_type)i;
	for (i = 0; i < 3 && out->type == RECORD_SRV; i++)
		if (!number_parse(&n[i], UINT16_MAX, f[4 + i]))
			return false;
	if (out->type == RECORD_SRV ? !undot(f[7])
				    : !address_parse(address, f[4]) ||
					  (out->type == RECORD_A) != (strchr(f[4], ':') == NULL))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", f[0]);
	snprintf(out->data, sizeof(out->data), "%s", f[count - 1]);
	out->ttl = (uint32_t)ttl;
	out->priority = (uint16_t)n[0];
	out->weight = (uint16_t)n[1];
	out->port = (uint16_t)n[2];
	return true;
}
