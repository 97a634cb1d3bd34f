/*
 * ini_read.c - drives inih line by line and checks what inih does not. The
 * line source is ours, so we know the number of the line that a handler call
 * belongs to, see section headers without keys, and stop at the first error.
 */
#include "policy/ini_read.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/typo.h"

#define NEAR_ENOUGH 3 /* edits between a typo and the name that was meant */

bool
ini_fail(struct ini_reader *r, int line, const char *fmt, ...)
{
	char text[FAULT_TEXT];
	va_list ap;

	if (r->failed)
		return false;
	r->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fault_at(r->err, line, KMS_E_FORMAT, "%s", text);
	return false;
}

bool
ini_expected(struct ini_reader *r, const struct ini_key *key, const char *value, const char *what)
{
	return ini_fail(r, r->line, "%s = '%.40s': %s is expected", key->name, value, what);
}

struct nearest {
	const char *wanted;
	const char *name;
	unsigned distance;
};

static void
nearest_try(struct nearest *n, const char *name)
{
	unsigned d = typo_distance(n->wanted, name);

	if (d < n->distance) {
		n->distance = d;
		n->name = name;
	}
}

static bool
fail_unknown(struct ini_reader *r, const char *what, const struct nearest *n)
{
	if (n->distance <= NEAR_ENOUGH)
		return ini_fail(
		    r, r->line, "unknown %s '%.40s': did you mean '%s'?", what, n->wanted, n->name);
	return ini_fail(r, r->line, "unknown %s '%.40s'", what, n->wanted);
}

/* End of a section: keys that were not given get their fallback. */
static bool
section_close(struct ini_reader *r)
{
	const struct ini_section *s = r->section;

	for (unsigned i = 0; s != NULL && i < s->key_count && !r->failed; i++) {
		if (r->keys_seen & UINT32_C(1) << i)
			continue;
		if (s->keys[i].fallback == NULL)
			return ini_fail(r, r->section_line, "[%s] needs the key '%s'", s->name,
			    s->keys[i].name);
		if (s->keys[i].fallback[0] != '\0')
			s->keys[i].read(r, &s->keys[i], r->record, s->keys[i].fallback);
	}
	r->section = NULL;
	return !r->failed;
}

static bool
section_open(struct ini_reader *r, char *header)
{
	char *argument = strchr(header, ' ');
	struct nearest near = { .wanted = header, .distance = TYPO_FAR };

	if (argument != NULL) {
		*argument++ = '\0';
		argument += strspn(argument, " \t");
	}
	for (unsigned i = 0; i < r->section_count; i++) {
		const struct ini_section *s = &r->sections[i];

		nearest_try(&near, s->name);
		if (strcmp(s->name, header) != 0)
			continue;
		if (s->argument == NULL && argument != NULL)
			return ini_fail(r, r->line, "[%s] takes no name", s->name);
		if (s->argument != NULL && (argument == NULL || *argument == '\0'))
			return ini_fail(r, r->line, "write [%s %s]", s->name, s->argument);
		if (s->argument == NULL && r->sections_seen & UINT32_C(1) << i)
			return ini_fail(r, r->line, "second [%s]: there may be only one", s->name);
		r->sections_seen |= UINT32_C(1) << i;
		r->section_line = r->line;
		r->keys_seen = 0;
		r->last = NULL;
		r->record = s->open(r, argument);
		r->section = r->record != NULL ? s : NULL;
		return r->record != NULL;
	}
	return fail_unknown(r, "section", &near);
}

/* A line with '[' first: inih would cut a long name and overlook what follows ']'. */
static bool
section_line(struct ini_reader *r, const char *line)
{
	const char *end = strchr(line, ']');
	char header[INI_SECTION_MAX + 1];
	size_t n;

	if (end == NULL)
		return ini_fail(r, r->line, "']' is missing");
	n = (size_t)(end - line) - 1;
	end += 1 + strspn(end + 1, " \t\r");
	if (*end != '\0' && *end != ';' && *end != '#')
		return ini_fail(r, r->line, "text after ']'");
	if (n > INI_SECTION_MAX)
		return ini_fail(
		    r, r->line, "section name longer than %d characters", INI_SECTION_MAX);
	memcpy(header, line + 1, n);
	header[n] = '\0';
	return section_close(r) && section_open(r, header);
}

/* ini_reader of inih: one line into out, without its end; NULL stops the parser. */
static char *
next_line(char *out, int size, void *stream)
{
	struct ini_reader *r = stream;
	const char *line = r->at, *stop;
	size_t n;

	if (r->failed || r->at == r->end)
		return NULL;
	r->line++;
	stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
	n = (size_t)((stop != NULL ? stop : r->end) - r->at);
	r->at += n + (stop != NULL ? 1 : 0);
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n > INI_LINE_MAX || n + 1 > (size_t)size) {
		ini_fail(r, r->line,
		    "line longer than %d characters: shorten it or split its value", INI_LINE_MAX);
		return NULL;
	}
	memcpy(out, line, n);
	out[n] = '\0';
	r->blank = out[0] == ' ' || out[0] == '\t';
	if (out[0] == '[' && !section_line(r, out))
		return NULL;
	if (r->blank && out[strspn(out, " \t")] == '[') {
		ini_fail(r, r->line, "blanks before '[': a section begins its line");
		return NULL;
	}
	return out;
}

static const struct ini_key *
key_find(struct ini_reader *r, const char *name)
{
	struct nearest near = { .wanted = name, .distance = TYPO_FAR };
	const struct ini_section *s = r->section;

	for (unsigned i = 0; i < s->key_count; i++) {
		nearest_try(&near, s->keys[i].name);
		if (strcmp(s->keys[i].name, name) != 0)
			continue;
		if (r->keys_seen & UINT32_C(1) << i) {
			ini_fail(r, r->line, "second '%s' in [%s] of line %d", name, s->name,
			    r->section_line);
			return NULL;
		}
		r->keys_seen |= UINT32_C(1) << i;
		return &s->keys[i];
	}
	fail_unknown(r, "key", &near);
	return NULL;
}

/* Handler of inih. */
static int
take_value(void *user, const char *section, const char *name, const char *value)
{
	struct ini_reader *r = user;
	const struct ini_key *key;

	if (r->failed)
		return 0;
	if (r->section == NULL)
		return ini_fail(r, r->line, "'%.40s' stands before any [section]", name);
	if (r->blank && r->last != NULL) {
		if (!r->last->continues)
			return ini_fail(r, r->line,
			    "line begins with a blank, but '%s' cannot be continued: remove the blank",
			    r->last->name);
		key = r->last;
	} else {
		key = key_find(r, name);
	}
	if (key == NULL)
		return 0;
	r->last = key;
	return key->read(r, key, r->record, value);
}

static bool
sections_complete(struct ini_reader *r)
{
	for (unsigned i = 0; i < r->section_count; i++)
		if (r->sections[i].required && !(r->sections_seen & UINT32_C(1) << i))
			return ini_fail(r, 0, "[%s%s%s] is missing", r->sections[i].name,
			    r->sections[i].argument != NULL ? " " : "",
			    r->sections[i].argument != NULL ? r->sections[i].argument : "");
	return true;
}

int
ini_read(const struct ini_section *sections, unsigned count, void *arg, const char *text,
    size_t len, size_t max, struct fault *err)
{
	struct ini_reader r = { .arg = arg,
		.err = err,
		.sections = sections,
		.section_count = count,
		.at = text,
		.end = text + len };
	int bad;

	*err = (struct fault){ 0 };
	if (len > max)
		return fault_set(err, KMS_E_TOO_LARGE, "%zu bytes: at most %zu are read", len, max);
	if (memchr(text, '\0', len) != NULL) {
		ini_fail(&r, 0, "a NUL octet: this is not a text file");
		return KMS_E_FORMAT;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3; /* a byte order mark, as some editors write */
	bad = ini_parse_stream(next_line, &r, take_value, &r);
	if (bad != 0)
		ini_fail(
		    &r, bad > 0 ? bad : 0, "neither a [section], nor key = value, nor a comment");
	if (!r.failed && section_close(&r))
		sections_complete(&r);
	return r.failed ? KMS_E_FORMAT : KMS_OK;
}
