/*
 * config_value.c - the types of kms.ini's values: text to memory with its range checked, and
 * memory to text. A type is a row of the table at the end.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "kmsd/common/config_internal.h"
#include "kmsd/common/confine.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/typo.h"

#define WRONG 128

/* Digits, then for bytes one of K M G. */
static bool
read_number(const char *text, bool suffix, uint64_t *out)
{
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (suffix && *end != '\0') {
		switch (toupper((unsigned char)*end)) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		default:
			return false;
		}
		end++;
	}
	if (*end != '\0' || *out > UINT64_MAX >> shift)
		return false;
	*out <<= shift;
	return true;
}

/*
 * A schema range "lo..hi": the table is our own, so it is well formed (test_config.c checks every
 * row).
 */
static void
range_of(const struct config_key *row, uint64_t *lo, uint64_t *hi)
{
	const char *dots = strstr(row->range, "..");
	char low[24];

	*lo = *hi = 0;
	if (dots == NULL || (size_t)(dots - row->range) >= sizeof(low))
		return;
	memcpy(low, row->range, (size_t)(dots - row->range));
	low[dots - row->range] = '\0';
	read_number(low, true, lo);
	read_number(dots + 2, true, hi);
}

static bool
read_integer(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	bool octets = strcmp(row->type, "octets") == 0;
	uint64_t v, lo, hi;

	range_of(row, &lo, &hi);
	if (!read_number(value, octets, &v) || v < lo || v > hi) {
		snprintf(wrong, WRONG, "%s, %s%s",
		    strcmp(row->type, "seconds") == 0 ? "a number of seconds"
		    : octets                          ? "a number of bytes"
						      : "a number",
		    row->range, octets ? " (suffixes K, M, G)" : "");
		return false;
	}
	if (slot->size == sizeof(uint64_t))
		memcpy(at, &v, sizeof(v));
	else if (slot->size == sizeof(uint16_t))
		memcpy(at, &(uint16_t){ (uint16_t)v }, sizeof(uint16_t));
	else
		memcpy(at, &(unsigned){ (unsigned)v }, sizeof(unsigned));
	return true;
}

static void
write_integer(const struct config_key *row, const struct config_slot *slot, const void *at,
    char *out, size_t size)
{
	static const char suffixes[] = { 'K', 'M', 'G' };
	unsigned narrow, i;
	uint16_t port;
	uint64_t v;
	int shift = 0;

	if (slot->size == sizeof(v)) {
		memcpy(&v, at, sizeof(v));
	} else if (slot->size == sizeof(port)) {
		memcpy(&port, at, sizeof(port));
		v = port;
	} else {
		memcpy(&narrow, at, sizeof(narrow));
		v = narrow;
	}
	if (strcmp(row->type, "octets") == 0)
		for (i = 0; i < sizeof(suffixes) && v != 0 && v % 1024 == 0; i++, shift++)
			v /= 1024;
	snprintf(out, size, "%" PRIu64 "%.*s", v, shift > 0 ? 1 : 0,
	    shift > 0 ? &suffixes[shift - 1] : "");
}

/* Text within the range's length and the slot; the bound on both ends of the copy. */
static bool
keep_text(const struct config_key *row, const struct config_slot *slot, void *at, const char *value)
{
	size_t len = strlen(value);
	uint64_t lo, hi;

	range_of(row, &lo, &hi);
	if (len < lo || len > hi || len >= slot->size)
		return false;
	memset(at, 0, slot->size);
	memcpy(at, value, len);
	return true;
}

static void
write_text(const struct config_key *row, const struct config_slot *slot, const void *at, char *out,
    size_t size)
{
	snprintf(out, size, "%s", (const char *)at);
}

static bool
read_directory(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	const unsigned char *c;
	size_t len = strlen(value);
	bool may_be_empty = *row->range == '0' && len == 0;
	bool plain = (value[0] == '/' || may_be_empty) && strstr(value, "/../") == NULL &&
		     !(len >= 3 && strcmp(value + len - 3, "/..") == 0);

	for (c = (const unsigned char *)value; *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7f)
			plain = false;
	if (plain && keep_text(row, slot, at, value))
		return true;
	snprintf(wrong, WRONG, "an absolute path without \"..\", %s bytes long", row->range);
	return false;
}

/* systemd's names of credentials: one component of a path. */
static bool
read_credential(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (strspn(value, good) == strlen(value) && *value != '.' &&
	    keep_text(row, slot, at, value))
		return true;
	snprintf(wrong, WRONG,
	    "the name of a credential: at most 64 letters, digits, '.', '_' or '-', and no '.' first");
	return false;
}

/* useradd(8)'s names, without characters that are special in a shell or a path. */
static bool
read_user(const struct config_key *row, const struct config_slot *slot, void *at, const char *value,
    char *wrong)
{
	bool good = *value == '\0' || islower((unsigned char)*value) || *value == '_';
	const char *c;

	for (c = value; *c != '\0'; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_' &&
		    *c != '-')
			good = false;
	if (good && keep_text(row, slot, at, value))
		return true;
	snprintf(
	    wrong, WRONG, "a %s name of a-z, 0-9, _ and -, %s bytes long", row->type, row->range);
	return false;
}

static bool
read_list(const struct config_key *row, const struct config_slot *slot, void *at, const char *value,
    char *wrong)
{
	return config_list_read(row, at, value, false, wrong);
}

static void
write_list(const struct config_key *row, const struct config_slot *slot, const void *at, char *out,
    size_t size)
{
	config_list_write(row, at, out, size);
}

/* Words for values: the range names them, as in "yes or no". */
struct word {
	const char *type;
	const char *word;
	int value;
};

static const struct word words[] = {
	{ "yes/no", "yes", 1 },
	{ "yes/no", "no", 0 },
	{ "target", "stderr", 0 },
	{ "target", "syslog", 1 },
	{ "level", "error", LOG_ERR },
	{ "level", "warning", LOG_WARNING },
	{ "level", "notice", LOG_NOTICE },
	{ "level", "info", LOG_INFO },
	{ "level", "debug", LOG_DEBUG },
};

/* Is the word nearer to value than *best, at *distance? */
static void
consider(const char *value, const char *word, const char **best, unsigned *distance)
{
	unsigned d = typo_distance(value, word);

	if (d < *distance) {
		*best = word;
		*distance = d;
	}
}

/* near: the nearest valid word, or NULL. */
static void
say_words(char *wrong, const char *lead, const char *all, const char *near)
{
	size_t len = (size_t)snprintf(wrong, WRONG, "%s%s", lead, all);

	if (near != NULL && len < WRONG)
		snprintf(wrong + len, WRONG - len, ": did you mean \"%s\"?", near);
}

/* Beyond this distance a word is not a typo: the same limit as for keys. */
static unsigned
far_from(const char *value)
{
	return 2 + (unsigned)strlen(value) / 3;
}

static bool
read_word(const struct config_key *row, const struct config_slot *slot, void *at, const char *value,
    char *wrong)
{
	unsigned distance = far_from(value);
	const char *near = NULL;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].type, row->type) != 0 || strcasecmp(words[i].word, value) != 0)
			continue;
		if (slot->size == sizeof(bool))
			memcpy(at, &(bool){ words[i].value != 0 }, sizeof(bool));
		else
			memcpy(at, &words[i].value, sizeof(int));
		return true;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].type, row->type) == 0)
			consider(value, words[i].word, &near, &distance);
	say_words(wrong, "", row->range, near);
	return false;
}

static void
write_word(const struct config_key *row, const struct config_slot *slot, const void *at, char *out,
    size_t size)
{
	int value = 0;
	bool flag;
	size_t i;

	if (slot->size == sizeof(flag)) {
		memcpy(&flag, at, sizeof(flag));
		value = flag;
	} else {
		memcpy(&value, at, sizeof(value));
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].type, row->type) == 0 && words[i].value == value)
			snprintf(out, size, "%s", words[i].word);
}

/* The layer that the first wrong name of the list is nearest to, or NULL. */
static const char *
meant_layer(const char *value)
{
	const char *near = NULL;
	unsigned distance, i;
	uint32_t layers;
	char one[32];
	size_t len;

	for (value += strspn(value, " \t"); *value != '\0';
	     value += len, value += strspn(value, " \t")) {
		len = strcspn(value, " \t");
		snprintf(one, sizeof(one), "%.*s", len < sizeof(one) ? (int)len : 0, value);
		if (confine_parse(&layers, one))
			continue;
		distance = far_from(one);
		for (i = 0; i < CONFINE_LAYERS; i++)
			consider(one, confine_layer_name(i), &near, &distance);
		break;
	}
	return near;
}

static bool
read_layers(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	char all[64];
	uint32_t layers;

	if (confine_parse(&layers, value) && keep_text(row, slot, at, value))
		return true;
	confine_names(all, sizeof(all), UINT32_MAX);
	say_words(wrong, "some of: ", all, meant_layer(value));
	return false;
}

/*
 * 42 bytes in base64: "Ed" begins the key, which base64 writes as "RW" and a third character of Q
 * to Z or a to f.
 */
static bool
read_public_key(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (strncmp(value, "RW", 2) == 0 && strspn(value, base64) == strlen(value) &&
	    keep_text(row, slot, at, value))
		return true;
	snprintf(wrong, WRONG, "a minisign public key: RW and 54 characters of base64");
	return false;
}

/* [relay]'s texts: parsed to check them, and kept as text. */
static const struct relay_text {
	const char *type;
	bool (*good)(const char *text);
	const char *wrong;
} relay_texts[] = {
	{ "upstreams", relay_upstreams_ok,
	    "host[:port][/priority[/weight]], separated by blanks, 16 at most" },
	{ "relay domain", relay_domain_ok, "a domain name" },
	{ "relay server", relay_server_ok, "an IPv4 or IPv6 address, with or without a port" },
	{ "relay ports", relay_ports_ok, "port numbers, 16 at most" },
	{ "relay networks", relay_networks_ok,
	    "networks such as 192.0.2.0/24 or 2001:db8::/32, 16 at most" },
};

static bool
read_relay(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong)
{
	const struct relay_text *t = relay_texts;

	while (strcmp(t->type, row->type) != 0)
		t++;
	if ((*value == '\0' || t->good(value)) && keep_text(row, slot, at, value))
		return true;
	snprintf(wrong, WRONG, "%s", t->wrong);
	return false;
}

static const struct type {
	const char *name;
	bool (*read)(const struct config_key *, const struct config_slot *, void *, const char *,
	    char *wrong);
	void (*write)(
	    const struct config_key *, const struct config_slot *, const void *, char *, size_t);
} types[] = {
	{ "number", read_integer, write_integer },
	{ "seconds", read_integer, write_integer },
	{ "octets", read_integer, write_integer },
	{ "port", read_integer, write_integer },
	{ "directory", read_directory, write_text },
	{ "file", read_directory, write_text },
	{ "credential", read_credential, write_text },
	{ "user", read_user, write_text },
	{ "group", read_user, write_text },
	{ "addresses", read_list, write_list },
	{ "host addresses", read_list, write_list },
	{ "domains", read_list, write_list },
	{ "networks", read_list, write_list },
	{ "host name", config_single_read, write_text },
	{ "name server", config_single_read, write_text },
	{ "interface", config_single_read, write_text },
	{ "principal", config_single_read, write_text },
	{ "yes/no", read_word, write_word },
	{ "level", read_word, write_word },
	{ "target", read_word, write_word },
	{ "layers", read_layers, write_text },
	{ "public key", read_public_key, write_text },
	{ "upstreams", read_relay, write_text },
	{ "relay domain", read_relay, write_text },
	{ "relay server", read_relay, write_text },
	{ "relay ports", read_relay, write_text },
	{ "relay networks", read_relay, write_text },
};

static const struct type *
find_type(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

bool
config_value_read(const struct config_key *row, const struct config_slot *slot, void *base,
    const char *value, char wrong[WRONG])
{
	const struct type *t = find_type(row->type);

	wrong[0] = '\0';
	return t != NULL && t->read(row, slot, (char *)base + slot->offset, value, wrong);
}

bool
config_value_add(const struct config_key *row, const struct config_slot *slot, void *base,
    const char *value, char wrong[WRONG])
{
	wrong[0] = '\0';
	return config_list_read(row, (char *)base + slot->offset, value, true, wrong);
}

void
config_value_write(const struct config_key *row, const struct config_slot *slot, const void *base,
    char *out, size_t size)
{
	const struct type *t = find_type(row->type);

	out[0] = '\0';
	if (t != NULL)
		t->write(row, slot, (const char *)base + slot->offset, out, size);
}
