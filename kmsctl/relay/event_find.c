/*
 * event_find.c - see event_find.h. A CMID is easily recognised, so it is looked for first; the
 * three words before it and the date behind it must then be those of an event.
 */
#include "kmsctl/relay/event_find.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/base/wire.h"

#define TAG 4096 /* bytes of a tag; a '<' without an end is only a character */
#define KEY 64   /* bytes of a key */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
separates(char c)
{
	return is_blank(c) || strchr(",;\"'|<>{}[]()\\=`", c) != NULL; /* and the zero byte */
}

/* The end of the tag that begins at p; NULL: it is none. */
static const char *
tag_end(const char *p, const char *end)
{
	size_t most = (size_t)(end - p) < TAG ? (size_t)(end - p) : TAG;

	if (p + 1 == end || is_blank(p[1]))
		return NULL;
	return memchr(p, '>', most);
}

/*
 * What follows a word that is a key: = or :, perhaps after a quote and blanks on the same line. A
 * colon in the middle of a word, as in a port, makes no key.
 */
static const char *
key_end(const char *p, const char *end)
{
	while (p < end && (*p == '"' || *p == '\\'))
		p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && (*p == '=' || *p == ':') ? p + 1 : NULL;
}

static void
set_key(struct event_word *w, const char *key, size_t len)
{
	w->key = key;
	w->key_len = len < KEY ? len : KEY;
}

/* Moves past separators and tags to the word's first byte. */
static const char *
skip_separators(const char *p, const char *end, struct event_word *w)
{
	for (; p < end && separates(*p); p++) {
		const char *tag = *p == '<' ? tag_end(p, end) : NULL;

		if (!is_blank(*p) && *p != '"' && *p != '\'')
			w->joined = true;
		if (tag == NULL)
			continue;
		if (p[1] != '/')
			set_key(w, p + 1, (size_t)(tag - p - 1));
		p = tag;
	}
	return p;
}

bool
event_word_next(const char **at, const char *end, struct event_word *w)
{
	const char *p = *at, *after;

	*w = (struct event_word){ 0 };
	for (;;) {
		p = skip_separators(p, end, w);
		w->text = p;
		while (p < end && !separates(*p))
			p++;
		w->len = (size_t)(p - w->text);
		*at = p;
		if (w->len == 0)
			return false;
		/* "Security-SPP 12290: An activation request" */
		if (w->text[w->len - 1] == ':' && event_id_is(w->text, w->len - 1))
			w->len--;
		if (event_id_is(w->text, w->len))
			return true;
		/* "Info:" */
		if (w->text[w->len - 1] == ':' && w->len > 1)
			after = p;
		else if ((after = key_end(p, end)) == NULL)
			return true;
		set_key(w, w->text, w->len);
		w->joined = true;
		p = after;
	}
}

bool
event_status_read(const char *text, size_t len, uint32_t *out)
{
	uint64_t v = 0;
	bool hex = len > 2 && text[0] == '0' && tolower((unsigned char)text[1]) == 'x';
	bool minus = len > 1 && text[0] == '-';
	size_t from = hex ? 2 : minus ? 1 : 0;

	if (len == from || len > from + 10)
		return false;
	for (size_t i = from; i < len; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0 || (!hex && digit > 9))
			return false;
		v = v * (hex ? 16 : 10) + (unsigned)digit;
	}
	if (v > UINT32_MAX || (minus && v > (uint64_t)INT32_MAX + 1))
		return false;
	/* PowerShell shows 0xC004F042 as -1073418174, too. */
	*out = minus ? (uint32_t)(0 - v) : (uint32_t)v;
	return true;
}

bool
event_count_read(const char *text, size_t len, uint32_t *out)
{
	return len > 0 && isdigit((unsigned char)text[0]) &&
	       !(len > 1 && tolower((unsigned char)text[1]) == 'x') &&
	       event_status_read(text, len, out);
}

/*
 * A host name, or what an export made of one: '?' for what its code page does not have. No name has
 * digits alone.
 */
bool
event_name_read(const char *text, size_t len, char out[EVENT_NAME + 1])
{
	bool digits = true;

	if (len == 0 || len > EVENT_NAME || !wire_text_ok(text, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && c < 0x80 && strchr("-_.?~!#$%&@", c) == NULL)
			return false;
		digits = digits && isdigit(c);
		out[i] = c < 0x80 ? (char)tolower(c) : (char)c;
	}
	out[len] = '\0';
	return !digits;
}

bool
event_cmid_read(const char *text, size_t len, uint8_t out[16])
{
	static const uint8_t nil[16];
	/* Microsoft-Windows-Security-SPP, which wrote the event */
	static const uint8_t provider[16] = { 0xE2, 0x3B, 0x33, 0xB0, 0xC8, 0xC9, 0x47, 0x2C, 0xA5,
		0xF9, 0xF2, 0xBD, 0xFE, 0xA0, 0xF1, 0x56 };

	return len >= 32 && uuid_parse_loose(out, text, len) && memcmp(out, nil, 16) != 0 &&
	       memcmp(out, provider, 16) != 0;
}

bool
event_id_is(const char *text, size_t len)
{
	/* The second is that with its qualifiers, 16384. */
	return (len == 5 && memcmp(text, "12290", 5) == 0) ||
	       (len == 10 && memcmp(text, "1073754114", 10) == 0);
}

bool
event_key_has(const struct event_word *w, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; w->key != NULL && i + n <= w->key_len; i++)
		if (strncasecmp(w->key + i, part, n) == 0)
			return true;
	return false;
}

/* That number may also be the one of a record or a process. */
static bool
is_id(const struct event_word *w)
{
	static const char *const others[] = { "record", "process", "thread", "pid", "index", "port",
		"sequence", "task" };

	if (!event_id_is(w->text, w->len))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (event_key_has(w, others[i]))
			return false;
	return true;
}

/* The status ends the word: "#012" and the like of a log server may be before it. */
static bool
status_word(const struct event_word *w, uint32_t *out)
{
	const char *text = w->text;
	size_t len = w->len;

	for (size_t i = 0; i + 2 < len; i++)
		if (text[i] == '0' && tolower((unsigned char)text[i + 1]) == 'x' &&
		    event_status_read(text + i, len - i, out))
			return true;
	return event_status_read(text, len, out);
}

/* A word that a status ends, right or wrong; the keywords of an event have more digits. */
static bool
looks_like_status(const struct event_word *w)
{
	for (size_t i = 0; i + 1 < w->len; i++)
		if (w->text[i] == '0' && tolower((unsigned char)w->text[i + 1]) == 'x' &&
		    w->len - i <= 12)
			return true;
	return false;
}

/* Where the date behind the CMID begins; on the next line only if something leads there. */
static const char *
date_begins(const char *at, const char *end)
{
	const char *p = at;
	struct event_word w;

	if (!event_word_next(&p, end, &w) || (!w.joined && memchr(at, '\n', (size_t)(w.text - at))))
		return NULL;
	return w.text;
}

/* The fields that may follow: virtual machine, licence state, minutes, activation id. */
static bool
is_tail(const struct event_word *w, unsigned n)
{
	uint32_t number;
	uint8_t id[16];

	switch (n) {
	case 4:
		return (w->len == 1 && (*w->text == '0' || *w->text == '1')) ||
		       (w->len == 4 && strncasecmp(w->text, "true", 4) == 0) ||
		       (w->len == 5 && strncasecmp(w->text, "false", 5) == 0);
	case 3:
	case 2:
		return event_count_read(w->text, w->len, &number);
	default:
		return event_cmid_read(w->text, w->len, id);
	}
}

/* The words before a CMID: do they belong to an event, and which is wrong? */
static enum event_kind
judge(struct event_find *f)
{
	const struct event_word *w = f->last;
	struct event_fields *e = &f->fields;
	bool status = status_word(&w[0], &e->status);
	bool count = event_count_read(w[1].text, w[1].len, &e->count);
	bool name = event_name_read(w[2].text, w[2].len, e->name);
	const char *date;

	f->where = w[0].text;
	f->have_cmid = true;
	if (!looks_like_status(&w[0]) && !(status && count && name))
		return EVENT_END;
	if (!count && !name)
		return EVENT_END;
	date = date_begins(f->at, f->end);
	date = date == NULL ? NULL : event_date_read(date, f->end, &e->date);
	f->why = !status        ? "its status is not a number"
		 : !count       ? "its count is not a number"
		 : !name        ? "its client name is not a machine's name"
		 : date == NULL ? "its date cannot be read"
				: NULL;
	if (f->why != NULL)
		return looks_like_status(&w[0]) ? EVENT_BROKEN : EVENT_END;
	f->at = date;
	f->tail = 4;
	return EVENT_FOUND;
}

/* A CMID that was cut or mistyped, behind what is right. */
static bool
is_cut(struct event_find *f, const struct event_word *w)
{
	uint32_t number;
	char name[EVENT_NAME + 1];

	if (w->len < 9 || w->text[8] != '-' || !looks_like_status(&f->last[0]) ||
	    !event_count_read(f->last[1].text, f->last[1].len, &number) ||
	    !event_name_read(f->last[2].text, f->last[2].len, name))
		return false;
	f->where = f->last[0].text;
	f->have_cmid = false;
	f->why = "its client machine ID is cut off or mistyped";
	return true;
}

void
event_find_start(struct event_find *f, const char *text, size_t len)
{
	*f = (struct event_find){ .at = text, .end = text + len };
}

static void
remember(struct event_find *f, const struct event_word *w)
{
	f->last[0] = f->last[1];
	f->last[1] = f->last[2];
	f->last[2] = *w;
}

enum event_kind
event_find_next(struct event_find *f)
{
	struct event_word w;
	enum event_kind kind;

	while (event_word_next(&f->at, f->end, &w)) {
		bool full = f->last[0].text != NULL;

		if (f->tail > 0 && is_tail(&w, f->tail)) {
			f->tail--;
			continue;
		}
		f->tail = 0;
		if (full && event_cmid_read(w.text, w.len, f->fields.cmid)) {
			kind = judge(f);
			memset(f->last, 0, sizeof(f->last));
			if (kind != EVENT_END)
				return kind;
			continue;
		}
		if (full && is_cut(f, &w)) {
			memset(f->last, 0, sizeof(f->last));
			return EVENT_BROKEN;
		}
		remember(f, &w);
		if (is_id(&w)) {
			f->where = w.text;
			f->word = w;
			return EVENT_ID;
		}
	}
	return EVENT_END;
}
