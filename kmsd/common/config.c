/*
 * config.c - kms.ini to struct config by the schema's table. inih splits lines into keys and
 * values; everything that it would silently accept (lines that it cuts, continuation lines,
 * unknown sections, text after a bracket) is checked here first, so that each becomes an error
 * with its line.
 */
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/common/config_internal.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/file.h"
#include "libkms/base/typo.h"
#include "libkms/kms_error.h"

#define PUBLISHER "publisher"
#define ROWS_MAX 64
#define LINE_OCTETS 198 /* inih's buffer is 200 */

struct parse {
	struct config *c;
	struct config_error *errors;
	unsigned max, count;
	const char *at, *end; /* text not read yet */
	int line;
	char section[32];   /* "": none yet; "publisher NAME" for every publisher */
	bool skip;          /* in a section that was refused */
	bool expect;        /* a key line was handed to inih: its handler must run */
	unsigned publisher; /* index, in a publisher's section */
	bool seen[ROWS_MAX];
	int publisher_line[CONFIG_PUBLISHERS];
};

__attribute__((format(printf, 3, 4))) static void
complain(struct parse *p, int line, const char *fmt, ...)
{
	struct config_error *e;
	va_list ap;

	if (p->count++ >= p->max)
		return;
	e = &p->errors[p->count - 1];
	e->line = line;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

/*
 * The valid key of section (NULL: any section's name) nearest to a typo, or NULL when none is
 * near.
 */
static const char *
nearest(const char *section, const char *typo)
{
	const struct config_key *k;
	const char *best = NULL, *candidate;
	unsigned d, best_d = 1 + (unsigned)strlen(typo) / 3;

	for (k = config_schema(); k->section != NULL; k++) {
		if (section != NULL && strcmp(k->section, section) != 0)
			continue;
		candidate = section ? k->key : k->section;
		d = typo_distance(typo, candidate);
		if (d < best_d || (d == best_d && best == NULL)) {
			best = candidate;
			best_d = d;
		}
	}
	return best;
}

/* Which section has this key? For a key in the wrong section. */
static const char *
section_of(const char *key)
{
	const struct config_key *k;

	for (k = config_schema(); k->section != NULL; k++)
		if (strcmp(k->key, key) == 0)
			return k->section;
	return NULL;
}

static void
unknown_key(struct parse *p, const char *key)
{
	const char *near = nearest(p->section, key), *elsewhere = section_of(key);

	if (elsewhere != NULL)
		complain(p, p->line, "unknown key \"%.64s\" in [%s]: it belongs in [%s]", key,
		    p->section, elsewhere);
	else if (near != NULL)
		complain(p, p->line, "unknown key \"%.64s\" in [%s]: did you mean \"%s\"?", key,
		    p->section, near);
	else
		complain(
		    p, p->line, "unknown key \"%.64s\" in [%s]: see kms.ini(5)", key, p->section);
}

/* inih's handler: one key and value of the current line. */
static int
on_key(void *user, const char *ignored, const char *key, const char *value)
{
	struct parse *p = user;
	const struct config_key *k;
	bool *seen, (*read)(const struct config_key *, const struct config_slot *, void *,
			const char *, char[128]);
	char wrong[128];
	void *base;
	size_t i;

	p->expect = false;
	if (p->skip)
		return 1;
	if (p->section[0] == '\0') {
		complain(p, p->line, "key \"%.64s\" comes before any [section]", key);
		return 1;
	}
	for (k = config_schema(); k->section != NULL; k++)
		if (strcmp(k->section, p->section) == 0 && strcmp(k->key, key) == 0)
			break;
	if (k->section == NULL) {
		unknown_key(p, key);
		return 1;
	}
	i = (size_t)(k - config_schema());
	seen = &p->seen[i];
	base = p->c;
	if (strncmp(k->section, PUBLISHER " ", sizeof(PUBLISHER)) == 0)
		base = &p->c->publishers[p->publisher];
	if (*seen && !config_list_repeats(k)) {
		complain(p, p->line, "key \"%s\" is given twice in [%s]", key, p->section);
		return 1;
	}
	read = *seen ? config_value_add : config_value_read;
	*seen = true;
	if (!read(k, &config_slots[i], base, value, wrong))
		complain(p, p->line, "%s = \"%.48s\": it must be %s", key, value, wrong);
	return 1;
}

/*
 * A publisher's name is used in messages and by kmsctl: letters, digits, dot, underscore and
 * hyphen.
 */
static void
begin_publisher(struct parse *p, const char *name)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);
	unsigned i;

	p->skip = true;
	if (len == 0 || len >= sizeof(p->c->publishers[0].name) || strspn(name, good) != len) {
		complain(p, p->line,
		    "publisher name \"%.48s\": it must be 1..64 letters, digits, '.', '_' or '-'",
		    name);
		return;
	}
	for (i = 0; i < p->c->publisher_count; i++)
		if (strcmp(p->c->publishers[i].name, name) == 0) {
			complain(p, p->line, "publisher \"%s\" is given twice", name);
			return;
		}
	if (p->c->publisher_count == CONFIG_PUBLISHERS) {
		complain(p, p->line, "more than %d publishers", CONFIG_PUBLISHERS);
		return;
	}
	p->skip = false;
	p->publisher = p->c->publisher_count++;
	p->publisher_line[p->publisher] = p->line;
	memset(&p->c->publishers[p->publisher], 0, sizeof(p->c->publishers[0]));
	memcpy(p->c->publishers[p->publisher].name, name, len);
	snprintf(p->section, sizeof(p->section), "%s NAME", PUBLISHER);
	for (i = 0; config_schema()[i].section != NULL; i++)
		if (strcmp(config_schema()[i].section, p->section) == 0)
			p->seen[i] = false;
}

static void
begin_section(struct parse *p, const char *name)
{
	const struct config_key *k;
	const char *near;

	if (strncmp(name, PUBLISHER " ", sizeof(PUBLISHER)) == 0) {
		begin_publisher(p, name + sizeof(PUBLISHER));
		return;
	}
	for (k = config_schema(); k->section != NULL; k++)
		if (strcmp(k->section, name) == 0 && strchr(name, ' ') == NULL)
			break;
	p->skip = k->section == NULL;
	if (!p->skip) {
		snprintf(p->section, sizeof(p->section), "%s", k->section);
		return;
	}
	near = nearest(NULL, name);
	if (strcmp(name, PUBLISHER) == 0)
		complain(p, p->line, "section [publisher] needs a name: [publisher NAME]");
	else if (near != NULL)
		complain(p, p->line, "unknown section [%.64s]: did you mean [%s]?", name, near);
	else
		complain(p, p->line, "unknown section [%.64s]: see kms.ini(5)", name);
}

/* "[name]" and nothing else but a comment. */
static void
section_line(struct parse *p, const char *line)
{
	char name[160];
	const char *close = strchr(line, ']'), *rest;

	p->skip = true;
	rest = close ? close + 1 + strspn(close + 1, " \t\r") : line;
	if (close == NULL || (*rest != '\0' && *rest != ';' && *rest != '#')) {
		complain(p, p->line, "\"%.64s\" is not a section: write [name]", line);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(close - line - 1), line + 1);
	begin_section(p, name);
}

/* Checks the line before inih sees it; false: hide it from inih. */
static bool
look_at(struct parse *p, const char *line, size_t len)
{
	const char *text = line + strspn(line, " \t\r");

	if (strlen(line) != len) {
		complain(p, p->line, "the line contains a NUL byte");
		return false;
	}
	if (*text == '\0' || *text == ';' || *text == '#')
		return false;
	if (text != line) {
		complain(p, p->line,
		    "the line begins with a blank, which would continue the line before: remove it");
		return false;
	}
	if (*text == '[') {
		section_line(p, text);
		return false;
	}
	p->expect = true;
	return true;
}

static void
end_line(struct parse *p)
{
	if (p->expect)
		complain(p, p->line, "not a \"key = value\" line, a [section] or a ; comment");
	p->expect = false;
}

/*
 * inih's reader: one line into its buffer. Debian's inih cuts lines at 199 bytes and takes the
 * rest as the next line; here such a line is an error, and inih gets an empty one.
 */
static char *
next_line(char *buffer, int size, void *stream)
{
	struct parse *p = stream;
	const char *newline;
	size_t len, room = (size_t)size;

	end_line(p);
	if (p->at == p->end)
		return NULL;
	p->line++;
	newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
	len = (size_t)((newline ? newline : p->end) - p->at);
	if (len + 2 > room) {
		complain(p, p->line, "the line is longer than %zu bytes", room - 2);
		len = 0;
	}
	memcpy(buffer, p->at, len);
	buffer[len] = '\0';
	p->at = newline ? newline + 1 : p->end;
	if (!look_at(p, buffer, len))
		buffer[0] = '\0';
	return buffer;
}

/*
 * Do two minisign keys have the same key id, bytes 2 to 9 of 42? In base64, these end with the
 * first two bits of the 14th character.
 */
static bool
same_key_id(const char *a, const char *b)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *x, *y;

	if (a[0] == '\0' || strncmp(a, b, 13) != 0)
		return false;
	x = strchr(base64, a[13]);
	y = strchr(base64, b[13]);
	return x != NULL && y != NULL && (x - base64) >> 4 == (y - base64) >> 4;
}

/* Errors that involve more than one line. */
static void
check_whole(struct parse *p)
{
	unsigned i, k;

	for (i = 0; i < p->c->publisher_count; i++)
		for (k = 0; k < i; k++)
			if (same_key_id(p->c->publishers[k].key, p->c->publishers[i].key))
				complain(p, p->publisher_line[i],
				    "[publisher %s] has the same key id as [publisher %s]: each publisher needs its own",
				    p->c->publishers[i].name, p->c->publishers[k].name);

	for (i = 0; i < p->c->publisher_count; i++)
		if (p->c->publishers[i].key[0] == '\0')
			complain(p, p->publisher_line[i], "[publisher %s] has no valid key = RW...",
			    p->c->publishers[i].name);
	if (p->c->passphrase_credential[0] != '\0' && p->c->passphrase_file[0] != '\0')
		complain(p, 0,
		    "[keys] passphrase_credential and passphrase_file: only one may be given");
	if (relay_port_count(p->c) > RELAY_PORTS)
		complain(p, 0, "[relay] upstream and ports name more than %d ports", RELAY_PORTS);
	if (p->c->relay_connect_timeout > p->c->relay_answer_timeout)
		complain(p, 0, "[relay] connect_timeout is longer than answer_timeout");
	if (strcmp(p->c->state_directory, p->c->runtime_directory) == 0)
		complain(p, 0, "state_directory and runtime_directory are the same directory");
	if (p->c->gss_tsig && p->c->tsig_key_file[0] != '\0')
		complain(p, 0, "[dns] has both gss_tsig and tsig_key_file: only one may be given");
	if (!p->c->gss_tsig && p->c->keytab[0] != '\0')
		complain(p, 0, "[dns] keytab is for Kerberos: it needs gss_tsig = yes");
	if (p->c->keytab[0] == '\0' && p->c->principal[0] != '\0')
		complain(p, 0, "[dns] principal selects a key of a keytab: it needs keytab");
}

unsigned
config_parse(
    struct config *c, const char *text, size_t len, struct config_error *errors, unsigned max)
{
	struct parse p = { .c = c, .errors = errors, .max = max, .at = text, .end = text + len };

	config_defaults(c);
	if (len > CONFIG_MAX) {
		complain(&p, 0, "the file is larger than %d bytes", CONFIG_MAX);
		return p.count;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		p.at += 3;
	ini_parse_stream(next_line, &p, on_key, &p);
	end_line(&p);
	check_whole(&p);
	return p.count;
}

void
config_defaults(struct config *c)
{
	const struct config_key *k;
	char wrong[128];

	memset(c, 0, sizeof(*c));
	for (k = config_schema(); k->section != NULL; k++)
		if (strncmp(k->section, PUBLISHER, sizeof(PUBLISHER) - 1) != 0)
			config_value_read(k, &config_slots[k - config_schema()], c, k->def, wrong);
}

bool
config_differs(const struct config_key *k, const struct config *a, const struct config *b)
{
	const struct config_slot *slot = &config_slots[k - config_schema()];
	char x[CONFIG_VALUE], y[CONFIG_VALUE];

	if (strncmp(k->section, PUBLISHER, sizeof(PUBLISHER) - 1) == 0)
		return a->publisher_count != b->publisher_count ||
		       memcmp(a->publishers, b->publishers, sizeof(a->publishers)) != 0;
	config_value_write(k, slot, a, x, sizeof(x));
	config_value_write(k, slot, b, y, sizeof(y));
	return strcmp(x, y) != 0;
}

static uint64_t
mark(uint64_t hash, const char *text)
{
	/* The end counts too, so that no two texts run together. */
	do
		hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
	while (*text++ != '\0');
	return hash;
}

uint64_t
config_mark(const struct config *c, bool restart)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	char value[CONFIG_VALUE];

	for (const struct config_key *k = config_schema(); k->section != NULL; k++) {
		if (k->restart != restart || strcmp(k->section, "dns") == 0 ||
		    strcmp(k->section, "firewall") == 0 ||
		    strncmp(k->section, PUBLISHER, sizeof(PUBLISHER) - 1) == 0)
			continue;
		config_value_write(k, &config_slots[k - config_schema()], c, value, sizeof(value));
		hash = mark(mark(mark(hash, k->section), k->key), value);
	}
	for (unsigned i = 0; !restart && i < c->publisher_count; i++)
		hash = mark(mark(hash, c->publishers[i].name), c->publishers[i].key);
	/* 48 bits: JSON readers keep such a number exactly. */
	return hash >> 16;
}

/* A list that is too long for one line is written on several. */
static void
print_value(FILE *out, const char *key, const char *value)
{
	size_t room = LINE_OCTETS - strlen(key) - strlen(" = "), len;

	while ((len = strlen(value)) > room) {
		for (len = room; len > 0 && value[len] != ' '; len--)
			;
		if (len == 0)
			break;
		fprintf(out, "%s = %.*s\n", key, (int)len, value);
		value += len + 1;
	}
	/* One value may have filled its line, written without blanks. */
	if (strlen(value) > room)
		fprintf(out, "%s=%s\n", key, value);
	else
		fprintf(out, "%s =%s%s\n", key, *value ? " " : "", value);
}

static void
print_publisher(const struct config_publisher *publisher, FILE *out)
{
	const struct config_key *k;
	char value[CONFIG_VALUE];

	fprintf(out, "\n[publisher %s]\n", publisher->name);
	for (k = config_schema(); k->section != NULL; k++) {
		if (strncmp(k->section, PUBLISHER, sizeof(PUBLISHER) - 1) != 0)
			continue;
		config_value_write(
		    k, &config_slots[k - config_schema()], publisher, value, sizeof(value));
		print_value(out, k->key, value);
	}
}

void
config_print(const struct config *c, FILE *out)
{
	const struct config_key *k;
	const char *section = "";
	char value[CONFIG_VALUE];
	unsigned i;

	for (k = config_schema(); k->section != NULL; k++) {
		if (strncmp(k->section, PUBLISHER, sizeof(PUBLISHER) - 1) == 0)
			continue;
		if (strcmp(section, k->section) != 0)
			fprintf(out, "%s[%s]\n", *section ? "\n" : "", k->section);
		section = k->section;
		config_value_write(k, &config_slots[k - config_schema()], c, value, sizeof(value));
		print_value(out, k->key, value);
	}
	for (i = 0; i < c->publisher_count; i++)
		print_publisher(&c->publishers[i], out);
}

int
config_read_file(const char *path, char **text, size_t *len)
{
	return file_read(AT_FDCWD, path, FILE_GIVEN, CONFIG_MAX, text, len);
}
