/*
 * relay_config.c - [relay]'s lists. Words are separated by blanks or commas; each is bounded
 * before it is copied.
 */
#include "kmsd/common/relay_config.h"

#include <string.h>

#include "libkms/base/address.h"

#define WORD 96
#define DNS_PORT 53

/* The next word of *text; false at the end. One that is too long comes out as "". */
static bool
next_word(const char **text, char out[WORD])
{
	size_t len;

	*text += strspn(*text, " \t,");
	len = strcspn(*text, " \t,");
	if (len == 0)
		return false;
	out[0] = '\0';
	if (len < WORD) {
		memcpy(out, *text, len);
		out[len] = '\0';
	}
	*text += len;
	return true;
}

static bool
number(const char *text, size_t len, unsigned max, unsigned *out)
{
	*out = 0;
	if (len == 0 || len > 6)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(text[i] - '0');
	}
	return *out <= max;
}

bool
relay_name_octets(const char *text)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

	return text[strspn(text, good)] == '\0';
}

static bool
host_name_ok(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max && relay_name_octets(text) && text[0] != '.' &&
	       text[0] != '-' && strstr(text, "..") == NULL;
}

/* name, name:port, v4, v4:port, v6, [v6], [v6]:port into h; the word is cut. */
static bool
split_port(char *word, struct relay_host *h)
{
	char *name = word, *colon = strchr(word, ':');
	unsigned port = RELAY_PORT;

	if (word[0] == '[') {
		char *close = strchr(word, ']');

		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		colon = close[1] == ':' ? close + 1 : NULL;
		*close = '\0';
		name = word + 1;
		if (strchr(name, ':') == NULL)
			return false;
	} else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
		colon = NULL; /* an IPv6 address without a port */
	}
	if (colon != NULL) {
		if (!number(colon + 1, strlen(colon + 1), 65535, &port) || port == 0)
			return false;
		*colon = '\0';
	}
	h->port = (uint16_t)port;
	h->literal = address_parse(h->address, name);
	if (strlen(name) >= sizeof(h->name) || (!h->literal && !host_name_ok(name, 64)))
		return false;
	/* 192.0.2 or 1688 would be looked up in DNS as a name, but is a typing mistake */
	if (!h->literal && strspn(name, "0123456789.") == strlen(name))
		return false;
	memset(h->name, 0, sizeof(h->name));
	memcpy(h->name, name, strlen(name));
	return true;
}

static bool
read_host(char *word, struct relay_host *h)
{
	char *slash = strchr(word, '/');
	unsigned priority = 0, weight = 0;

	if (slash != NULL) {
		size_t len = strcspn(slash + 1, "/");

		if (!number(slash + 1, len, 65535, &priority))
			return false;
		if (slash[1 + len] == '/' &&
		    !number(slash + len + 2, strlen(slash + len + 2), 65535, &weight))
			return false;
		*slash = '\0';
	}
	h->priority = (uint16_t)priority;
	h->weight = (uint16_t)weight;
	return split_port(word, h);
}

int
relay_hosts(const char *text, struct relay_host out[RELAY_HOSTS])
{
	char word[WORD];
	int count = 0;

	while (next_word(&text, word)) {
		if (count == RELAY_HOSTS || word[0] == '\0' || !read_host(word, &out[count]))
			return -1;
		for (int i = 0; i < count; i++)
			if (strcmp(out[i].name, out[count].name) == 0 &&
			    out[i].port == out[count].port)
				return -1;
		count++;
	}
	return count;
}

/* Host bits must be zero: 10.1.2.3/8 is a mistake that would let a whole network in. */
static bool
host_bits_clear(const struct relay_network *n)
{
	for (unsigned bit = n->bits; bit < 128; bit++)
		if (n->address[bit / 8] & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool
read_network(char *word, struct relay_network *n)
{
	char *slash = strchr(word, '/');
	bool v6 = strchr(word, ':') != NULL;
	unsigned bits = v6 ? 128 : 32;

	if (slash != NULL) {
		if (!number(slash + 1, strlen(slash + 1), bits, &bits))
			return false;
		*slash = '\0';
	}
	n->bits = (uint8_t)(v6 ? bits : bits + 96);
	return address_parse(n->address, word) && host_bits_clear(n);
}

int
relay_networks(const char *text, struct relay_network out[RELAY_NETWORKS])
{
	char word[WORD];
	int count = 0;

	while (next_word(&text, word)) {
		if (count == RELAY_NETWORKS || word[0] == '\0' || !read_network(word, &out[count]))
			return -1;
		count++;
	}
	return count;
}

bool
relay_in_network(const struct relay_network *n, const uint8_t address[16])
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->address, address, whole) != 0)
		return false;
	return rest == 0 || ((n->address[whole] ^ address[whole]) & 0xff << (8 - rest) & 0xff) == 0;
}

static bool
add_port(uint16_t *out, unsigned *count, uint16_t port)
{
	for (unsigned i = 0; i < *count && i < RELAY_PORTS; i++)
		if (out[i] == port)
			return true;
	if (*count < RELAY_PORTS)
		out[*count] = port;
	(*count)++;
	return *count <= RELAY_PORTS;
}

static unsigned
collect_ports(const struct config *c, uint16_t out[RELAY_PORTS])
{
	struct relay_host hosts[RELAY_HOSTS];
	int hosts_count = relay_hosts(c->relay_upstream, hosts);
	const char *text = c->relay_ports;
	unsigned count = 0, port;
	char word[WORD];

	for (int i = 0; i < hosts_count; i++)
		add_port(out, &count, hosts[i].port);
	/* Only DNS can give a port that is not in the ini file. */
	while (c->relay_domain[0] != '\0' && next_word(&text, word))
		if (number(word, strlen(word), 65535, &port))
			add_port(out, &count, (uint16_t)port);
	return count;
}

unsigned
relay_port_count(const struct config *c)
{
	uint16_t ports[RELAY_PORTS];

	return collect_ports(c, ports);
}

unsigned
relay_ports(const struct config *c, uint16_t out[RELAY_PORTS])
{
	unsigned count = collect_ports(c, out);

	return count < RELAY_PORTS ? count : RELAY_PORTS;
}

bool
relay_port_allowed(const struct config *c, uint16_t port)
{
	uint16_t ports[RELAY_PORTS];
	unsigned count = relay_ports(c, ports);

	for (unsigned i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

bool
relay_has_names(const struct config *c)
{
	struct relay_host hosts[RELAY_HOSTS];
	int count = relay_hosts(c->relay_upstream, hosts);

	for (int i = 0; i < count; i++)
		if (!hosts[i].literal)
			return true;
	return c->relay_domain[0] != '\0';
}

bool
relay_upstreams_ok(const char *text)
{
	struct relay_host hosts[RELAY_HOSTS];

	return relay_hosts(text, hosts) > 0;
}

bool
relay_networks_ok(const char *text)
{
	struct relay_network networks[RELAY_NETWORKS];

	return relay_networks(text, networks) > 0;
}

bool
relay_domain_ok(const char *text)
{
	return host_name_ok(text, 190);
}

bool
relay_server_ok(const char *text)
{
	struct relay_host hosts[RELAY_HOSTS];

	return strchr(text, '/') == NULL && relay_hosts(text, hosts) == 1 && hosts[0].literal;
}

bool
relay_ports_ok(const char *text)
{
	unsigned count = 0, port;
	char word[WORD];

	while (next_word(&text, word)) {
		if (!number(word, strlen(word), 65535, &port) || port == 0 || count == 16)
			return false;
		count++;
	}
	return count > 0;
}

/* Without a port, relay_hosts takes that of KMS. */
uint16_t
relay_server_port(const char *text)
{
	struct relay_host hosts[RELAY_HOSTS];
	const char *bracket = strchr(text, ']');
	const char *colon = strchr(bracket != NULL ? bracket : text, ':');
	bool named = colon != NULL && (bracket != NULL || strchr(colon + 1, ':') == NULL);

	return named && relay_hosts(text, hosts) == 1 ? hosts[0].port : DNS_PORT;
}
