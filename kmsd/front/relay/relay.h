/*
 * relay.h - the relay's part of a front: what the ini file and kmsd say, and what its
 * conversations share. Windows clients speak DCE/RPC on the port of the native protocol (the
 * first byte tells them apart); they are connected to the organisation's own KMS host, which
 * answers.
 */
#ifndef KMSD_FRONT_RELAY_RELAY_H
#define KMSD_FRONT_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/relay_config.h"
#include "kmsd/front/relay/pdu.h"
#include "kmsd/front/relay/upstream.h"
#include "kmsd/front/throttle.h"

struct connection;
struct front;

/* What the relay does for a connection that is relayed. */
struct relay_calls {
	/* The first bytes, of which the first is 5: the connection is now the relay's, or closed.
	 */
	void (*open)(struct connection *c, const uint8_t *data, size_t len);
	void (*event)(struct connection *c, short what); /* the client's socket is ready */
	void (*free)(struct connection *c);              /* the connection closes */
	/* A client waits for an answer, so the conversation is not closed at a stop. */
	bool (*busy)(const struct connection *c);
};

struct relay {
	const struct relay_calls *calls; /* NULL: not configured; a reload does not change it */
	struct upstreams upstreams;
	struct throttle throttle; /* per_source of [relay] */
	struct config_networks allow;
	unsigned connect_timeout, answer_timeout;
	uint64_t reported_at; /* second, and how many were reported in it */
	unsigned reported;
	uint64_t kept_back;
	/* receive buffer, used when no bytes are left over */
	uint8_t scratch[2 * PDU_MAX];
};

/* KMS_OK or KMS_E_NO_MEMORY. */
int relay_init(struct front *f, const struct config *c, uint64_t seed);
void relay_limits(struct front *f, const struct config *c); /* also after a reload */
void relay_free(struct front *f);
/* The list of hosts from kmsd. */
int relay_hosts_changed(struct front *f, int fd);
void relay_hosts_are(struct front *f, const struct ipc_upstreams *list);
void relay_tick(struct front *f);

#endif
