/*
 * network.h - who and where in a network, as kms.ini names it: addresses, networks, DNS names and
 * endpoints. Each is read once, into what it means, and written in one way.
 *
 * An address is 16 bytes, IPv4 as ::ffff:a.b.c.d (libkms/base/address.h). Every reader takes one
 * whole word or nothing, and leaves no byte of what it fills undefined: two that are equal compare
 * equal as memory.
 */
#ifndef KMSD_COMMON_NETWORK_H
#define KMSD_COMMON_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/address.h"

#define DNS_NAME 254 /* a DNS name without its last dot, and its end */
#define NETWORK_TEXT (ADDRESS_TEXT + 4)
#define ENDPOINT_TEXT (DNS_NAME + 24)

/* Host bits are zero: 10.1.2.3/8 is a mistake that would let a whole network in. */
struct network {
	uint8_t address[16];
	uint8_t bits; /* of the 128 */
};

/* A host and a port of it; among others, one of the lowest priority is drawn by weight. */
struct endpoint {
	char name[DNS_NAME]; /* of a host in lower case, or its address without brackets */
	bool literal;        /* an address, which follows */
	uint8_t address[16];
	uint16_t port; /* 0: there is none */
	uint16_t priority, weight;
};

/* "10.0.0.0/8", "2001:db8::/32"; without "/BITS" a single address. */
bool network_parse(struct network *out, const char *word);
/* Returns out. */
const char *network_text(char out[NETWORK_TEXT], const struct network *n);
bool network_ok(const struct network *n); /* for one that was not read by network_parse */
bool network_is_ipv4(const struct network *n);
bool network_has(const struct network *n, const uint8_t address[16]);
/* One of the count networks at list has it. */
bool networks_have(const struct network *list, unsigned count, const uint8_t address[16]);
/* All of inner is in outer, which is of the same family. */
bool network_within(const struct network *inner, const struct network *outer);

/*
 * RFC 1123's names, and the underscore that Windows allows; the last label distinguishes a name
 * from an address. In lower case into out, without the dot at its end.
 */
bool dns_name_parse(char *out, size_t size, const char *word);

/*
 * "name", "name:port", "v4", "v4:port", "v6", "[v6]", "[v6]:port"; port is that of one that names
 * none. endpoint_parse_ranked: "/priority" or "/priority/weight" may follow.
 */
bool endpoint_parse(struct endpoint *out, const char *word, uint16_t port);
bool endpoint_parse_ranked(struct endpoint *out, const char *word, uint16_t port);
/* What reads back as the same with the same port. Returns out. */
const char *endpoint_text(char out[ENDPOINT_TEXT], const struct endpoint *e, uint16_t port);

#endif
