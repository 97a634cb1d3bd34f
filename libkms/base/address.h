/*
 * address.h - an IP address as 16 bytes (IPv4 as ::ffff:a.b.c.d), as sockets have it and as people
 * write it.
 */
#ifndef KMS_LIBKMS_BASE_ADDRESS_H
#define KMS_LIBKMS_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/os/net.h"

#define ADDRESS_TEXT INET6_ADDRSTRLEN
#define ADDRESS_PORT_TEXT (ADDRESS_TEXT + sizeof(" port 65535"))

/* IPv4 or IPv6, as inet_pton(3) takes them. False, and zeros: neither. */
bool address_parse(uint8_t out[16], const char *text);
/* Returns out. */
const char *address_text(char out[ADDRESS_TEXT], const uint8_t address[16]);
/* "192.0.2.1 port 4711"; returns out. */
const char *address_port_text(
    char out[ADDRESS_PORT_TEXT], const uint8_t address[16], uint16_t port);
/* The source that limits apply to: an IPv4 address, or the /64 of an IPv6 address. */
uint64_t address_source(const uint8_t address[16]);
#define ADDRESS_SOURCE_TEXT (ADDRESS_TEXT + sizeof("/64"))
/* That source as a network: "192.0.2.1", "2001:db8::/64". Returns out. */
const char *address_source_text(char out[ADDRESS_SOURCE_TEXT], const uint8_t address[16]);
/* Of a source, for a table; with a random seed nobody can choose sources that collide. */
uint32_t address_hash(uint64_t source, uint64_t seed);
bool address_is_ipv4(const uint8_t address[16]);
/* Of an IPv4 or IPv6 socket address, and its port unless that is NULL. False, and zeros: others. */
bool address_take(uint8_t out[16], uint16_t *port, const struct sockaddr *sa);
/* The other way round. Returns the length of the socket address. */
socklen_t address_give(struct sockaddr_storage *out, const uint8_t address[16], uint16_t port);
/* 0.0.0.0 or ::, which is no address, but which connect(2) takes as this machine. */
bool address_is_nowhere(const uint8_t address[16]);
/* An interface of this machine has the address, or it is in 127.0.0.0/8. */
bool address_is_own(const uint8_t address[16]);
/* A socket that listens on an address (0.0.0.0 and :: mean every one) gets connections to it. */
bool address_listens(const uint8_t listening[16], const uint8_t address[16]);

#endif
