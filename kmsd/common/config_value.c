/*
 * config_value.c - the types of kms.ini's values. A type is a row of the table at the end: its
 * name in kms.ini(5), how it is read and how it is written.
 */
#include "kmsd/common/config_value.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "kmsd/common/confine.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/ipc/share_verbs.h"
#include "libkms/base/number.h"
#include "libkms/base/typo.h"

#define BLANKS " \t,"
#define WORD ENDPOINT_TEXT /* bytes of one word of a list, and its end */
#define UPSTREAM_NAME 64   /* bytes of a KMS host's name: what the ledger keeps of it */
#define MEMBER_PORT 2379   /* of etcd, for its clients */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define NAME LETTERS DIGITS "._-"

static void *
field(const struct ini_key *key, void *record)
{
	return (char *)record + key->offset;
}

static bool __attribute__((format(printf, 4, 5)))
expected(struct ini_reader *r, const struct ini_key *key, const char *value, const char *fmt, ...)
{
	char what[FAULT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return ini_expected(r, key, value, what);
}

/* -- numbers -- */

static bool
read_seconds(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return ini_number_of(r, key, record, value, " seconds");
}

/* Digits and d; 0 needs no unit. */
static bool
read_days(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	const char *s = value;
	char what[120];
	uint64_t v;
	bool number = number_prefix(&v, UINT64_MAX, &s),
	     ok = number && strcmp(s, v == 0 && *s == 0 ? "" : "d") == 0;

	if (number && *s == '\0' && v != 0) {
		snprintf(what, sizeof(what), "a number of days with its unit: write %s = %.20sd",
		    key->name, value);
		return ini_expected(r, key, value, what);
	}
	return ini_store(r, key, record, value, ok, v, " days, such as 7d");
}

/* Digits, then perhaps one of K M G. */
static bool
bytes_parse(uint64_t *out, const char *value)
{
	static const char suffixes[] = "KMG";
	const char *s;

	if (!number_prefix(out, UINT64_MAX, &value))
		return false;
	if (*value == '\0')
		return true;
	s = strchr(suffixes, toupper((unsigned char)*value));
	if (s == NULL || value[1] != '\0' || *out > UINT64_MAX >> 10 * (s - suffixes + 1))
		return false;
	*out <<= 10 * (s - suffixes + 1);
	return true;
}

static const char *
bytes_text(char out[24], uint64_t v)
{
	const char *suffix = "";

	for (const char *s = "KMG"; *s != '\0' && v != 0 && v % 1024 == 0; s++) {
		v /= 1024;
		suffix = s;
	}
	snprintf(out, 24, "%" PRIu64 "%.1s", v, suffix);
	return out;
}

static bool
read_bytes(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char lo[24], hi[24];
	uint64_t v = 0;

	if (!bytes_parse(&v, value) || v < key->min || v > key->max)
		return expected(r, key, value, "a number from %s to %s bytes (suffixes K, M, G)",
		    bytes_text(lo, key->min), bytes_text(hi, key->max));
	return ini_store(r, key, record, value, true, v, "");
}

/* BURST/REFILL, or 0. */
static bool
read_rate(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct rate rate = { 0 };
	uint64_t burst = 0, refill = 0;
	const char *s = value;
	bool ok = number_prefix(&burst, key->max, &s);

	if (ok && burst > 0)
		ok = *s++ == '/' && number_prefix(&refill, key->max, &s) && refill > 0;
	if (!ok || *s != '\0')
		return expected(r, key, value,
		    "two numbers from 1 to %" PRIu64 " as BURST/REFILL, such as 20000/20; or 0",
		    key->max);
	rate.burst = (uint32_t)burst;
	rate.refill = (uint32_t)refill;
	memcpy(field(key, record), &rate, sizeof(rate));
	return true;
}

static void
write_rate(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	const struct rate *rate = at;

	snprintf(out, CONFIG_VALUE, rate->burst > 0 ? "%" PRIu32 "/%" PRIu32 : "0", rate->burst,
	    rate->refill);
}

static uint64_t
number_at(const struct config_key *k, const void *at)
{
	switch (k->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)at;
	case sizeof(uint16_t):
		return *(const uint16_t *)at;
	case sizeof(uint32_t):
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void
write_number(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	snprintf(out, CONFIG_VALUE, "%" PRIu64, number_at(k, at));
}

static void
write_days(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	uint64_t v = number_at(k, at);

	snprintf(out, CONFIG_VALUE, "%" PRIu64 "%s", v, v > 0 ? "d" : "");
}

static void
write_bytes(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	bytes_text(out, number_at(k, at));
}

/* -- words for numbers -- */

struct word {
	const char *word;
	unsigned value;
};

static const struct words {
	const char *range; /* all of them, for people */
	struct word at[8]; /* ends with NULL */
} yes_no = { "yes or no", { { "yes", true }, { "no", false } } },
  targets = { "stderr or syslog", { { "stderr", false }, { "syslog", true } } },
  levels = { "error, warning, notice, info or debug",
	  { { "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	      { "info", LOG_INFO }, { "debug", LOG_DEBUG } } },
  alone = { "serve, renew or refuse",
	  { { "serve", CONFIG_ALONE_SERVE }, { "renew", CONFIG_ALONE_RENEW },
	      { "refuse", CONFIG_ALONE_REFUSE } } };

static const struct words *const words_of[KEY_TYPES] = {
	[KEY_YES_NO] = &yes_no,
	[KEY_LEVEL] = &levels,
	[KEY_TARGET] = &targets,
	[KEY_ALONE] = &alone,
};

/* all: what may be given; then the word of them that was meant, if one is near. */
static bool
expected_word(struct ini_reader *r, const struct ini_key *key, const char *value, const char *all,
    const struct typo *near)
{
	if (near->name != NULL)
		return expected(r, key, value, "%s: did you mean \"%s\"?", all, near->name);
	return ini_expected(r, key, value, all);
}

static bool
read_word(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    const struct words *words)
{
	struct typo near = typo_of(value);
	const struct word *w;

	for (w = words->at; w->word != NULL; w++) {
		if (strcasecmp(w->word, value) == 0)
			return ini_store(r, key, record, value, true, w->value, "");
		typo_try(&near, w->word);
	}
	return expected_word(r, key, value, words->range, &near);
}

static bool
read_yes_no(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_word(r, key, record, value, &yes_no);
}

static bool
read_target(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_word(r, key, record, value, &targets);
}

static bool
read_level(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_word(r, key, record, value, &levels);
}

static bool
read_alone(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_word(r, key, record, value, &alone);
}

static void
write_word(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	const struct word *w = words_of[k->type]->at;

	while (w->word != NULL && w->value != number_at(k, at))
		w++;
	snprintf(out, CONFIG_VALUE, "%s", w->word != NULL ? w->word : "");
}

/* The layer that the first wrong name of the list is nearest to. */
static struct typo
meant_layer(const char *value, char one[32])
{
	struct typo near = typo_of(one);
	uint32_t layers;

	for (value += strspn(value, " \t"); *value != '\0';
	     value += strcspn(value, " \t"), value += strspn(value, " \t")) {
		size_t len = strcspn(value, " \t");

		snprintf(one, 32, "%.*s", len < 32 ? (int)len : 0, value);
		if (confine_parse(&layers, one))
			continue;
		near = typo_of(one);
		for (unsigned i = 0; i < CONFINE_LAYERS; i++)
			typo_try(&near, confine_layer_name(i));
		break;
	}
	return near;
}

static bool
read_layers(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char all[64], text[80], one[32] = "";
	struct typo near;
	uint32_t layers;

	if (confine_parse(&layers, value))
		return ini_store(r, key, record, value, true, layers, "");
	confine_names(all, sizeof(all), UINT32_MAX);
	snprintf(text, sizeof(text), "some of: %s", all);
	near = meant_layer(value, one);
	return expected_word(r, key, value, text, &near);
}

static void
write_layers(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	confine_names(out, CONFIG_VALUE, *(const uint32_t *)at);
}

/* -- text -- */

/* Within the bounds of the row; the bound on both ends of the copy. */
static bool
keep_text(const struct ini_key *key, void *record, const char *value)
{
	size_t len = strlen(value);

	if (len < key->min || len > key->max || len >= key->size)
		return false;
	memset(field(key, record), 0, key->size);
	memcpy(field(key, record), value, len);
	return true;
}

static void
write_text(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	snprintf(out, CONFIG_VALUE, "%s", (const char *)at);
}

static bool
read_path(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	size_t len = strlen(value);
	bool plain = (value[0] == '/' || len == 0) && strstr(value, "/../") == NULL &&
		     !(len >= 3 && strcmp(value + len - 3, "/..") == 0);

	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			plain = false;
	if (plain && keep_text(key, record, value))
		return true;
	return expected(r, key, value,
	    "an absolute path without \"..\", %" PRIu64 " to %" PRIu64 " bytes long", key->min,
	    key->max);
}

/* systemd's names of credentials: one component of a path. */
static bool
read_credential(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if (value[strspn(value, NAME)] == '\0' && *value != '.' && keep_text(key, record, value))
		return true;
	return ini_expected(r, key, value,
	    "the name of a credential: at most 64 letters, digits, '.', '_' or '-', and no '.' first");
}

/* useradd(8)'s names, without characters that are special in a shell or a path. */
static bool
read_account(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    const char *kind)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz" DIGITS "_-";
	bool first = *value == '\0' || islower((unsigned char)*value) || *value == '_';

	if (first && value[strspn(value, good)] == '\0' && keep_text(key, record, value))
		return true;
	return expected(r, key, value,
	    "a %s name of a-z, 0-9, _ and -, %" PRIu64 " to %" PRIu64 " bytes long", kind, key->min,
	    key->max);
}

static bool
read_user(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_account(r, key, record, value, "user");
}

static bool
read_group(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_account(r, key, record, value, "group");
}

/*
 * 42 bytes in base64: "Ed" begins the key, which base64 writes as "RW" and a third character of Q
 * to Z or a to f.
 */
static bool
read_public_key(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if (strncmp(value, "RW", 2) == 0 && value[strspn(value, LETTERS DIGITS "+/")] == '\0' &&
	    keep_text(key, record, value))
		return true;
	return ini_expected(r, key, value, "a minisign public key: RW and 54 characters of base64");
}

static bool
read_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if (value[strspn(value, NAME)] == '\0' && keep_text(key, record, value))
		return true;
	return expected(r, key, value,
	    "a name of %" PRIu64 " to %" PRIu64 " letters, digits, '.', '_' or '-'", key->min,
	    key->max);
}

static bool
read_share_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if ((*value == '\0' || share_name_ok(value, strlen(value))) &&
	    keep_text(key, record, value))
		return true;
	return expected(r, key, value,
	    "a name of at most %d characters of a-z, 0-9 and '-', no '-' first; or empty",
	    SHARE_NAME);
}

/* What the kernel accepts (dev_valid_name) and nft accepts in quotes. */
static bool
read_interface(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if (value[strspn(value, NAME "@")] == '\0' && strcmp(value, ".") != 0 &&
	    strcmp(value, "..") != 0 && keep_text(key, record, value))
		return true;
	return ini_expected(
	    r, key, value, "a network interface's name, at most 15 bytes; or empty");
}

/*
 * NAME@REALM with slashes, and AD's dollar: no character that is special in .k5identity or for
 * nsupdate.
 */
static bool
principal_ok(const char *word)
{
	size_t part, at = 0;

	for (;; at++) {
		part = strspn(word + at, NAME);
		at += part;
		part += strspn(word + at, "$");
		at += strspn(word + at, "$");
		if (part == 0 || word[at] != '/')
			break;
	}
	return part > 0 && word[at] == '@' && word[at + 1] != '\0' &&
	       word[at + 1 + strspn(word + at + 1, NAME)] == '\0';
}

static bool
read_principal(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	if ((*value == '\0' || principal_ok(value)) && keep_text(key, record, value))
		return true;
	return ini_expected(
	    r, key, value, "a Kerberos principal with its realm, NAME@REALM; or empty");
}

static bool
read_domain(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char name[DNS_NAME] = "";

	if ((*value == '\0' || dns_name_parse(name, sizeof(name), value)) &&
	    keep_text(key, record, name))
		return true;
	return expected(
	    r, key, value, "a domain name, at most %" PRIu64 " bytes; or empty", key->max);
}

/* A host's own name has a domain: it is what records point to. */
static bool
read_host_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char name[DNS_NAME] = "";

	if ((*value == '\0' ||
		(dns_name_parse(name, sizeof(name), value) && strchr(name, '.') != NULL)) &&
	    keep_text(key, record, name))
		return true;
	return ini_expected(
	    r, key, value, "a DNS name with its domain, at most 253 bytes; or empty");
}

/* -- one server -- */

static bool
read_server(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    bool literal, const char *what)
{
	struct endpoint e = { .port = 0 };

	if (*value != '\0' && (!endpoint_parse(&e, value, DNS_PORT) || (literal && !e.literal)))
		return ini_expected(r, key, value, what);
	memcpy(field(key, record), &e, sizeof(e));
	return true;
}

static bool
read_name_server(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_server(r, key, record, value, false,
	    "a name or an address, with :PORT when it is not 53; or empty");
}

static bool
read_resolver(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_server(r, key, record, value, true,
	    "an IPv4 or IPv6 address, with :PORT when it is not 53; or empty");
}

static void
write_server(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	const struct endpoint *e = at;

	out[0] = '\0';
	if (e->port != 0)
		endpoint_text(out, e, DNS_PORT);
}

/* -- lists -- */

static bool
parse_address(void *out, const char *word)
{
	return address_parse(out, word);
}

/* An address that a host can publish: one that means this machine for other machines. */
static bool
parse_host_address(void *out, const char *word)
{
	const uint8_t *b = out;

	if (!address_parse(out, word) || address_is_nowhere(b))
		return false;
	return strchr(word, ':') != NULL ? b[0] != 0xff : b[12] != 0 && b[12] < 224;
}

static bool
parse_domain(void *out, const char *word)
{
	return dns_name_parse(out, DNS_NAME, word);
}

static bool
parse_network(void *out, const char *word)
{
	return network_parse(out, word);
}

static bool
parse_upstream(void *out, const char *word)
{
	return endpoint_parse_ranked(out, word, RELAY_PORT) &&
	       strlen(((struct endpoint *)out)->name) <= UPSTREAM_NAME;
}

/* With a name that goes to kmsd-share. */
static bool
parse_member(void *out, const char *word)
{
	const struct endpoint *e = out;

	return endpoint_parse(out, word, MEMBER_PORT) && e->port != 0 &&
	       strlen(e->name) <= IPC_UPSTREAM_NAME &&
	       !(e->literal && address_is_nowhere(e->address));
}

/* Where a socket is bound: names would have to be looked up. */
static bool
parse_listen(void *out, const char *word)
{
	const struct endpoint *e = out;

	return endpoint_parse(out, word, 0) && e->literal && e->port != 0;
}

static bool
parse_port(void *out, const char *word)
{
	uint64_t port = 0;

	*(uint16_t *)out = number_parse(&port, UINT16_MAX, word) ? (uint16_t)port : 0;
	return port > 0;
}

/* What a name may have, and the wildcards: a control character is in no name. */
static bool
parse_pattern(void *out, const char *word)
{
	size_t len = strlen(word);

	if (len == 0 || len > CONFIG_PATTERN)
		return false;
	for (const char *c = word; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	memset(out, 0, CONFIG_PATTERN + 1);
	memcpy(out, word, len);
	return true;
}

static void
text_address(char out[CONFIG_VALUE], const void *at)
{
	address_text(out, at);
}

static void
text_domain(char out[CONFIG_VALUE], const void *at)
{
	snprintf(out, CONFIG_VALUE, "%s", (const char *)at);
}

static void
text_network(char out[CONFIG_VALUE], const void *at)
{
	network_text(out, at);
}

static void
text_upstream(char out[CONFIG_VALUE], const void *at)
{
	endpoint_text(out, at, RELAY_PORT);
}

static void
text_member(char out[CONFIG_VALUE], const void *at)
{
	endpoint_text(out, at, MEMBER_PORT);
}

static void
text_listen(char out[CONFIG_VALUE], const void *at)
{
	endpoint_text(out, at, 0);
}

static void
text_port(char out[CONFIG_VALUE], const void *at)
{
	snprintf(out, CONFIG_VALUE, "%u", *(const uint16_t *)at);
}

/* Two hosts of one name and port are one, whatever their priority. */
static bool
same_upstream(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;

	return x->port == y->port && strcmp(x->name, y->name) == 0;
}

/* Every list begins with its count; its words follow, each of width bytes. */
static const struct list {
	size_t first, width;
	bool (*parse)(void *out, const char *word);
	void (*text)(char out[CONFIG_VALUE], const void *at);
	bool (*same)(const void *a, const void *b); /* NULL: as memory */
	const char *what;                           /* after the range */
} lists[KEY_TYPES] = {
#define LIST(list) offsetof(struct list, at), sizeof(((struct list *)0)->at[0])
	[KEY_ADDRESS_LIST] = { LIST(config_addresses), parse_address, text_address, NULL,
	    "different IPv4 or IPv6 addresses separated by blanks" },
	[KEY_HOST_ADDRESS_LIST] = { LIST(config_addresses), parse_host_address, text_address, NULL,
	    "different IPv4 or IPv6 addresses of this host separated by blanks" },
	[KEY_DOMAIN_LIST] = { LIST(config_domains), parse_domain, text_domain, NULL,
	    "different DNS names separated by blanks" },
	[KEY_NETWORK_LIST] = { LIST(config_networks), parse_network, text_network, NULL,
	    "different networks as ADDRESS/BITS, no bit set beyond BITS, separated by blanks" },
	[KEY_UPSTREAM_LIST] = { LIST(config_endpoints), parse_upstream, text_upstream,
	    same_upstream,
	    "different hosts as host[:port][/priority[/weight]], separated by blanks" },
	[KEY_PORT_LIST] = { LIST(config_ports), parse_port, text_port, NULL,
	    "different port numbers separated by blanks" },
	[KEY_LISTEN_LIST] = { LIST(config_endpoints), parse_listen, text_listen, same_upstream,
	    "different addresses with their ports, such as 127.0.0.1:1690 or [::1]:1690, separated by blanks" },
	[KEY_MEMBER_LIST] = { LIST(config_endpoints), parse_member, text_member, same_upstream,
	    "different hosts as host[:port], separated by blanks" },
	[KEY_PATTERN_LIST] = { LIST(config_patterns), parse_pattern, text_domain, NULL,
	    "different names of at most 64 bytes, with * and ?, separated by blanks" },
#undef LIST
};

static char *
word_at(const struct list *l, const void *list, unsigned i)
{
	return (char *)(uintptr_t)list + l->first + i * l->width;
}

/* The next word of *text; false at the end. One that is too long comes out as "". */
static bool
next_word(const char **text, char out[WORD])
{
	size_t len;

	*text += strspn(*text, BLANKS);
	if ((len = strcspn(*text, BLANKS)) == 0)
		return false;
	snprintf(out, WORD, "%.*s", len < WORD ? (int)len : 0, *text);
	*text += len;
	return true;
}

static bool
add_word(const struct list *l, void *list, unsigned max, const char *word)
{
	unsigned *count = list;
	char *fresh;
	bool good;

	if (*count == max)
		return false;
	fresh = word_at(l, list, *count);
	good = l->parse(fresh, word);
	for (unsigned i = 0; good && i < *count; i++)
		good = !(l->same != NULL ? l->same(word_at(l, list, i), fresh)
					 : memcmp(word_at(l, list, i), fresh, l->width) == 0);
	if (good)
		++*count;
	else
		memset(fresh, 0, l->width);
	return good;
}

/* The first line takes the place of the default, and each further one adds. */
static bool
read_list(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    enum config_type type)
{
	const struct list *l = &lists[type];
	void *list = field(key, record);
	char word[WORD];
	const char *rest = value;
	unsigned given = 0;
	bool good = true;

	if (!r->again)
		memset(list, 0, key->size);
	for (; good && next_word(&rest, word); given++)
		good = add_word(l, list, (unsigned)key->max, word);
	if (good && (given > 0 || (key->min == 0 && !r->again)))
		return true;
	return expected(
	    r, key, value, "%" PRIu64 " to %" PRIu64 " %s", key->min, key->max, l->what);
}

static bool
read_addresses(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_ADDRESS_LIST);
}

static bool
read_host_addresses(
    struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_HOST_ADDRESS_LIST);
}

static bool
read_domains(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_DOMAIN_LIST);
}

static bool
read_networks(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_NETWORK_LIST);
}

static bool
read_upstreams(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_UPSTREAM_LIST);
}

static bool
read_ports(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_PORT_LIST);
}

static bool
read_listen(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_LISTEN_LIST);
}

static bool
read_members(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_MEMBER_LIST);
}

static bool
read_patterns(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return read_list(r, key, record, value, KEY_PATTERN_LIST);
}

static void
write_list(char out[CONFIG_VALUE], const struct config_key *k, const void *at)
{
	const struct list *l = &lists[k->type];
	char word[CONFIG_VALUE];
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < *(const unsigned *)at && used < CONFIG_VALUE; i++) {
		l->text(word, word_at(l, at, i));
		used += (size_t)snprintf(
		    out + used, CONFIG_VALUE - used, "%s%s", i > 0 ? " " : "", word);
	}
}

/* -- the table -- */

static const struct type {
	const char *name;
	config_reads *read;
	void (*write)(char out[CONFIG_VALUE], const struct config_key *k, const void *at);
	bool repeats;
} types[KEY_TYPES] = {
	[KEY_NUMBER] = { "number", ini_number, write_number, false },
	[KEY_SECONDS] = { "seconds", read_seconds, write_number, false },
	[KEY_DAYS] = { "days", read_days, write_days, false },
	[KEY_BYTES] = { "bytes", read_bytes, write_bytes, false },
	[KEY_RATE] = { "rate", read_rate, write_rate, false },
	[KEY_PORT] = { "port", ini_number, write_number, false },
	[KEY_YES_NO] = { "yes/no", read_yes_no, write_word, false },
	[KEY_LEVEL] = { "level", read_level, write_word, false },
	[KEY_TARGET] = { "target", read_target, write_word, false },
	[KEY_LAYERS] = { "layers", read_layers, write_layers, false },
	[KEY_DIRECTORY] = { "directory", read_path, write_text, false },
	[KEY_FILE] = { "file", read_path, write_text, false },
	[KEY_CREDENTIAL] = { "credential", read_credential, write_text, false },
	[KEY_USER] = { "user", read_user, write_text, false },
	[KEY_GROUP] = { "group", read_group, write_text, false },
	[KEY_PUBLIC_KEY] = { "public key", read_public_key, write_text, false },
	[KEY_INTERFACE] = { "interface", read_interface, write_text, false },
	[KEY_PRINCIPAL] = { "principal", read_principal, write_text, false },
	[KEY_DOMAIN] = { "domain", read_domain, write_text, false },
	[KEY_HOST_NAME] = { "host name", read_host_name, write_text, false },
	[KEY_NAME_SERVER] = { "name server", read_name_server, write_server, false },
	[KEY_RESOLVER] = { "resolver", read_resolver, write_server, false },
	[KEY_ADDRESS_LIST] = { "addresses", read_addresses, write_list, false },
	[KEY_HOST_ADDRESS_LIST] = { "host addresses", read_host_addresses, write_list, false },
	[KEY_DOMAIN_LIST] = { "domains", read_domains, write_list, true },
	[KEY_NETWORK_LIST] = { "networks", read_networks, write_list, true },
	[KEY_UPSTREAM_LIST] = { "upstreams", read_upstreams, write_list, true },
	[KEY_PORT_LIST] = { "ports", read_ports, write_list, false },
	[KEY_LISTEN_LIST] = { "listen addresses", read_listen, write_list, false },
	[KEY_NAME] = { "name", read_name, write_text, false },
	[KEY_PATTERN_LIST] = { "names", read_patterns, write_list, true },
	[KEY_SHARE_NAME] = { "share", read_share_name, write_text, false },
	[KEY_MEMBER_LIST] = { "members", read_members, write_list, true },
	[KEY_ALONE] = { "mode", read_alone, write_word, false },
};

config_reads *
config_value_reader(const struct config_key *k)
{
	return types[k->type].read;
}

bool
config_value_repeats(const struct config_key *k)
{
	return types[k->type].repeats;
}

void
config_value_text(char out[CONFIG_VALUE], const struct config_key *k, const void *record)
{
	types[k->type].write(out, k, (const char *)record + k->offset);
}

const char *
config_type_name(enum config_type type)
{
	return types[type].name;
}

const char *
config_range(char out[CONFIG_RANGE], const struct config_key *k)
{
	char lo[24], hi[24];

	if (words_of[k->type] != NULL)
		snprintf(out, CONFIG_RANGE, "%s", words_of[k->type]->range);
	else if (k->type == KEY_LAYERS)
		snprintf(out, CONFIG_RANGE, "0..%d", CONFINE_LAYERS);
	else if (k->type == KEY_BYTES)
		snprintf(
		    out, CONFIG_RANGE, "%s..%s", bytes_text(lo, k->min), bytes_text(hi, k->max));
	else
		snprintf(out, CONFIG_RANGE, "%" PRIu64 "..%" PRIu64, k->min, k->max);
	return out;
}
