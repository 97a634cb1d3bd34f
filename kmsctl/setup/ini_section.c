/*
 * ini_section.c - see ini_section.h. Lines are read as policy/ini/ini_read.c reads them: a section
 * begins its line, a key's line is "key = value" or "key: value".
 */
#include "kmsctl/setup/ini_section.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

#define VALUES_MAX 32

struct writer {
	FILE *to;
	const char *end; /* of a line */
	const char *noun, *name;
	const struct ini_value *values;
	unsigned count;
	bool written[VALUES_MAX];
};

static const char blanks[] = " \t\r";

static size_t
line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return line[n] == '\n' ? n + 1 : n;
}

/* "[publisher acme]" */
static bool
is_header(const struct writer *w, const char *line)
{
	const char *at = line + 1;
	size_t n = strlen(w->noun);

	if (line[0] != '[' || strncmp(at, w->noun, n) != 0)
		return false;
	at += n;
	if (w->name[0] == '\0')
		return *at == ']';
	if (*at == '\0' || strchr(" \t", *at) == NULL)
		return false;
	at += strspn(at, " \t");
	n = strlen(w->name);
	return strncmp(at, w->name, n) == 0 && at[n] == ']';
}

/* Which of the values a line is for; count: none. *empty: it has the key and no value. */
static unsigned
value_of(const struct writer *w, const char *line, bool *empty)
{
	for (unsigned i = 0; i < w->count; i++) {
		size_t n = strlen(w->values[i].key);
		const char *at = line + n;

		if (strncmp(line, w->values[i].key, n) != 0)
			continue;
		at += strspn(at, " \t");
		if (*at != '=' && *at != ':')
			continue;
		at++;
		at += strspn(at, blanks);
		*empty = *at == '\0' || *at == '\n' || *at == ';';
		return i;
	}
	return w->count;
}

static void
put(struct writer *w, unsigned i)
{
	fprintf(w->to, "%s = %s%s", w->values[i].key, w->values[i].value, w->end);
	w->written[i] = true;
}

static bool
any_missing(const struct writer *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (!w->written[i])
			return true;
	return false;
}

static void
put_missing(struct writer *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (!w->written[i])
			put(w, i);
}

/* The end of the last line of the section that is neither empty nor a comment. */
static const char *
last_key(const char *section)
{
	const char *last = section, *line = section;

	for (; *line != '\0' && *line != '['; line += line_length(line)) {
		const char *first = line + strspn(line, blanks);

		if (*first != '\n' && *first != '\0' && *first != ';' && *first != '#')
			last = line + line_length(line);
	}
	return last;
}

/* The lines of the section up to its last key, which may have the values already. */
static void
copy_keys(struct writer *w, const char *line, const char *last)
{
	for (; line < last; line += line_length(line)) {
		bool empty = false;
		unsigned i = value_of(w, line, &empty);

		if (i < w->count && (empty || w->values[i].replace)) {
			/* A list may go on in a second line of its key. */
			if (!w->written[i])
				put(w, i);
			continue;
		}
		if (i < w->count)
			w->written[i] = true;
		fwrite(line, 1, line_length(line), w->to);
	}
}

static void
write_into(struct writer *w, const char *text, const char *header)
{
	const char *section = header + line_length(header), *last = last_key(section);

	fwrite(text, 1, (size_t)(section - text), w->to);
	copy_keys(w, section, last);
	/* The text may end without a line end. */
	if (last[-1] != '\n' && any_missing(w))
		fputs(w->end, w->to);
	put_missing(w);
	fputs(last, w->to);
}

static void
write_at_end(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	fwrite(text, 1, len, w->to);
	if (len > 0 && text[len - 1] != '\n')
		fputs(w->end, w->to);
	if (len > 0)
		fputs(w->end, w->to);
	fprintf(w->to, "[%s%s%s]%s", w->noun, w->name[0] ? " " : "", w->name, w->end);
	put_missing(w);
}

int
ini_section_write(char **out, const char *text, const char *noun, const char *name,
    const struct ini_value *values, unsigned count)
{
	struct writer w = { .noun = noun, .name = name, .values = values, .count = count };
	const char *line = text, *first = strchr(text, '\n');
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as Windows editors write it */
	bool failed;
	size_t size;

	*out = NULL;
	w.end = first != NULL && first > text && first[-1] == '\r' ? "\r\n" : "\n";
	if ((w.to = open_memstream(out, &size)) == NULL)
		return KMS_E_NO_MEMORY;
	if (strncmp(line, mark, sizeof(mark) - 1) == 0)
		line += sizeof(mark) - 1;
	while (*line != '\0' && !is_header(&w, line))
		line += line_length(line);
	if (*line != '\0')
		write_into(&w, text, line);
	else if (count > 0)
		write_at_end(&w, text);
	else
		fputs(text, w.to);
	failed = ferror(w.to) != 0;
	failed |= fclose(w.to) != 0;
	if (!failed)
		return KMS_OK;
	free(*out);
	*out = NULL;
	return KMS_E_NO_MEMORY;
}
