/*
 * config_list.c - values of kms.ini that name machines: addresses, networks, DNS names, a name
 * server, a network interface; one of them or a list. Each is kept as it is compared and printed:
 * in lower case, addresses in their shortest form, a network's host bits zero.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/config_internal.h"

#define WRONG 128
#define BLANKS " \t,"

/* Digits 0..9 only, no sign, no leading zero, so that a number has one form. */
static bool
small_number(const char *text, unsigned long max, unsigned long *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return false;
	*out = strtoul(text, NULL, 10);
	return *out <= max;
}

static bool
address_of(char *out, size_t size, const char *word)
{
	unsigned char binary[16];
	int family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;

	return inet_pton(family, word, binary) == 1 &&
	       inet_ntop(family, binary, out, (socklen_t)size) != NULL;
}

/* An address that a host can publish: one that means this machine for other machines. */
static bool
host_address_of(char *out, size_t size, const char *word)
{
	unsigned char b[16];
	int family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;

	if (!address_of(out, size, word) || inet_pton(family, word, b) != 1)
		return false;
	if (family == AF_INET)
		return b[0] != 0 && b[0] < 224;
	return b[0] != 0xff && strcmp(out, "::") != 0;
}

static bool
network_of(char *out, size_t size, const char *word)
{
	char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];
	const char *slash = strchr(word, '/');
	size_t len = slash != NULL ? (size_t)(slash - word) : strlen(word);
	int family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;
	unsigned long bits, all = family == AF_INET ? 32 : 128, i;
	unsigned char b[16];

	bits = all;
	if (len >= sizeof(address) || (slash != NULL && !small_number(slash + 1, all, &bits)))
		return false;
	memcpy(address, word, len);
	address[len] = '\0';
	if (inet_pton(family, address, b) != 1)
		return false;
	for (i = bits; i < all; i++)
		if (b[i / 8] & 0x80 >> i % 8)
			return false;
	inet_ntop(family, b, text, sizeof(text));
	if (bits == all)
		return (size_t)snprintf(out, size, "%s", text) < size;
	return (size_t)snprintf(out, size, "%s/%lu", text, bits) < size;
}

/*
 * RFC 1123's names, and the underscore that Windows allows; the last label distinguishes a name
 * from an address.
 */
static bool
name_of(char *out, size_t size, const char *word)
{
	size_t len = strlen(word), i, label = 0;
	bool letter = false;

	if (len > 1 && word[len - 1] == '.')
		len--;
	if (len == 0 || len > 253 || len >= size)
		return false;
	for (i = 0; i < len; i++) {
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

/* A host's own name has a domain: it is what records point to. */
static bool
host_name_of(char *out, size_t size, const char *word)
{
	return name_of(out, size, word) && strchr(out, '.') != NULL;
}

/* "name", "name:port", "v4", "v4:port", "v6", "[v6]:port" */
static bool
server_of(char *out, size_t size, const char *word)
{
	char host[256], canonical[254];
	const char *port = NULL, *close;
	unsigned long number;
	size_t len = strlen(word);

	if (len >= size || len >= sizeof(host))
		return false;
	if (address_of(out, size, word))
		return true;
	close = *word == '[' ? strchr(word, ']') : NULL;
	if (*word == '[' && (close == NULL || (close[1] != '\0' && close[1] != ':')))
		return false;
	port = strchr(close != NULL ? close : word, ':');
	if (port != NULL && (!small_number(port + 1, 65535, &number) || number == 0))
		return false;
	snprintf(host, sizeof(host), "%.*s",
	    (int)(close != NULL  ? close - word - 1
		  : port != NULL ? port - word
				 : (ptrdiff_t)len),
	    word + (close != NULL));
	if (close != NULL
		? strchr(host, ':') == NULL || !address_of(canonical, sizeof(canonical), host)
		: !address_of(canonical, sizeof(canonical), host) &&
		      !name_of(canonical, sizeof(canonical), host))
		return false;
	return (size_t)snprintf(out, size, close != NULL ? "[%s]%s" : "%s%s", canonical,
		   port != NULL ? port : "") < size;
}

/* What the kernel accepts (dev_valid_name) and nft accepts in quotes. */
static bool
interface_of(char *out, size_t size, const char *word)
{
	size_t len = strlen(word), i;

	if (len == 0 || len >= size || strcmp(word, ".") == 0 || strcmp(word, "..") == 0)
		return false;
	for (i = 0; i < len; i++)
		if (!isascii((unsigned char)word[i]) ||
		    (!isalnum((unsigned char)word[i]) && strchr("_.-@", word[i]) == NULL))
			return false;
	memcpy(out, word, len + 1);
	return true;
}

/*
 * NAME@REALM with slashes, and AD's dollar: no character that is special in .k5identity or for
 * nsupdate.
 */
static bool
principal_of(char *out, size_t size, const char *word)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(word), part, at = 0;

	if (len >= size)
		return false;
	for (;; at++) {
		part = strspn(word + at, good);
		at += part;
		part += strspn(word + at, "$");
		at += strspn(word + at, "$");
		if (part == 0 || word[at] != '/')
			break;
	}
	if (part == 0 || word[at] != '@' || strspn(word + at + 1, good) != len - at - 1 ||
	    word[at + 1] == '\0')
		return false;
	memcpy(out, word, len + 1);
	return true;
}

/* Lists by the type's name; a list's count has a field of its own. */
static const struct list {
	const char *type;
	size_t at, count, width;
	bool (*read)(char *out, size_t size, const char *word);
	const char *what; /* after the range */
} lists[] = {
	{ "addresses", offsetof(struct config, address), offsetof(struct config, address_count),
	    sizeof(((struct config *)0)->address[0]), address_of,
	    "different IPv4 or IPv6 addresses separated by blanks" },
	{ "host addresses", offsetof(struct config, dns_address),
	    offsetof(struct config, dns_address_count),
	    sizeof(((struct config *)0)->dns_address[0]), host_address_of,
	    "different IPv4 or IPv6 addresses of this host separated by blanks" },
	{ "domains", offsetof(struct config, dns_domain), offsetof(struct config, dns_domain_count),
	    sizeof(((struct config *)0)->dns_domain[0]), name_of,
	    "different DNS names separated by blanks" },
	{ "networks", offsetof(struct config, allow), offsetof(struct config, allow_count),
	    sizeof(((struct config *)0)->allow[0]), network_of,
	    "different networks as ADDRESS/BITS, no bit set beyond BITS, separated by blanks" },
};

static const struct single {
	const char *type;
	bool (*read)(char *out, size_t size, const char *word);
	const char *what;
} singles[] = {
	{ "host name", host_name_of, "a DNS name with its domain, at most 253 bytes" },
	{ "name server", server_of, "a name or an address, with :PORT when it is not 53" },
	{ "principal", principal_of, "a Kerberos principal with its realm, NAME@REALM" },
	{ "interface", interface_of, "a network interface's name, at most 15 bytes" },
};

static const struct list *
list_of(const struct config_key *row)
{
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].type, row->type) == 0)
			return &lists[i];
	return NULL;
}

bool
config_list_repeats(const struct config_key *row)
{
	return strcmp(row->type, "domains") == 0 || strcmp(row->type, "networks") == 0;
}

static bool
append(const struct list *l, struct config *c, unsigned *count, const char *word, unsigned max)
{
	char canonical[256], *items = (char *)c + l->at;
	unsigned i;

	memset(canonical, 0, sizeof(canonical));
	if (*count == max || !l->read(canonical, l->width, word))
		return false;
	for (i = 0; i < *count; i++)
		if (strcmp(items + i * l->width, canonical) == 0)
			return false;
	memcpy(items + *count * l->width, canonical, l->width);
	++*count;
	return true;
}

bool
config_list_read(const struct config_key *row, void *at, const char *value, bool more, char *wrong)
{
	const struct list *l = list_of(row);
	struct config *c = (struct config *)((char *)at - l->at);
	unsigned max = (unsigned)strtoul(strstr(row->range, "..") + 2, NULL, 10), count, given = 0;
	char word[256];
	size_t len;

	memcpy(&count, (char *)c + l->count, sizeof(count));
	if (!more) {
		memset(at, 0, max * l->width);
		count = 0;
	}
	for (value += strspn(value, BLANKS); *value != '\0'; value += strspn(value, BLANKS)) {
		len = strcspn(value, BLANKS);
		if (len >= sizeof(word))
			goto bad;
		memcpy(word, value, len);
		word[len] = '\0';
		if (!append(l, c, &count, word, max))
			goto bad;
		given++;
		value += len;
	}
	memcpy((char *)c + l->count, &count, sizeof(count));
	if (given > 0 || (*row->range == '0' && !more))
		return true;
bad:
	snprintf(wrong, WRONG, "%s %s", row->range, l->what);
	return false;
}

void
config_list_write(const struct config_key *row, const void *at, char *out, size_t size)
{
	const struct list *l = list_of(row);
	const char *items = at;
	unsigned count, i;
	size_t used = 0;

	memcpy(&count, (const char *)at - l->at + l->count, sizeof(count));
	out[0] = '\0';
	for (i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(
		    out + used, size - used, "%s%s", i ? " " : "", items + i * l->width);
}

bool
config_single_read(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	char canonical[256];
	size_t i;

	memset(canonical, 0, sizeof(canonical));
	for (i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		if (strcmp(singles[i].type, row->type) != 0)
			continue;
		if (*value == '\0' || singles[i].read(canonical, slot->size, value)) {
			memcpy(at, canonical, slot->size);
			return true;
		}
		snprintf(wrong, WRONG, "%s; or empty", singles[i].what);
	}
	return false;
}
