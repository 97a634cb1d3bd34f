/*
 * peer.c - a client's address, in the one form that travels and in the form that people read.
 */
#include "kmsd/front/peer.h"

#include <stdio.h>
#include <string.h>

#include "kmsd/common/address.h"

void
peer_from_sockaddr(uint8_t address[16], uint16_t *port, const struct sockaddr_storage *ss)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(address, 0, 16);
	*port = 0;
	if (ss->ss_family == AF_INET) {
		memcpy(&v4, ss, sizeof(v4));
		memset(address + 10, 0xff, 2);
		memcpy(address + 12, &v4.sin_addr, 4);
		*port = ntohs(v4.sin_port);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(&v6, ss, sizeof(v6));
		memcpy(address, &v6.sin6_addr, 16);
		*port = ntohs(v6.sin6_port);
	}
}

const char *
peer_text(char out[PEER_TEXT], const uint8_t address[16], uint16_t port)
{
	char host[ADDRESS_TEXT];

	snprintf(out, PEER_TEXT, "%s port %u", address_text(host, address), port);
	return out;
}
