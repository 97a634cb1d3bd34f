/*
 * host_name.c - see host_name.h.
 */
#include "kmsd/web/host_name.h"

#include <string.h>

#include "kmsd/common/config.h"
#include "kmsd/common/network.h"

bool
host_allowed(const struct config *c, const char *host)
{
	struct endpoint e;

	if (host == NULL || !endpoint_parse(&e, host, 80))
		return false;
	if (e.literal || strcmp(e.name, "localhost") == 0)
		return true;
	for (unsigned i = 0; i < c->web_hosts.count; i++)
		if (strcmp(c->web_hosts.at[i], e.name) == 0)
			return true;
	return false;
}

bool
origin_allowed(const char *origin, const char *host)
{
	const char *name;

	if (origin == NULL)
		return true;
	if (strncmp(origin, "http://", 7) == 0)
		name = origin + 7;
	else if (strncmp(origin, "https://", 8) == 0)
		name = origin + 8;
	else
		return false;
	return strcasecmp(name, host) == 0;
}
