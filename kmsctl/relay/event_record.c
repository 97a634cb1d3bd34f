/*
 * event_record.c - records that have an end: <Event> of XML, with or without its rendered text, and
 * objects of JSON, one in a line or many in an array, however deep. Both are made into plain
 * text, so that one function finds the fields.
 */
#include "kmsctl/relay/event_record.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libkms/kms_error.h"

#define RECORD_MAX ((size_t)1 << 20) /* bytes; more is no event */
#define DEPTH 32                     /* of JSON that is looked at */
#define KEY 64

/* The record as text. */
struct record {
	char *text;
	size_t len, room;
	bool full; /* longer than an event can be */
	bool failed;
};

static void
put(struct record *t, const char *text, size_t len)
{
	if (t->full || t->failed)
		return;
	if (t->len + len > RECORD_MAX) {
		t->full = true;
		return;
	}
	if (t->len + len > t->room) {
		size_t room = t->room * 2 > t->len + len ? t->room * 2 : t->len + len + 1024;
		char *more = realloc(t->text, room);

		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->text = more;
		t->room = room;
	}
	if (len > 0)
		memcpy(t->text + t->len, text, len);
	t->len += len;
}

/* -- XML -- */

static bool
begins_event(const char *p, const char *end)
{
	return end - p > 6 && memcmp(p, "<Event", 6) == 0 &&
	       (isspace((unsigned char)p[6]) || p[6] == '>');
}

/* The end of the element; one that is cut off ends where the next begins. */
static const char *
event_end(const char *p, const char *end)
{
	static const char close[] = "</Event>";

	for (p++; (p = memchr(p, '<', (size_t)(end - p))) != NULL; p++) {
		if ((size_t)(end - p) >= sizeof(close) - 1 &&
		    memcmp(p, close, sizeof(close) - 1) == 0)
			return p + sizeof(close) - 1;
		if (begins_event(p, end))
			return p;
	}
	return end;
}

/* The character of an entity that begins at p, as UTF-8. Returns its length there; 0: none. */
static size_t
entity(const char *p, const char *end, char out[5])
{
	static const struct {
		const char *name, *text;
	} rows[] = { { "&lt;", "<" }, { "&gt;", ">" }, { "&amp;", "&" }, { "&quot;", "\"" },
		{ "&apos;", "'" } };
	uint32_t c = 0;
	size_t i = 2;
	bool hex;

	for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
		size_t n = strlen(rows[j].name);

		if ((size_t)(end - p) >= n && memcmp(p, rows[j].name, n) == 0) {
			memcpy(out, rows[j].text, 2);
			return n;
		}
	}
	if (end - p < 4 || p[1] != '#')
		return 0;
	hex = tolower((unsigned char)p[2]) == 'x';
	for (i += hex; i < 10 && p + i < end && isxdigit((unsigned char)p[i]); i++)
		c = c * (hex ? 16 : 10) + (uint32_t)(isdigit((unsigned char)p[i])
							 ? p[i] - '0'
							 : tolower((unsigned char)p[i]) - 'a' + 10);
	if (p + i >= end || p[i] != ';' || c == 0 || c > 0xFFFF || (c >= 0xD800 && c < 0xE000))
		return 0;
	if (c < 0x80)
		memcpy(out, (char[]){ (char)c, 0 }, 2);
	else if (c < 0x800)
		memcpy(out, (char[]){ (char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F)), 0 }, 3);
	else
		memcpy(out,
		    (char[]){ (char)(0xE0 | c >> 12), (char)(0x80 | (c >> 6 & 0x3F)),
			(char)(0x80 | (c & 0x3F)), 0 },
		    4);
	return i + 1;
}

static void
put_xml(struct record *t, const char *p, const char *end)
{
	char text[5];
	const char *and;
	size_t n;

	while ((and = memchr(p, '&', (size_t)(end - p))) != NULL) {
		put(t, p, (size_t)(and-p));
		n = entity(and, end, text);
		if (n > 0)
			put(t, text, strlen(text));
		else
			put(t, and, n = 1);
		p = and+n;
	}
	put(t, p, (size_t)(end - p));
}

/*
 * The line before has "Event Xml:", as Event Viewer copies an event: text, and then the same as
 * XML. Its name ends so in every language.
 */
static bool
is_copy(const struct event_reader *r, const char *begin)
{
	const char *end = begin, *p;

	while (end > r->text && isspace((unsigned char)end[-1]))
		end--;
	for (p = end; p > r->text && p[-1] != '\n' && end - p < 64; p--)
		;
	if (end - p < 4 || (end[-1] != ':' && memcmp(end - 3, "\xef\xbc\x9a", 3) != 0))
		return false;
	for (; end - p >= 3; p++)
		if (strncasecmp(p, "xml", 3) == 0)
			return true;
	return false;
}

/* -- JSON -- */

/* "parent.key=", as far as it makes one word. */
static void
put_key(struct record *t, const char *parent, const char *key)
{
	char text[2 * KEY + 2];
	size_t n = 0;

	for (int part = 0; part < 2; part++) {
		const char *from = part == 0 ? parent : key;

		for (size_t i = 0; from[i] != '\0' && i < KEY; i++)
			text[n++] = isalnum((unsigned char)from[i]) ? from[i] : '_';
		if (part == 0 && n > 0)
			text[n++] = '.';
	}
	text[n++] = '=';
	put(t, text, n);
}

static void
put_value(struct record *t, const json_t *value)
{
	char number[24];

	if (json_is_string(value))
		put(t, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		put(t, number,
		    (size_t)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			json_integer_value(value)));
	else if (json_is_boolean(value))
		put(t, json_is_true(value) ? "True" : "False", json_is_true(value) ? 4 : 5);
	put(t, ",\n", 2);
}

static bool
is_plain(const json_t *v)
{
	return v != NULL && !json_is_object(v) && !json_is_array(v);
}

/* One of the names; as XML becomes JSON, {"Name": "ErrorCode", "#text": "0x0"}. */
static const json_t *
member(const json_t *object, const char *const names[])
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (is_plain(json_object_get(object, names[i])))
			return json_object_get(object, names[i]);
	return NULL;
}

static const char *const name_names[] = { "Name", "@Name", "name", "@name", "_Name", "-Name",
	NULL };
static const char *const value_names[] = { "Value", "#text", "value", "text", "_", "$", "content",
	NULL };

/* {"Name": ..., "Value": ...} is a field of that name. */
static bool
put_named(struct record *t, const json_t *object)
{
	const json_t *name = member(object, name_names), *value = member(object, value_names);

	if (json_object_size(object) > 4 || !json_is_string(name) || value == NULL)
		return false;
	put_key(t, "", json_string_value(name));
	put_value(t, value);
	return true;
}

static void
put_json(struct record *t, const json_t *v, const char *parent, const char *key, unsigned depth)
{
	const char *name;
	json_t *inner;
	size_t i;

	if (depth == 0)
		return;
	if (json_is_array(v)) {
		json_array_foreach(v, i, inner) put_json(t, inner, parent, key, depth - 1);
	} else if (json_is_object(v)) {
		if (put_named(t, v))
			return;
		json_object_foreach((json_t *)v, name, inner)
		    put_json(t, inner, key, name, depth - 1);
	} else {
		put_key(t, parent, key);
		put_value(t, v);
	}
}

static bool
is_id_member(const char *key, const json_t *v)
{
	struct event_word w = { .key = key, .key_len = strlen(key) };

	if (!event_key_has(&w, "id") && !event_key_has(&w, "code"))
		return false;
	if (json_is_string(v))
		return event_id_is(json_string_value(v), json_string_length(v));
	return json_integer_value(v) == 12290 || json_integer_value(v) == 1073754114;
}

/* A member that events have, and that what is around them has not; objects inside belong to it. */
static bool
has_event_member(const json_t *object, unsigned depth)
{
	static const char *const texts[] = { "message", "_raw", "raw", "eventdata", "event_data",
		"properties", "replacementstrings" };
	const char *key;
	json_t *v;

	if (depth == 0)
		return false;
	json_object_foreach((json_t *)object, key, v)
	{
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			if (strcasecmp(key, texts[i]) == 0)
				return true;
		if (is_id_member(key, v) || (json_is_object(v) && has_event_member(v, depth - 1)))
			return true;
	}
	return false;
}

/* The fields by their names, with no object inside. */
static bool
is_flat_event(const json_t *object)
{
	struct event_columns c = { 0 };
	struct record t = { 0 };
	struct event_fields e;
	const char *key, *why;
	bool flat = true;
	json_t *v;

	json_object_foreach((json_t *)object, key, v) flat = flat && is_plain(v);
	if (flat)
		put_json(&t, object, "", "", 2);
	if (t.len > 0)
		event_columns_words(&c, t.text, t.len);
	flat = event_columns_event(&c, &e, &why) != EVENT_END;
	free(t.text);
	return flat;
}

/* An array in it has objects that are events by themselves. */
static bool
is_around_events(const json_t *v, unsigned depth)
{
	const char *key;
	json_t *inner;
	size_t i;

	if (depth == 0)
		return false;
	json_array_foreach(v, i,
	    inner) if (is_around_events(inner, depth - 1) ||
		       (json_is_object(inner) &&
			   (has_event_member(inner, DEPTH) || is_flat_event(inner)))) return true;
	if (json_is_object(v))
		json_object_foreach(
		    (json_t *)v, key, inner) if (is_around_events(inner, depth - 1)) return true;
	return false;
}

static bool
has_event(const json_t *object)
{
	struct record t = { 0 };
	struct event_find f;
	enum event_kind kind = EVENT_END;

	put_json(&t, object, "", "", DEPTH);
	if (t.len > 0 && !t.full) {
		event_find_start(&f, t.text, t.len);
		while ((kind = event_find_next(&f)) != EVENT_END && kind != EVENT_FOUND)
			;
	}
	free(t.text);
	return kind == EVENT_FOUND;
}

/* An object is an event's, or it is only around events: these are then looked at one by one. */
static bool
is_record(const json_t *object)
{
	return !is_around_events(object, DEPTH) &&
	       (has_event_member(object, DEPTH) || is_flat_event(object) || has_event(object));
}

/* The object that begins at p, if it is an event's. */
static json_t *
try_json(struct event_reader *r, const char *p, const char **after)
{
	json_error_t error;
	size_t left = (size_t)(r->end - p);
	json_t *json;

	if (left > r->json_left)
		return NULL;
	json = json_loadb(p, left, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
	left = error.position > 0 && (size_t)error.position < left ? (size_t)error.position : left;
	r->json_left -= left < r->json_left ? left : r->json_left;
	if (json == NULL) {
		r->json_from = p + left;
		return NULL;
	}
	*after = p + left;
	if (is_record(json))
		return json;
	json_decref(json);
	return NULL;
}

/* -- both -- */

static bool
begins_object(const char *p, const char *end)
{
	for (p++; p < end && isspace((unsigned char)*p); p++)
		;
	return p < end && *p == '"';
}

const char *
event_record_next(struct event_reader *r, const char *p, json_t **json, const char **after)
{
	*json = NULL;
	for (; p < r->end; p++) {
		if (*p == '<' && begins_event(p, r->end)) {
			*after = event_end(p, r->end);
			return p;
		}
		if (*p == '{' && p >= r->json_from && begins_object(p, r->end) &&
		    (*json = try_json(r, p, after)) != NULL)
			return p;
	}
	return r->end;
}

/* What a record has. */
struct content {
	bool found, broken, id;
	const char *why;
	struct event_fields first;
};

/* In a record, the name of a field tells whether a number is the event's. */
static bool
names_event(const struct event_word *w)
{
	return event_key_has(w, "id") || event_key_has(w, "code");
}

static void
look(struct event_reader *r, struct content *c, const struct record *t)
{
	struct event_columns columns = { 0 };
	struct event_find f;
	enum event_kind kind;

	event_find_start(&f, t->text, t->len);
	while ((kind = event_find_next(&f)) != EVENT_END) {
		if (kind == EVENT_FOUND && c->found)
			r->log->copies++;
		if (kind == EVENT_FOUND && !c->found) {
			c->found = true;
			c->first = f.fields;
		} else if (kind == EVENT_BROKEN && !c->broken) {
			c->broken = true;
			c->why = f.why;
		}
		c->id |= kind == EVENT_ID && names_event(&f.word);
	}
	if (c->found)
		return;
	event_columns_words(&columns, t->text, t->len);
	kind = event_columns_event(&columns, &c->first, &c->why);
	c->found = kind == EVENT_FOUND;
	c->broken |= kind == EVENT_BROKEN;
}

void
event_record_read(struct event_reader *r, const char *text, const char *after, json_t *json)
{
	size_t line = event_reader_line(r, text);
	struct record t = { 0 };
	struct content c = { 0 };
	bool copy = json == NULL && is_copy(r, text);

	if (json != NULL)
		put_json(&t, json, "", "", DEPTH);
	else
		put_xml(&t, text, after);
	json_decref(json);
	if (t.failed) {
		r->rc = KMS_E_NO_MEMORY;
		r->stop = true;
	} else if (t.len > 0) {
		look(r, &c, &t);
	}
	if (r->pending == line || copy)
		r->pending = 0;
	event_reader_flush(r);
	if (c.found && copy && r->have_last && event_same(&r->last, &c.first))
		r->log->copies++;
	else if (c.found)
		event_reader_found(r, &c.first, line, t.text, t.len);
	else if (c.broken)
		event_reader_broken(r, line, c.why);
	else if (c.id)
		event_reader_broken(r, line, "its fields are not there");
	free(t.text);
}
