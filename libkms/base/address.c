/*
 * address.c - see address.h.
 */
#include "libkms/base/address.h"

#include <stdio.h>
#include <string.h>

bool
address_is_ipv4(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static void
map_v4(uint8_t out[16], const void *v4)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, v4, 4);
}

bool
address_parse(uint8_t out[16], const char *text)
{
	uint8_t v4[4];

	memset(out, 0, 16);
	if (inet_pton(AF_INET, text, v4) == 1) {
		map_v4(out, v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	memset(out, 0, 16); /* Windows leaves what it could read */
	return false;
}

const char *
address_text(char out[ADDRESS_TEXT], const uint8_t address[16])
{
	bool v4 = address_is_ipv4(address);

	return inet_ntop(v4 ? AF_INET : AF_INET6, address + (v4 ? 12 : 0), out, ADDRESS_TEXT);
}

const char *
address_port_text(char out[ADDRESS_PORT_TEXT], const uint8_t address[16], uint16_t port)
{
	char text[ADDRESS_TEXT];

	snprintf(out, ADDRESS_PORT_TEXT, "%s port %u", address_text(text, address), port);
	return out;
}

uint64_t
address_source(const uint8_t address[16])
{
	/* ::ffff:a.b.c.d gives 0000:ffff:a.b.c.d, a prefix that no IPv6 host has. */
	size_t from = address_is_ipv4(address) ? 8 : 0;
	uint64_t key = 0;

	for (size_t i = 0; i < 8; i++)
		key = key << 8 | address[from + i];
	return key;
}

const char *
address_source_text(char out[ADDRESS_SOURCE_TEXT], const uint8_t address[16])
{
	uint8_t prefix[16] = { 0 };

	if (address_is_ipv4(address))
		return address_text(out, address);
	memcpy(prefix, address, 8);
	address_text(out, prefix);
	return strcat(out, "/64");
}

uint32_t
address_hash(uint64_t source, uint64_t seed)
{
	/* splitmix64's finish over the seeded key */
	uint64_t x = source ^ seed;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ x >> 31);
}

bool
address_take(uint8_t out[16], uint16_t *port, const struct sockaddr *sa)
{
	struct sockaddr_in v4 = { 0 };
	struct sockaddr_in6 v6;

	memset(out, 0, 16);
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		map_v4(out, &v4.sin_addr);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		memcpy(out, &v6.sin6_addr, 16);
		v4.sin_port = v6.sin6_port;
	}
	if (port != NULL)
		*port = ntohs(v4.sin_port);
	return sa->sa_family == AF_INET || sa->sa_family == AF_INET6;
}

socklen_t
address_give(struct sockaddr_storage *out, const uint8_t address[16], uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(out, 0, sizeof(*out));
	if (address_is_ipv4(address)) {
		memcpy(&v4.sin_addr, address + 12, 4);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, address, 16);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

bool
address_is_nowhere(const uint8_t address[16])
{
	static const uint8_t nowhere[16], mapped[16] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, nowhere, 16) == 0 || memcmp(address, mapped, 16) == 0;
}

bool
address_listens(const uint8_t listening[16], const uint8_t address[16])
{
	return address_is_nowhere(listening) || memcmp(listening, address, 16) == 0;
}
