/*
 * client_address.h - a client's address as 16 bytes (IPv4 as ::ffff:a.b.c.d), and as text for
 * the log.
 */
#ifndef KMSD_FRONT_CLIENT_ADDRESS_H
#define KMSD_FRONT_CLIENT_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEER_TEXT (INET6_ADDRSTRLEN + sizeof(" port 65535"))

void peer_from_sockaddr(uint8_t address[16], uint16_t *port, const struct sockaddr_storage *ss);
/* "192.0.2.1 port 4711"; returns out. */
const char *peer_text(char out[PEER_TEXT], const uint8_t address[16], uint16_t port);

#endif
