/*
 * network.c - see network.h.
 */
#include "kmsd/common/network.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/number.h"

/* len digits without a leading zero: so that a number has one form. */
static bool
number(const char *text, size_t len, unsigned max, unsigned *out)
{
	const char *end = text;
	uint64_t v;

	if ((len > 1 && text[0] == '0') || !number_prefix(&v, max, &end) || end != text + len)
		return false;
	*out = (unsigned)v;
	return true;
}

/* -- networks -- */

bool
network_is_ipv4(const struct network *n)
{
	return n->bits >= 96 && address_is_ipv4(n->address);
}

bool
network_ok(const struct network *n)
{
	if (n->bits > 128)
		return false;
	for (unsigned bit = n->bits; bit < 128; bit++)
		if (n->address[bit / 8] & 0x80 >> bit % 8)
			return false;
	return true;
}

bool
network_parse(struct network *out, const char *word)
{
	const char *slash = strchr(word, '/');
	size_t len = slash != NULL ? (size_t)(slash - word) : strlen(word);
	unsigned all = strchr(word, ':') != NULL ? 128 : 32, bits = all;
	char address[ADDRESS_TEXT];

	memset(out, 0, sizeof(*out));
	if (len >= sizeof(address) ||
	    (slash != NULL && !number(slash + 1, strlen(slash + 1), all, &bits)))
		return false;
	memcpy(address, word, len);
	address[len] = '\0';
	out->bits = (uint8_t)(128 - all + bits);
	return address_parse(out->address, address) && network_ok(out);
}

const char *
network_text(char out[NETWORK_TEXT], const struct network *n)
{
	unsigned bits = network_is_ipv4(n) ? n->bits - 96u : n->bits;
	char address[ADDRESS_TEXT];

	if (n->bits == 128)
		return address_text(out, n->address);
	snprintf(out, NETWORK_TEXT, "%s/%u", address_text(address, n->address), bits);
	return out;
}

bool
network_has(const struct network *n, const uint8_t address[16])
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->address, address, whole) != 0)
		return false;
	return rest == 0 || ((n->address[whole] ^ address[whole]) & 0xff << (8 - rest) & 0xff) == 0;
}

bool
networks_have(const struct network *list, unsigned count, const uint8_t address[16])
{
	for (unsigned i = 0; i < count; i++)
		if (network_has(&list[i], address))
			return true;
	return false;
}

bool
network_within(const struct network *inner, const struct network *outer)
{
	return network_is_ipv4(inner) == network_is_ipv4(outer) && inner->bits >= outer->bits &&
	       network_has(outer, inner->address);
}

/* -- names -- */

bool
dns_name_parse(char *out, size_t size, const char *word)
{
	size_t len = strlen(word), label = 0;
	bool letter = false;

	if (len > 1 && word[len - 1] == '.')
		len--;
	if (len == 0 || len >= DNS_NAME || len >= size)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)word[i];

		out[i] = (char)tolower(c);
		if (c == '.') {
			if (label == 0 || word[i - 1] == '-')
				return false;
			label = 0;
			letter = false;
			continue;
		}
		if (!isascii(c) || (!isalnum(c) && c != '_' && (c != '-' || label == 0)) ||
		    ++label > 63)
			return false;
		letter = letter || !isdigit(c);
	}
	out[len] = '\0';
	return label > 0 && letter && word[len - 1] != '-';
}

/* -- endpoints -- */

/* Where the port begins in word, NULL: there is none; *bracket: its host is in brackets. */
static bool
find_port(const char *word, const char **port, bool *bracket)
{
	const char *close = word[0] == '[' ? strchr(word, ']') : NULL, *colon;

	*port = NULL;
	*bracket = close != NULL;
	if (word[0] == '[') {
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		*port = close[1] == ':' ? close + 2 : NULL;
		return true;
	}
	colon = strchr(word, ':');
	/* More than one colon: an IPv6 address without a port. */
	if (colon != NULL && strchr(colon + 1, ':') == NULL)
		*port = colon + 1;
	return true;
}

static bool
read_host(struct endpoint *out, const char *host, bool bracket)
{
	out->literal = address_parse(out->address, host);
	if (bracket && (!out->literal || strchr(host, ':') == NULL))
		return false;
	if (out->literal)
		return address_text(out->name, out->address)[0] != '\0';
	memset(out->address, 0, sizeof(out->address));
	return dns_name_parse(out->name, sizeof(out->name), host);
}

bool
endpoint_parse(struct endpoint *out, const char *word, uint16_t port)
{
	char host[DNS_NAME + 3];
	const char *text;
	unsigned value = port;
	size_t len;
	bool bracket;

	memset(out, 0, sizeof(*out));
	if (!find_port(word, &text, &bracket))
		return false;
	if (text != NULL && (!number(text, strlen(text), 65535, &value) || value == 0))
		return false;
	len = (text != NULL ? (size_t)(text - word) - 1 : strlen(word)) - 2u * bracket;
	if (len >= sizeof(host))
		return false;
	memcpy(host, word + bracket, len);
	host[len] = '\0';
	out->port = (uint16_t)value;
	return read_host(out, host, bracket);
}

bool
endpoint_parse_ranked(struct endpoint *out, const char *word, uint16_t port)
{
	const char *slash = strchr(word, '/');
	unsigned priority = 0, weight = 0;
	size_t len = slash != NULL ? (size_t)(slash - word) : strlen(word);
	char host[ENDPOINT_TEXT];

	if (len >= sizeof(host))
		return false;
	if (slash != NULL) {
		size_t n = strcspn(slash + 1, "/");
		const char *second = slash[1 + n] == '/' ? slash + n + 2 : NULL;

		if (!number(slash + 1, n, 65535, &priority) ||
		    (second != NULL && !number(second, strlen(second), 65535, &weight)))
			return false;
	}
	memcpy(host, word, len);
	host[len] = '\0';
	if (!endpoint_parse(out, host, port))
		return false;
	out->priority = (uint16_t)priority;
	out->weight = (uint16_t)weight;
	return true;
}

const char *
endpoint_text(char out[ENDPOINT_TEXT], const struct endpoint *e, uint16_t port)
{
	bool bracket = e->port != port && strchr(e->name, ':') != NULL;
	int n = snprintf(out, ENDPOINT_TEXT, bracket ? "[%s]" : "%s", e->name);

	if (e->port != port)
		n += snprintf(out + n, ENDPOINT_TEXT - (size_t)n, ":%u", e->port);
	if (e->priority != 0 || e->weight != 0)
		n += snprintf(out + n, ENDPOINT_TEXT - (size_t)n, "/%u", e->priority);
	if (e->weight != 0)
		snprintf(out + n, ENDPOINT_TEXT - (size_t)n, "/%u", e->weight);
	return out;
}
