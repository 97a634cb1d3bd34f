/*
 * ctl_text.c - addresses as text.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/host/ctl.h"

void
ctl_address(char out[64], const uint8_t address[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t zero[16];

	if (memcmp(address, zero, 16) == 0)
		snprintf(out, 64, "-");
	else if (memcmp(address, mapped, 12) == 0)
		inet_ntop(AF_INET, address + 12, out, 64);
	else
		inet_ntop(AF_INET6, address, out, 64);
}
