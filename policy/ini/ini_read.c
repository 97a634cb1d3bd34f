/*
 * ini_read.c - drives inih line by line and checks what inih does not. The line source is ours, so
 * we know the number of the line that a handler call belongs to, see section headers without keys,
 * and give inih an empty line in the place of what it is not to see.
 */
#include "policy/ini/ini_read.h"

#include <assert.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/number.h"
#include "libkms/base/typo.h"
#include "libkms/kms_error.h"

bool
ini_fail(struct ini_reader *r, int line, const char *fmt, ...)
{
	char text[FAULT_TEXT];
	va_list ap;

	if (r->count++ >= r->room)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fault_at(&r->faults[r->count - 1], line, KMS_E_FORMAT, "%s", text);
	return false;
}

bool
ini_expected(struct ini_reader *r, const struct ini_key *key, const char *value, const char *what)
{
	return ini_fail(r, r->line, "%s = \"%.48s\": it must be %s", key->name, value, what);
}

/* "product UUID": a section as messages name it. */
static const char *
section_name(const struct ini_section *s, char out[64])
{
	snprintf(out, 64, "%s%s%s", s->name, s->argument != NULL ? " " : "",
	    s->argument != NULL ? s->argument : "");
	return out;
}

static bool
unknown_section(struct ini_reader *r, const char *name)
{
	struct typo near = typo_of(name);

	for (unsigned i = 0; i < r->format->section_count; i++)
		typo_try(&near, r->format->sections[i].name);
	if (near.name != NULL)
		return ini_fail(
		    r, r->line, "unknown section [%.64s]: did you mean [%s]?", name, near.name);
	return ini_fail(r, r->line, "unknown section [%.64s]%s%s", name,
	    r->format->manual != NULL ? ": see " : "",
	    r->format->manual != NULL ? r->format->manual : "");
}

static const struct ini_key *
key_of(const struct ini_section *s, const char *name)
{
	for (unsigned i = 0; i < s->key_count; i++)
		if (strcmp(s->keys[i].name, name) == 0)
			return &s->keys[i];
	return NULL;
}

static bool
unknown_key(struct ini_reader *r, const char *name)
{
	struct typo near = typo_of(name);
	char here[64], there[64];

	section_name(r->section, here);
	for (unsigned i = 0; i < r->format->section_count; i++)
		if (key_of(&r->format->sections[i], name) != NULL)
			return ini_fail(r, r->line,
			    "unknown key \"%.64s\" in [%s]: it belongs in [%s]", name, here,
			    section_name(&r->format->sections[i], there));
	for (unsigned i = 0; i < r->section->key_count; i++)
		typo_try(&near, r->section->keys[i].name);
	if (near.name != NULL)
		return ini_fail(r, r->line, "unknown key \"%.64s\" in [%s]: did you mean \"%s\"?",
		    name, here, near.name);
	/* A publisher may be ahead of this host: then the key is no mistake. */
	if (r->format->manual == NULL)
		return ini_fail(r, r->line,
		    "unknown key \"%.64s\" in [%s]; a newer kmsd may know it", name, here);
	return ini_fail(
	    r, r->line, "unknown key \"%.64s\" in [%s]: see %s", name, here, r->format->manual);
}

/* End of a section: missing keys get their fallback. */
static void
section_close(struct ini_reader *r)
{
	const struct ini_section *s = r->section;
	char name[64];

	for (unsigned i = 0; s != NULL && s->presence != INI_RESUMED && i < s->key_count; i++) {
		const struct ini_key *k = &s->keys[i];

		if (r->keys_seen[s - r->format->sections] & UINT32_C(1) << i)
			continue;
		if (k->fallback == NULL)
			ini_fail(r, r->section_line, "[%s] needs the key \"%s\"",
			    section_name(s, name), k->name);
		else if (k->fallback[0] != '\0')
			k->read(r, k, r->record, k->fallback);
	}
	r->section = NULL;
}

static const struct ini_section *
section_find(struct ini_reader *r, const char *name)
{
	for (unsigned i = 0; i < r->format->section_count; i++)
		if (strcmp(r->format->sections[i].name, name) == 0)
			return &r->format->sections[i];
	return NULL;
}

/* The mark at the beginning of the value, or NULL: also those of a word processor. */
static const char *
quotation_mark(const char *value)
{
	static const char *const marks[] = { "\"", "'", "`", "\u201c", "\u201d", "\u201e", "\u2018",
		"\u2019", "\u201a", "\u00ab", "\u00bb" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strncmp(value, marks[i], strlen(marks[i])) == 0)
			return marks[i];
	return NULL;
}

/* What looks like a comment behind the value, or NULL. "C# 1" is a name. */
static const char *
comment_behind(const char *value)
{
	static const char *const marks[] = { " #", "\t#", " //", "\t//" };
	const char *first = NULL, *at;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if ((at = strstr(value, marks[i])) != NULL && (first == NULL || at < first))
			first = at;
	return first != NULL ? first + strspn(first, " \t") : NULL;
}

/* False: it is not what its writer means. what: the key or the section. */
static bool
plain(struct ini_reader *r, const char *what, const char *value)
{
	const char *mark, *comment;

	if (!r->format->careful)
		return true;
	if ((mark = quotation_mark(value)) != NULL)
		return ini_fail(r, r->line,
		    "%s: %.64s: the quotation mark %s would be part of it: values have no quotation marks here",
		    what, value, mark);
	if ((comment = comment_behind(value)) != NULL)
		return ini_fail(r, r->line,
		    "%s: %.64s: \"%.32s\" would be part of it: give a comment a line of its own",
		    what, value, comment);
	return true;
}

/* False: it was refused. */
static bool
section_open(struct ini_reader *r, char *header)
{
	char *argument = strchr(header, ' '), name[64];
	const struct ini_section *s;
	uint32_t bit;

	if (argument != NULL) {
		*argument++ = '\0';
		argument += strspn(argument, " \t");
	}
	if ((s = section_find(r, header)) == NULL)
		return unknown_section(r, header);
	bit = UINT32_C(1) << (s - r->format->sections);
	if (s->argument == NULL && argument != NULL)
		return ini_fail(r, r->line, "[%s] takes no name", s->name);
	if (s->argument != NULL && (argument == NULL || *argument == '\0'))
		return ini_fail(
		    r, r->line, "section [%s] needs a name: [%s]", s->name, section_name(s, name));
	if (argument != NULL && !plain(r, s->name, argument))
		return false;
	if (s->argument == NULL && s->presence != INI_RESUMED && (r->sections_seen & bit) != 0)
		return ini_fail(r, r->line, "second [%s]: there may be only one", s->name);
	if (s->presence != INI_RESUMED || (r->sections_seen & bit) == 0)
		r->keys_seen[s - r->format->sections] = 0;
	r->sections_seen |= bit;
	r->section_line = r->line;
	r->record = s->open(r, argument);
	if (r->record != NULL)
		r->section = s;
	return r->record != NULL;
}

/* A line with '[' first: "[name]" and nothing else but a comment. */
static void
section_line(struct ini_reader *r, const char *line)
{
	const char *close = strchr(line, ']'), *rest = close;
	char header[INI_LINE_MAX + 1];

	section_close(r);
	r->last = NULL;
	r->skip = true;
	if (close != NULL)
		rest += 1 + strspn(close + 1, " \t\r");
	if (close == NULL || (*rest != '\0' && *rest != ';' && *rest != '#')) {
		ini_fail(r, r->line, "\"%.64s\" is not a section: write [name]", line);
		return;
	}
	snprintf(header, sizeof(header), "%.*s", (int)(close - line - 1), line + 1);
	r->skip = !section_open(r, header);
}

/* Before inih sees the line; false when inih is not to see it. */
static bool
look_at(struct ini_reader *r, const char *line)
{
	const char *text = line + strspn(line, " \t\r");

	r->continued = false;
	if (*text == '\0' || *text == ';' || *text == '#')
		return false;
	if (*text == '[' && text == line) {
		section_line(r, line);
		return false;
	}
	if (text != line && !r->skip) {
		r->continued = *text != '[' && r->last != NULL && r->last->lines == INI_CONTINUES;
		if (!r->continued)
			return ini_fail(r, r->line,
			    "the line begins with a blank, which would continue the line before: remove it");
	}
	r->expect = true;
	return true;
}

/* Was what was given to inih a key and a value? */
static void
end_line(struct ini_reader *r)
{
	if (r->expect)
		ini_fail(r, r->line, "not a \"key = value\" line, a [section] or a ; comment");
	r->expect = false;
}

static bool
copy_line(struct ini_reader *r, char *out, size_t size)
{
	const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at)), *line = r->at;
	size_t n = (size_t)((stop != NULL ? stop : r->end) - line);

	r->at = stop != NULL ? stop + 1 : r->end;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n > INI_LINE_MAX || n + 1 > size)
		return ini_fail(r, r->line,
		    "the line is longer than %d bytes: shorten it or split its value",
		    INI_LINE_MAX);
	if (memchr(line, '\0', n) != NULL)
		return ini_fail(
		    r, r->line, "the line contains a NUL byte: this is not a text file");
	memcpy(out, line, n);
	out[n] = '\0';
	return look_at(r, out);
}

/* ini_reader of inih: one line into out, without its end; NULL stops the parser. */
static char *
next_line(char *out, int size, void *stream)
{
	struct ini_reader *r = stream;

	end_line(r);
	if (r->at == r->end)
		return NULL;
	r->line++;
	if (!copy_line(r, out, (size_t)size))
		out[0] = '\0';
	return out;
}

/* The key that the line sets, or NULL. */
static const struct ini_key *
key_find(struct ini_reader *r, const char *name)
{
	const struct ini_section *s = r->section;
	const struct ini_key *key = key_of(s, name);
	uint32_t *seen = &r->keys_seen[s - r->format->sections], bit;
	char text[64];

	if (key == NULL) {
		unknown_key(r, name);
		return NULL;
	}
	bit = UINT32_C(1) << (key - s->keys);
	r->again = (*seen & bit) != 0;
	*seen |= bit;
	if (!r->again || key->lines == INI_REPEATS)
		return key;
	section_name(s, text);
	if (s->argument != NULL)
		ini_fail(r, r->line, "key \"%s\" is given twice in [%s] of line %d", name, text,
		    r->section_line);
	else
		ini_fail(r, r->line, "key \"%s\" is given twice in [%s]", name, text);
	return NULL;
}

/* Handler of inih. */
static int
take_value(void *user, const char *section, const char *name, const char *value)
{
	struct ini_reader *r = user;
	const struct ini_key *key;

	r->expect = false;
	if (r->skip)
		return 1;
	if (r->section == NULL) {
		ini_fail(r, r->line, "key \"%.64s\" comes before any [section]", name);
		return 1;
	}
	key = r->continued ? r->last : key_find(r, name);
	r->again |= r->continued;
	r->last = key;
	if (key != NULL && plain(r, key->name, value))
		key->read(r, key, r->record, value);
	return 1;
}

static void
sections_complete(struct ini_reader *r)
{
	char name[64];

	for (unsigned i = 0; i < r->format->section_count; i++)
		if (r->format->sections[i].presence == INI_REQUIRED &&
		    (r->sections_seen & UINT32_C(1) << i) == 0)
			ini_fail(
			    r, 0, "[%s] is missing", section_name(&r->format->sections[i], name));
}

unsigned
ini_read_all(const struct ini_format *format, void *arg, const char *text, size_t len,
    struct fault *faults, unsigned room)
{
	struct ini_reader r = { .arg = arg,
		.format = format,
		.faults = faults,
		.room = room,
		.at = text,
		.end = text + len };

	assert(format->section_count <= INI_SECTIONS_MAX);
	for (unsigned i = 0; i < room; i++)
		faults[i] = (struct fault){ 0 };
	if (len > format->max) {
		ini_fail(&r, 0, "the file is larger than %zu bytes", format->max);
		return r.count;
	}
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		ini_fail(&r, 0,
		    "the file is UTF-16, as Notepad's \"Unicode\" writes it: save it as UTF-8");
		return r.count;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3; /* a byte order mark, as some editors write */
	ini_parse_stream(next_line, &r, take_value, &r);
	end_line(&r);
	section_close(&r);
	if (r.count == 0)
		sections_complete(&r);
	if (format->check != NULL)
		format->check(&r);
	return r.count;
}

int
ini_read_format(
    const struct ini_format *format, void *arg, const char *text, size_t len, struct fault *err)
{
	unsigned faults = ini_read_all(format, arg, text, len, err, 1);

	if (faults > 0 && len > format->max)
		err->status = KMS_E_TOO_LARGE;
	return faults > 0 ? err->status : KMS_OK;
}

int
ini_read(const struct ini_section *sections, unsigned count, void *arg, const char *text,
    size_t len, size_t max, struct fault *err)
{
	const struct ini_format format = {
		.sections = sections, .section_count = count, .max = max
	};

	return ini_read_format(&format, arg, text, len, err);
}

bool
ini_store(struct ini_reader *r, const struct ini_key *key, void *record, const char *value, bool ok,
    uint64_t v, const char *unit)
{
	void *at = (char *)record + key->offset;
	char what[120];

	if (!ok || v < key->min || v > key->max) {
		snprintf(what, sizeof(what), "a number from %" PRIu64 " to %" PRIu64 "%s", key->min,
		    key->max, unit);
		return ini_expected(r, key, value, what);
	}
	switch (key->size) {
	case sizeof(uint8_t):
		memcpy(at, &(uint8_t){ (uint8_t)v }, key->size);
		break;
	case sizeof(uint16_t):
		memcpy(at, &(uint16_t){ (uint16_t)v }, key->size);
		break;
	case sizeof(uint32_t):
		memcpy(at, &(uint32_t){ (uint32_t)v }, key->size);
		break;
	default:
		assert(key->size == sizeof(v));
		memcpy(at, &v, key->size);
	}
	return true;
}

bool
ini_number_of(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    const char *unit)
{
	uint64_t v = 0;
	bool ok = number_parse(&v, UINT64_MAX, value);

	return ini_store(r, key, record, value, ok, v, unit);
}

bool
ini_number(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return ini_number_of(r, key, record, value, "");
}
