/*
 * proxy.h - the header with which a balancer tells the client's address: the PROXY protocol,
 * versions 1 and 2 (proxy-protocol.txt of HAProxy, sections 2.1 and 2.2). Pure.
 */
#ifndef KMSD_FRONT_PROXY_H
#define KMSD_FRONT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a header, at most: that of version 2 with as many TLVs as the specification asks for. */
#define PROXY_MAX 536

struct proxy_header {
	bool named; /* false: the balancer's own connection (LOCAL, UNKNOWN), and no address follows
		     */
	uint8_t address[16]; /* of the client, IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	size_t size; /* bytes of the header */
};

/*
 * The header at data, of which len bytes have come, at least one. KMS_OK; KMS_E_TIMEOUT: more must
 * come; KMS_E_FORMAT: this is no header, or one of another protocol than TCP.
 */
int proxy_parse(struct proxy_header *out, const uint8_t *data, size_t len);

#endif
