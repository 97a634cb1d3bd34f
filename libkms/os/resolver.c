/*
 * resolver.c - what is kept of an answer, the same on every system.
 */
#include "libkms/os/resolver.h"

#include <string.h>

#include "libkms/base/wire.h"

/* What DNS says is printed later. A root target means that the service is explicitly not available
 * here. */
void
resolver_keep_srv(
    struct resolver_answer *a, const char *name, uint16_t port, uint16_t priority, uint16_t weight)
{
	size_t len = strlen(name);
	struct discover_host *h;

	if (a->count == DISCOVER_HOSTS || len == 0 || strcmp(name, ".") == 0 ||
	    len >= sizeof(h->name) || port == 0 || !wire_text_ok(name, len))
		return;
	h = &a->hosts[a->count++];
	memcpy(h->name, name, len + 1);
	h->port = port;
	h->priority = priority;
	h->weight = weight;
}

void
resolver_keep_address(struct resolver_answer *a, const struct sockaddr *address, size_t len)
{
	struct discover_address *to;

	if (a->count == DISCOVER_ADDRESSES || len > sizeof(to->to))
		return;
	to = &a->addresses[a->count++];
	memset(&to->to, 0, sizeof(to->to));
	memcpy(&to->to, address, len);
	to->len = (socklen_t)len;
}
