/*
 * address.c - an address in words, the same in the log of every process and in kmsctl.
 */
#include "kmsd/common/address.h"

#include <arpa/inet.h>
#include <string.h>

const char *
address_text(char out[ADDRESS_TEXT], const uint8_t address[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	out[0] = '\0';
	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, address + 12, out, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address, out, ADDRESS_TEXT);
	return out;
}
