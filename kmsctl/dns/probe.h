/*
 * probe.h - does a host answer at an address? TCP, and a HELLO where a kmsd is expected.
 */
#ifndef KMSCTL_DNS_PROBE_H
#define KMSCTL_DNS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/client/discover.h"

struct probe {
	bool reached;     /* TCP */
	bool serves;      /* a kmsd that has a certificate for the publisher */
	char address[96]; /* "ADDRESS port N" */
	char state[192];  /* in words */
};

/*
 * hello: also send a HELLO as a client of publisher does (its key id; zeros: the only one).
 * deadline is of clock_ms; one connection gets no more than a few seconds of it.
 */
void probe_address(struct probe *p, const struct discover_address *a, bool hello,
    const uint8_t publisher[8], int64_t deadline);

#endif
