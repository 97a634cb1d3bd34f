/*
 * event_json.c - see event_json.h. Programs nest an event as they like: PowerShell has an array
 * of Properties, Winlogbeat objects in objects, Elasticsearch an array of hits around them.
 */
#include "kmsctl/relay/event_json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/relay/event_columns.h"
#include "kmsctl/relay/event_find.h"

#define DEPTH 32 /* of JSON that is looked at */
#define KEY 64

/* "parent.key=", as far as it makes one word. */
static void
put_key(struct event_buffer *t, const char *parent, const char *key)
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
	event_buffer_put(t, text, n);
}

static void
put_value(struct event_buffer *t, const json_t *value)
{
	char number[24];

	if (json_is_string(value))
		event_buffer_put(t, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		event_buffer_put(t, number,
		    (size_t)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			json_integer_value(value)));
	else if (json_is_boolean(value))
		event_buffer_put(
		    t, json_is_true(value) ? "True" : "False", json_is_true(value) ? 4 : 5);
	event_buffer_put(t, ",\n", 2);
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
put_named(struct event_buffer *t, const json_t *object)
{
	const json_t *name = member(object, name_names), *value = member(object, value_names);

	if (json_object_size(object) > 4 || !json_is_string(name) || value == NULL)
		return false;
	put_key(t, "", json_string_value(name));
	put_value(t, value);
	return true;
}

static void
put_json(
    struct event_buffer *t, const json_t *v, const char *parent, const char *key, unsigned depth)
{
	const char *name;
	json_t *inner;
	size_t i;

	if (depth == 0)
		return;
	if (json_is_array(v)) {
		json_array_foreach(v, i, inner)
		{
			put_json(t, inner, parent, key, depth - 1);
		}
	} else if (json_is_object(v)) {
		if (put_named(t, v))
			return;
		json_object_foreach((json_t *)v, name, inner)
		{
			put_json(t, inner, key, name, depth - 1);
		}
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
	struct event_buffer t = { 0 };
	struct event_fields e;
	const char *key, *why;
	bool flat = true;
	json_t *v;

	json_object_foreach((json_t *)object, key, v)
	{
		flat = flat && is_plain(v);
	}
	if (flat)
		put_json(&t, object, "", "", 2);
	if (t.len > 0)
		event_columns_words(&c, t.text, t.len);
	flat = event_columns_event(&c, &e, &why) != EVENT_END;
	event_buffer_free(&t);
	return flat;
}

static bool
is_event(const json_t *object)
{
	return has_event_member(object, DEPTH) || is_flat_event(object);
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
	json_array_foreach(v, i, inner)
	{
		if (json_is_object(inner) && is_event(inner))
			return true;
		if (is_around_events(inner, depth - 1))
			return true;
	}
	if (!json_is_object(v))
		return false;
	json_object_foreach((json_t *)v, key, inner)
	{
		if (is_around_events(inner, depth - 1))
			return true;
	}
	return false;
}

static bool
has_event(const json_t *object)
{
	struct event_buffer t = { 0 };
	struct event_find f;
	enum event_kind kind = EVENT_END;

	put_json(&t, object, "", "", DEPTH);
	if (t.len > 0 && !t.full) {
		event_find_start(&f, t.text, t.len);
		while ((kind = event_find_next(&f)) != EVENT_END && kind != EVENT_FOUND)
			;
	}
	event_buffer_free(&t);
	return kind == EVENT_FOUND;
}

bool
event_json_is_record(const json_t *object)
{
	return !is_around_events(object, DEPTH) && (is_event(object) || has_event(object));
}

void
event_json_put(struct event_buffer *t, const json_t *object)
{
	put_json(t, object, "", "", DEPTH);
}
