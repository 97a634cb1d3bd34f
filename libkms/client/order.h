/*
 * order.h - KMS hosts as people and SRV records name them, and the order to try them in. Pure.
 */
#ifndef KMS_LIBKMS_CLIENT_ORDER_H
#define KMS_LIBKMS_CLIENT_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/os/net.h"

#define DISCOVER_NAME 256
#define DISCOVER_HOSTS 32     /* targets kept of one answer */
#define DISCOVER_ADDRESSES 16 /* addresses kept of one target */

struct discover_host {
	char name[DISCOVER_NAME]; /* name or numeric address */
	uint16_t port;
	uint16_t priority;
	uint16_t weight;
};

struct discover_address {
	struct sockaddr_storage to;
	socklen_t len;
};

/* A number from 0 to upper - 1. The caller gives it, so that tests can. */
typedef uint32_t discover_random(void *arg, uint32_t upper);

/* "name", "name:port", "v4:port", "[v6]", "[v6]:port", "v6". KMS_OK or KMS_E_FORMAT. */
int discover_parse(struct discover_host *out, const char *text, uint16_t port);

/* Lower priority first; within one, RFC 2782's draw by weight. */
void discover_order(struct discover_host *hosts, size_t count, discover_random *random, void *arg);

#endif
