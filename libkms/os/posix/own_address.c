/*
 * own_address.c - which addresses this machine has; see address.h.
 */
#include <ifaddrs.h>
#include <string.h>

#include "libkms/base/address.h"

/* All of 127.0.0.0/8 belongs to this machine, but an interface has only one of these addresses. */
static bool
is_loopback(const uint8_t address[16])
{
	return address_is_ipv4(address) && address[12] == 127;
}

bool
address_is_own(const uint8_t address[16])
{
	struct ifaddrs *all, *i;
	uint8_t one[16];
	bool own = false;

	if (is_loopback(address))
		return true;
	if (getifaddrs(&all) == -1)
		return false;
	for (i = all; i != NULL && !own; i = i->ifa_next)
		own = i->ifa_addr != NULL && address_take(one, NULL, i->ifa_addr) &&
		      memcmp(one, address, 16) == 0;
	freeifaddrs(all);
	return own;
}
