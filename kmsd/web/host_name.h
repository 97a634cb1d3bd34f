/*
 * host_name.h - the Host header of a request, against DNS rebinding: a page of somebody else's,
 * whose name suddenly means this machine, is known by its name. So a request must name an address,
 * localhost, or one of [web] hosts.
 */
#ifndef KMSD_WEB_HOST_NAME_H
#define KMSD_WEB_HOST_NAME_H

#include <stdbool.h>

struct config;

/* host: the header; NULL: the request has none. */
bool host_allowed(const struct config *c, const char *host);
/* An Origin header, if there is one: only a page of ours may ask. */
bool origin_allowed(const char *origin, const char *host);

#endif
