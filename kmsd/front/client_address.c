/*
 * client_address.c - a client's address, as 16 bytes and as text.
 */
#include "kmsd/front/client_address.h"

#include <stdio.h>
#include <string.h>

#include "libkms/base/address.h"

void
peer_from_sockaddr(uint8_t address[16], uint16_t *port, const struct sockaddr_storage *ss)
{
	struct sockaddr_in v4;
	bool internet = address_take(address, (const struct sockaddr *)ss);

	/* The port is at the same place in both. */
	memcpy(&v4, ss, sizeof(v4));
	*port = internet ? ntohs(v4.sin_port) : 0;
}

const char *
peer_text(char out[PEER_TEXT], const uint8_t address[16], uint16_t port)
{
	char host[ADDRESS_TEXT];

	snprintf(out, PEER_TEXT, "%s port %u", address_text(host, address), port);
	return out;
}
