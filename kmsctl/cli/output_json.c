/*
 * output_json.c - output for a program: one JSON object a command (RFC 8259),
 * a list's rows one a line and written as they come.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/output.h"

struct json {
	struct output base;
	json_t *object; /* the current object or row, NULL at the top */
	bool in_list, row_written, member_written;
};

static void
put_key(struct json *j, const char *key)
{
	fprintf(j->base.file, "%s  \"%s\": ", j->member_written ? ",\n" : "", key);
	j->member_written = true;
}

static void
dump(struct json *j, json_t *value)
{
	/* A write that failed is output_written's matter: the reader may have ended. */
	if (value == NULL ||
	    (json_dumpf(value, j->base.file, JSON_ENCODE_ANY) != 0 && !ferror(j->base.file)))
		j->base.failed = true;
	json_decref(value);
}

/*
 * A program prints what it read here: text in JSON follows the text rule too. New lines are
 * escaped, and stay.
 */
static json_t *
string_value(const char *text)
{
	char *safe = output_printable(text, true);
	json_t *v;

	v = safe != NULL ? json_string(safe) : NULL;
	free(safe);
	return v;
}

static json_t *
field_value(const struct output_field *f)
{
	if (f->none)
		return json_null();
	switch (f->type) {
	case OUTPUT_TEXT:
	case OUTPUT_BLOCK:
		return f->text == NULL ? json_null() : string_value(f->text);
	case OUTPUT_BOOL:
		return json_boolean(f->number != 0);
	case OUTPUT_TIME:
		if (f->number == 0)
			return json_null();
		break;
	default:
		break;
	}
	if (f->number > INT64_MAX) /* beyond jansson's integers */
		return json_real((double)f->number);
	return json_integer((json_int_t)f->number);
}

static void
json_begin_top(struct output *o)
{
	fputs("{\n", o->file);
}

static void
json_begin(struct output *o, const char *key, const char *heading, bool list)
{
	struct json *j = (struct json *)o;

	put_key(j, key);
	j->in_list = list;
	j->row_written = false;
	if (list)
		fputs("[", o->file);
	else if ((j->object = json_object()) == NULL)
		o->failed = true;
}

static void
finish_row(struct json *j)
{
	if (j->object == NULL)
		return;
	fputs(j->row_written ? ",\n    " : "\n    ", j->base.file);
	dump(j, j->object);
	j->object = NULL;
	j->row_written = true;
}

static void
json_row(struct output *o)
{
	struct json *j = (struct json *)o;

	finish_row(j);
	if ((j->object = json_object()) == NULL)
		o->failed = true;
}

static void
json_field(struct output *o, const struct output_field *f)
{
	struct json *j = (struct json *)o;

	if (f->key == NULL && j->in_list && j->object == NULL) { /* a value of the list itself */
		fputs(j->row_written ? ",\n    " : "\n    ", o->file);
		dump(j, field_value(f));
		j->row_written = true;
	} else if (f->key == NULL) {
		return;
	} else if (j->object == NULL) {
		put_key(j, f->key);
		dump(j, field_value(f));
	} else if (json_object_set_new(j->object, f->key, field_value(f)) != 0) {
		o->failed = true;
	}
}

static void
json_line(struct output *o, enum output_style style, const char *text)
{
}

static void
json_end(struct output *o)
{
	struct json *j = (struct json *)o;

	if (j->in_list) {
		finish_row(j);
		fputs(j->row_written ? "\n  ]" : "]", o->file);
		j->in_list = false;
	} else if (j->object != NULL) {
		dump(j, j->object);
		j->object = NULL;
	}
}

static void
json_close(struct output *o)
{
	json_end(o);
	fputs("\n}\n", o->file);
}

const struct output_format output_format_json = {
	.size = sizeof(struct json),
	.open = json_begin_top,
	.begin = json_begin,
	.row = json_row,
	.field = json_field,
	.line = json_line,
	.end = json_end,
	.close = json_close,
};
