/*
 * upstream.h - the KMS hosts: which one is next, which are set aside and for how long, and
 * the probes that bring them back.
 *
 * A host that cannot be connected to is set aside at once. One that closes without an answer, or
 * accepts and says nothing, may do so because of the client's bind, and one client must not take a
 * host from all others: that counts only when another host has answered the same bind, so that one
 * host is always left. Silence counts at once, since it costs each client its time; a close after
 * UPSTREAM_STRIKES binds in a row.
 */
#ifndef KMSD_FRONT_RELAY_UPSTREAM_H
#define KMSD_FRONT_RELAY_UPSTREAM_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"

#define UPSTREAM_STRIKES 5
#define UPSTREAM_BACKOFF_MAX 300 /* seconds */

struct upstreams;

struct upstream {
	struct ipc_upstream host;
	struct upstreams *all;
	bool aside;
	unsigned strikes;
	unsigned backoff; /* seconds of the last setting aside */
	uint64_t until;   /* ms: not probed before */
	int probe;        /* descriptor, -1: none */
	uint64_t probe_until;
	struct event probing;
};

struct upstreams {
	struct event_base *base;
	struct upstream at[IPC_UPSTREAMS_MAX];
	unsigned count;
	unsigned backoff; /* seconds, of the ini file */
	unsigned connect_timeout;
	uint32_t random;
	uint32_t generation; /* of the list: a bit names a place in this one */
};

void upstreams_init(struct upstreams *u, struct event_base *base, uint32_t seed);
void upstreams_free(struct upstreams *u);
/* Those that were there before keep their state. */
void upstreams_replace(struct upstreams *u, const struct ipc_upstreams *to);
/*
 * Lowest priority first, by weight within one (RFC 2782); skipping those that are set aside or in
 * tried (a bit for each place). NULL: none is left.
 */
struct upstream *upstreams_choose(struct upstreams *u, uint32_t tried);
uint32_t upstream_bit(const struct upstream *h);
/* The host of that address and port, if it is still there. */
struct upstream *upstreams_find(struct upstreams *u, const struct ipc_upstream *host);

/* A connection that is in progress or made: *fd. KMS_OK, or KMS_E_IO with errno. */
int upstream_connect(const struct ipc_upstream *host, int *fd);
void upstream_good(struct upstream *h);
/* Aside now. now: ms, monotonic. why: for the log. */
void upstream_failed(struct upstream *h, uint64_t now, const char *why);
/*
 * Another host has answered a bind that these (a bit for each place) closed, or were silent to.
 */
void upstreams_outdone(struct upstreams *u, uint32_t closed, uint32_t silent, uint64_t now);
/* Once a second: probe those whose time has come. */
void upstreams_tick(struct upstreams *u, uint64_t now);
/* "name [address] port 1688" */
#define UPSTREAM_TEXT 128
const char *upstream_text(char out[UPSTREAM_TEXT], const struct ipc_upstream *host);

#endif
