/*
 * ruleset.c - writes the table inet kms. Its base chain lets everything pass (policy accept) and
 * hands only TCP to our port to the chain guard, which drops what kms.ini does not allow: so the
 * table can neither open a port nor close another. New connections are told by their SYN, without
 * connection tracking, which would change how the whole machine handles packets.
 *
 * With a relay, the chain output restricts the network processes to the ports of the KMS hosts,
 * which Landlock does too, but only since Linux 6.7.
 */
#include "kmsctl/firewall/ruleset.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/relay_config.h"

/*
 * Sources remembered in a minute. When all places are taken, further sources are let in: the rate
 * only slows floods.
 */
#define SOURCES 65535
#define SYN "tcp flags & (fin | syn | rst | ack) == syn"

const char ruleset_removal[] = "table " RULESET_TABLE "\ndelete table " RULESET_TABLE "\n";

struct network {
	int family;
	unsigned bits;
	uint8_t address[16];
};

/* The text was checked when kms.ini was read. */
static struct network
network_of(const char *text)
{
	struct network n = { .family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET };
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");

	snprintf(address, sizeof(address), "%.*s", (int)len, text);
	inet_pton(n.family, address, n.address);
	n.bits = text[len] == '/'      ? (unsigned)strtoul(text + len + 1, NULL, 10)
		 : n.family == AF_INET ? 32
				       : 128;
	return n;
}

static bool
contains(const struct network *outer, const struct network *inner)
{
	unsigned i;

	if (outer->family != inner->family || outer->bits > inner->bits)
		return false;
	for (i = 0; i < outer->bits; i++)
		if ((outer->address[i / 8] ^ inner->address[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

/* nft refuses intervals that overlap; kms.ini has no network twice. */
static bool
within_another(const struct config *c, unsigned i)
{
	struct network n = network_of(c->allow[i]), other;
	unsigned j;

	for (j = 0; j < c->allow_count; j++) {
		other = network_of(c->allow[j]);
		if (j != i && contains(&other, &n))
			return true;
	}
	return false;
}

unsigned
ruleset_networks(const struct config *c, int family)
{
	unsigned i, n = 0;

	for (i = 0; i < c->allow_count; i++)
		n += network_of(c->allow[i]).family == family && !within_another(c, i);
	return n;
}

static void
write_allowed(FILE *f, const struct config *c, int family)
{
	const char *comma = "        elements = {";
	bool six = family == AF_INET6;
	unsigned i;

	fprintf(f, "    set allow%d {\n        type ipv%d_addr\n        flags interval\n",
	    six ? 6 : 4, six ? 6 : 4);
	for (i = 0; i < c->allow_count; i++) {
		if (network_of(c->allow[i]).family != family || within_another(c, i))
			continue;
		fprintf(f, "%s\n            %s", comma, c->allow[i]);
		comma = ",";
	}
	fprintf(f, "%s    }\n", *comma == ',' ? "\n        }\n" : "");
}

static void
write_guard(FILE *f, const struct config *c)
{
	static const char *const families[] = { "ip", "ip6" };
	unsigned i;

	fputs("    chain guard {\n        iifname \"lo\" accept\n", f);
	if (c->firewall_interface[0] != '\0')
		fprintf(f, "        iifname != \"%s\" counter drop\n", c->firewall_interface);
	for (i = 0; i < 2; i++)
		fprintf(f, "        %s saddr != @allow%d counter drop\n", families[i], i ? 6 : 4);
	for (i = 0; i < 2 && c->firewall_rate > 0; i++)
		fprintf(f,
		    "        " SYN
		    " update @rate%d { %s saddr limit rate over %u/minute burst %u packets } counter drop\n",
		    i ? 6 : 4, families[i], c->firewall_rate, c->firewall_rate);
	fputs("    }\n", f);
}

/* A user that does not exist runs nothing. */
static void
write_output(FILE *f, const struct config *c)
{
	struct passwd *pw = relay_configured(c) ? getpwnam(c->front_user) : NULL;
	uint16_t ports[RELAY_PORTS + 1];
	unsigned count, i;

	if (pw == NULL)
		return;
	count = relay_ports(c, ports);
	/*
	 * kmsd-resolve runs as the same user, and needs TCP for DNS answers that are too long for
	 * UDP.
	 */
	if (relay_has_names(c))
		ports[count++] = relay_server_port(c->relay_nameserver);
	fprintf(f,
	    "    chain output {\n        type filter hook output priority filter; policy accept;\n"
	    "        meta skuid %u " SYN " tcp dport != {",
	    (unsigned)pw->pw_uid);
	for (i = 0; i < count; i++)
		fprintf(f, "%s %u", i > 0 ? "," : "", ports[i]);
	fputs(" } counter drop\n    }\n", f);
}

char *
ruleset_text(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int i;

	if (f == NULL)
		return NULL;
	fputs(ruleset_removal, f);
	fputs("table " RULESET_TABLE " {\n", f);
	write_allowed(f, c, AF_INET);
	write_allowed(f, c, AF_INET6);
	for (i = 4; i <= 6 && c->firewall_rate > 0; i += 2)
		fprintf(f,
		    "    set rate%d {\n        type ipv%d_addr\n        size %d\n        flags dynamic,timeout\n"
		    "        timeout 1m\n    }\n",
		    i, i, SOURCES);
	write_guard(f, c);
	fprintf(f,
	    "    chain input {\n        type filter hook input priority filter; policy accept;\n"
	    "        tcp dport %u jump guard\n    }\n",
	    c->port);
	write_output(f, c);
	fputs("}\n", f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
