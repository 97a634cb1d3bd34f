/*
 * event_record.c - see event_record.h. A record is made into plain text, so that one function finds
 * the fields of all forms.
 */
#include "kmsctl/relay/event_record.h"

#include <ctype.h>

#include "kmsctl/relay/event_json.h"
#include "kmsctl/relay/event_xml.h"
#include "libkms/kms_error.h"

/* The object that begins at p, if it is an event's. */
static json_t *
try_json(struct event_reader *r, const char *p, const char **after)
{
	json_error_t error;
	size_t left = (size_t)(r->end - p);
	json_t *json;

	if (left > r->left)
		return NULL;
	json = json_loadb(p, left, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
	left = error.position > 0 && (size_t)error.position < left ? (size_t)error.position : left;
	r->left -= left < r->left ? left : r->left;
	if (json == NULL) {
		r->json_from = p + left;
		return NULL;
	}
	*after = p + left;
	if (event_json_is_record(json))
		return json;
	json_decref(json);
	return NULL;
}

/* How many different events are in it; 2: or more. */
static unsigned
events_in(const struct event_buffer *t)
{
	struct event_fields last;
	struct event_find f;
	enum event_kind kind;
	unsigned n = 0;

	event_find_start(&f, t->text, t->len);
	while (n < 2 && (kind = event_find_next(&f)) != EVENT_END) {
		if (kind != EVENT_FOUND || (n > 0 && event_same(&last, &f.fields)))
			continue;
		last = f.fields;
		n++;
	}
	return n;
}

/* A record of XML begins at p. An object may be a list of events: it is none then. */
static bool
is_xml(struct event_reader *r, const char *p, const char **after)
{
	struct event_buffer t = { 0 };
	bool one = true;

	*after = event_xml_end(p, r->end, &r->left);
	if (*after == NULL || event_xml_is_event(p, r->end))
		return *after != NULL;
	event_xml_put(&t, p, *after);
	if (t.len > 0)
		one = events_in(&t) < 2;
	event_buffer_free(&t);
	return one;
}

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
		if (*p == '<' && is_xml(r, p, after))
			return p;
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
look(struct event_reader *r, struct content *c, const struct event_buffer *t)
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
	struct event_buffer t = { 0 };
	struct content c = { 0 };
	bool copy = json == NULL && event_xml_is_copy(r->text, text);

	if (json != NULL)
		event_json_put(&t, json);
	else
		event_xml_put(&t, text, after);
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
		event_reader_broken(r, line, "its fields are missing");
	event_buffer_free(&t);
}
