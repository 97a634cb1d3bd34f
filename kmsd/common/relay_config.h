/*
 * relay_config.h - the texts of kms.ini's [relay] section, parsed: hosts, ports, networks.
 */
#ifndef KMSD_COMMON_RELAY_CONFIG_H
#define KMSD_COMMON_RELAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/config.h"

#define RELAY_HOSTS 16
#define RELAY_PORTS 32
#define RELAY_NETWORKS 16
#define RELAY_PORT 1688

struct relay_host {
	char name[65]; /* of a host, or an address without brackets */
	bool literal;
	uint8_t address[16]; /* of a literal, IPv4 as ::ffff:a.b.c.d */
	uint16_t port, priority, weight;
};
struct relay_network {
	uint8_t address[16];
	uint8_t bits; /* of the 128 */
};

static inline bool
relay_configured(const struct config *c)
{
	return c->relay_upstream[0] != '\0' || c->relay_domain[0] != '\0';
}
/* Some of it contains names that must be resolved. */
bool relay_has_names(const struct config *c);

/* How many, or -1 when the text is not valid. */
int relay_hosts(const char *text, struct relay_host out[RELAY_HOSTS]);
int relay_networks(const char *text, struct relay_network out[RELAY_NETWORKS]);
/* All ports that the configuration lets a front connect to. */
unsigned relay_ports(const struct config *c, uint16_t out[RELAY_PORTS]);
bool relay_port_allowed(const struct config *c, uint16_t port);
unsigned relay_port_count(const struct config *c); /* may be more than RELAY_PORTS */
/* Port of [relay] nameserver, or of DNS. */
uint16_t relay_server_port(const char *text);
/* Are all characters valid in a host name in DNS? */
bool relay_name_octets(const char *text);
bool relay_in_network(const struct relay_network *n, const uint8_t address[16]);

/* For the schema. */
bool relay_upstreams_ok(const char *text);
bool relay_domain_ok(const char *text);
bool relay_server_ok(const char *text);
bool relay_ports_ok(const char *text);
bool relay_networks_ok(const char *text);

#endif
