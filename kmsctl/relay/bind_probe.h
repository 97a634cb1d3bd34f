/*
 * bind_probe.h - tries one KMS host as a Windows client would: TCP, and a bind of the KMS
 * interface. Nothing is requested.
 */
#ifndef KMSCTL_RELAY_BIND_PROBE_H
#define KMSCTL_RELAY_BIND_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "libkms/client/discover.h"

struct bind_probe {
	bool connected; /* TCP */
	bool serves;    /* the bind was accepted */
	char text[224]; /* in words */
};

/* patience_ms: for the connection, and as long for the answer. */
void bind_probe(struct bind_probe *r, const struct discover_address *a, int patience_ms);
/* The best of several addresses of one host; returns how many of them do not serve. */
size_t bind_probe_best(
    struct bind_probe *best, const struct discover_address *a, size_t count, int patience_ms);

#endif
