/*
 * relay_config.c - see relay_config.h.
 */
#include "kmsd/common/relay_config.h"

#include <string.h>

static void
add_port(uint16_t *out, unsigned *count, uint16_t port)
{
	for (unsigned i = 0; i < *count; i++)
		if (out[i] == port)
			return;
	out[(*count)++] = port;
}

unsigned
relay_ports(const struct config *c, uint16_t out[RELAY_PORTS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < c->relay_upstream.count; i++)
		add_port(out, &count, c->relay_upstream.at[i].port);
	/* Only DNS can give a port that is not in the ini file. */
	for (unsigned i = 0; c->relay_domain[0] != '\0' && i < c->relay_ports.count; i++)
		add_port(out, &count, c->relay_ports.at[i]);
	return count;
}

bool
relay_port_allowed(const struct config *c, uint16_t port)
{
	uint16_t ports[RELAY_PORTS];
	unsigned count = relay_ports(c, ports);

	for (unsigned i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

bool
relay_has_names(const struct config *c)
{
	for (unsigned i = 0; i < c->relay_upstream.count; i++)
		if (!c->relay_upstream.at[i].literal)
			return true;
	return c->relay_domain[0] != '\0';
}

uint16_t
relay_nameserver_port(const struct config *c)
{
	return c->relay_nameserver.port != 0 ? c->relay_nameserver.port : DNS_PORT;
}

const char *
relay_nameserver(const struct config *c, char out[ENDPOINT_TEXT])
{
	if (c->relay_nameserver.port == 0)
		return NULL;
	return endpoint_text(out, &c->relay_nameserver, DNS_PORT);
}

const char *
relay_upstream_text(const struct config *c, char out[RELAY_UPSTREAM_TEXT])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->relay_upstream.count; i++) {
		if (i > 0)
			out[used++] = ' ';
		endpoint_text(out + used, &c->relay_upstream.at[i], RELAY_PORT);
		used += strlen(out + used);
	}
	return out;
}
