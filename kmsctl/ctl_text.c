/*
 * ctl_text.c - identifiers and addresses as text.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/ctl.h"

void
ctl_hex(char *out, const uint8_t *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[octets[i] >> 4];
		*out++ = digits[octets[i] & 15];
	}
	*out = '\0';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
ctl_unhex(uint8_t *out, size_t len, const char *text)
{
	size_t i;

	if (strlen(text) != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		if (digit(text[2 * i]) < 0 || digit(text[2 * i + 1]) < 0)
			return false;
		out[i] = (uint8_t)(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
	}
	return true;
}

void
ctl_uuid(char out[37], const uint8_t id[16])
{
	static const size_t octets[] = { 4, 2, 2, 2, 6 };
	size_t i, at = 0;

	for (i = 0; i < 5; i++) {
		ctl_hex(out, id + at, octets[i]);
		out += 2 * octets[i];
		at += octets[i];
		if (i < 4)
			*out++ = '-';
	}
}

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
