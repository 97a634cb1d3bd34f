/*
 * ruleset.c - writes the table inet kms. Its base chain lets everything pass (policy accept) and
 * hands only TCP to our port to the chain guard, which drops what kms.ini does not allow: so the
 * table can neither open a port nor close another. New connections are told by their SYN, without
 * connection tracking, which would change how the whole machine handles packets.
 *
 * With a share, the chain members does the same for the ports of etcd: its members alone come in.
 * Their names are looked up now; when one has no address, the chain is left out, because etcd that
 * cannot reach its members stops the share, and TLS keeps strangers out all the same.
 *
 * With a relay, the chain output restricts the network processes to the ports of the KMS hosts,
 * which Landlock does too, but only since Linux 6.7.
 */
#include "kmsctl/firewall/ruleset.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/front_user.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/address.h"

/*
 * Sources remembered in a minute. When all places are taken, further sources are let in: the rate
 * only slows floods.
 */
#define SOURCES 65535
#define SYN "tcp flags & (fin | syn | rst | ack) == syn"

const char ruleset_removal[] = "table " RULESET_TABLE "\ndelete table " RULESET_TABLE "\n";

static bool
of_family(const struct network *n, int family)
{
	return network_is_ipv4(n) == (family == AF_INET);
}

/* nft refuses intervals that overlap; kms.ini has no network twice. */
static bool
within_another(const struct config_networks *allow, unsigned i)
{
	for (unsigned j = 0; j < allow->count; j++)
		if (j != i && network_within(&allow->at[i], &allow->at[j]))
			return true;
	return false;
}

unsigned
ruleset_networks(const struct config *c, int family)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->allow.count; i++)
		n += of_family(&c->allow.at[i], family) && !within_another(&c->allow, i);
	return n;
}

static void
write_allowed(FILE *f, const struct config *c, int family)
{
	const char *comma = "        elements = {";
	bool six = family == AF_INET6;
	char text[NETWORK_TEXT];

	fprintf(f, "    set allow%d {\n        type ipv%d_addr\n        flags interval\n",
	    six ? 6 : 4, six ? 6 : 4);
	for (unsigned i = 0; i < c->allow.count; i++) {
		if (!of_family(&c->allow.at[i], family) || within_another(&c->allow, i))
			continue;
		fprintf(f, "%s\n            %s", comma, network_text(text, &c->allow.at[i]));
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

/* The users of the fronts, each once; their number. A user that does not exist runs nothing. */
static unsigned
front_users(const struct config *c, unsigned users[CONFIG_FRONTS])
{
	unsigned count = 0, uid, gid, i;

	for (unsigned index = 0; index < c->fronts; index++) {
		if (!front_user(c, index, &uid, &gid))
			continue;
		for (i = 0; i < count && users[i] != uid; i++)
			;
		if (i == count)
			users[count++] = uid;
	}
	return count;
}

static void
write_users(FILE *f, const unsigned *users, unsigned count)
{
	if (count == 1) {
		fprintf(f, "%u", users[0]);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		fprintf(f, "%s %u", i > 0 ? "," : "{", users[i]);
	fputs(" }", f);
}

static void
write_output(FILE *f, const struct config *c)
{
	unsigned users[CONFIG_FRONTS], user_count = relay_configured(c) ? front_users(c, users) : 0;
	uint16_t ports[RELAY_PORTS + 1];
	unsigned count, i;

	if (user_count == 0)
		return;
	count = relay_ports(c, ports);
	/*
	 * kmsd-resolve runs as the same user, and needs TCP for DNS answers that are too long for
	 * UDP.
	 */
	if (relay_has_names(c))
		ports[count++] = relay_nameserver_port(c);
	fputs(
	    "    chain output {\n        type filter hook output priority filter; policy accept;\n"
	    "        meta skuid ",
	    f);
	write_users(f, users, user_count);
	fputs(" " SYN " tcp dport != {", f);
	for (i = 0; i < count; i++)
		fprintf(f, "%s %u", i > 0 ? "," : "", ports[i]);
	fputs(" } counter drop\n    }\n", f);
}

#define MEMBER_ADDRESSES (4 * CONFIG_MEMBERS)

struct addresses {
	unsigned count;
	uint8_t at[MEMBER_ADDRESSES][16];
};

static void
add_address(struct addresses *a, const uint8_t address[16])
{
	for (unsigned i = 0; i < a->count; i++)
		if (memcmp(a->at[i], address, 16) == 0)
			return;
	if (a->count < MEMBER_ADDRESSES)
		memcpy(a->at[a->count++], address, 16);
}

/* False: a member has no address, or there is no share. */
static bool
member_addresses(struct addresses *a, const struct config *c)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	uint8_t address[16];

	a->count = 0;
	for (unsigned i = 0; share_configured(c) && i < c->share_members.count; i++) {
		const struct endpoint *m = &c->share_members.at[i];

		if (m->literal) {
			add_address(a, m->address);
			continue;
		}
		if (getaddrinfo(m->name, NULL, &hints, &list) != 0)
			return false;
		for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
			if (address_take(address, NULL, at->ai_addr))
				add_address(a, address);
		freeaddrinfo(list);
	}
	return a->count > 0;
}

static void
write_members(FILE *f, const struct addresses *a)
{
	char text[ADDRESS_TEXT];

	for (int six = 0; six < 2; six++) {
		const char *comma = "        elements = {";

		fprintf(f, "    set members%d {\n        type ipv%d_addr\n        flags interval\n",
		    six ? 6 : 4, six ? 6 : 4);
		for (unsigned i = 0; i < a->count; i++) {
			if (address_is_ipv4(a->at[i]) == (six != 0))
				continue;
			fprintf(f, "%s\n            %s", comma, address_text(text, a->at[i]));
			comma = ",";
		}
		fprintf(f, "%s    }\n", *comma == ',' ? "\n        }\n" : "");
	}
	fputs("    chain members {\n        iifname \"lo\" accept\n"
	      "        ip saddr != @members4 counter drop\n"
	      "        ip6 saddr != @members6 counter drop\n    }\n",
	    f);
}

char *
ruleset_text(const struct config *c)
{
	struct addresses members;
	bool shared = member_addresses(&members, c);
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
	if (shared)
		write_members(f, &members);
	fprintf(f,
	    "    chain input {\n        type filter hook input priority filter; policy accept;\n"
	    "        tcp dport %u jump guard\n%s    }\n",
	    c->port, shared ? "        tcp dport { 2379, 2380 } jump members\n" : "");
	write_output(f, c);
	fputs("}\n", f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
