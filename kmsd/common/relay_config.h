/*
 * relay_config.h - what follows from several values of kms.ini's [relay].
 */
#ifndef KMSD_COMMON_RELAY_CONFIG_H
#define KMSD_COMMON_RELAY_CONFIG_H

#include "kmsd/common/config.h"

#define RELAY_PORTS (CONFIG_ENDPOINTS + CONFIG_PORTS)
#define RELAY_PORT 1688
#define DNS_PORT 53

static inline bool
relay_configured(const struct config *c)
{
	return c->relay_upstream.count > 0 || c->relay_domain[0] != '\0';
}
/* Some of it contains names that must be resolved. */
bool relay_has_names(const struct config *c);
/* All ports that the configuration lets a front connect to; how many. */
unsigned relay_ports(const struct config *c, uint16_t out[RELAY_PORTS]);
bool relay_port_allowed(const struct config *c, uint16_t port);
/* Port of [relay] nameserver, or of DNS. */
uint16_t relay_nameserver_port(const struct config *c);
/* "address[:port]" of it into out, which is returned; NULL: the system's are asked. */
const char *relay_nameserver(const struct config *c, char out[ENDPOINT_TEXT]);
/* [relay] upstream as kms.ini would say it, for people. Returns out. */
#define RELAY_UPSTREAM_TEXT (CONFIG_ENDPOINTS * ENDPOINT_TEXT)
const char *relay_upstream_text(const struct config *c, char out[RELAY_UPSTREAM_TEXT]);

#endif
