/*
 * issue_output.c - see output.h. A JSON tree is built in both cases and printed at
 * the end, so that a command that fails half-way prints no half result.
 */
#include "kmsctl/issue/issue_output.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/values.h"

struct output {
	bool json;
	bool bad;
	json_t *root;
	json_t *list; /* borrowed; NULL outside a list */
	json_t *at;   /* borrowed: object that values go to */
};

struct output *
output_new(bool json)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o == NULL || (o->root = json_object()) == NULL) {
		free(o);
		return NULL;
	}
	o->json = json;
	o->at = o->root;
	return o;
}

void
output_free(struct output *o)
{
	if (o == NULL)
		return;
	json_decref(o->root);
	free(o);
}

static void
add(struct output *o, const char *key, json_t *value)
{
	if (json_object_set_new(o->at, key, value) != 0)
		o->bad = true;
}

void
output_text(struct output *o, const char *key, const char *value)
{
	add(o, key, json_string(value));
}

void
output_block(struct output *o, const char *key, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL) {
		o->bad = true;
		return;
	}
	for (char *c = copy; o->json && *c != '\0'; c++)
		if (*c == '\n')
			*c = '-';
	output_text(o, key, copy);
	free(copy);
}

void
output_number(struct output *o, const char *key, uint64_t value)
{
	add(o, key, json_integer((json_int_t)value));
}

void
output_flag(struct output *o, const char *key, bool value)
{
	add(o, key, json_boolean(value));
}

void
output_time(struct output *o, const char *key, uint64_t time)
{
	char s[VALUE_TIME + 1];

	output_text(o, key, value_time_format(s, time) ? s : "after the year 9999");
}

void
output_uuid(struct output *o, const char *key, const uint8_t id[16])
{
	char s[VALUE_UUID + 1];

	value_uuid_format(s, id);
	output_text(o, key, s);
}

void
output_hex(struct output *o, const char *key, const uint8_t *value, size_t len)
{
	char s[129];

	if (len > 64) {
		o->bad = true;
		return;
	}
	value_hex_format(s, value, len);
	output_text(o, key, s);
}

void
output_list(struct output *o, const char *key)
{
	o->list = json_array();
	add(o, key, o->list);
}

void
output_item(struct output *o)
{
	o->at = json_object();
	if (json_array_append_new(o->list, o->at) != 0)
		o->bad = true;
}

void
output_list_end(struct output *o)
{
	o->list = NULL;
	o->at = o->root;
}

static void
print_label(const char *key, unsigned indent)
{
	int width = 24 - (int)indent;

	printf("%*s", (int)indent, "");
	for (const char *c = key; *c != '\0'; c++, width--)
		putchar(*c == '_' ? ' ' : *c);
	printf("%*s", width > 1 ? width : 1, "");
}

static void
print_lines(const char *text)
{
	printf("\n\n    ");
	for (; *text != '\0'; text++)
		if (*text == '\n')
			printf("\n    ");
		else
			putchar(*text);
	printf("\n\n");
}

static void
print_scalar(const char *key, const json_t *v)
{
	if (json_is_string(v) && strchr(json_string_value(v), '\n') != NULL) {
		print_lines(json_string_value(v));
		return;
	}
	if (json_is_integer(v) && json_integer_value(v) == 0 && strcmp(key, "capacity") == 0)
		printf("no limit\n");
	else if (json_is_integer(v))
		printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(v));
	else if (json_is_boolean(v))
		printf("%s\n", json_is_true(v) ? "yes" : "no");
	else
		printf("%s\n", json_string_length(v) > 0 ? json_string_value(v) : "-");
}

static void
print_object(json_t *object, unsigned indent)
{
	const char *key;
	json_t *v, *item;
	size_t i;

	json_object_foreach(object, key, v)
	{
		if (!json_is_array(v)) {
			print_label(key, indent);
			print_scalar(key, v);
			continue;
		}
		printf("%*s%s\n", (int)indent, "", key);
		json_array_foreach(v, i, item)
		{
			print_object(item, indent + 4);
			if (i + 1 < json_array_size(v))
				putchar('\n');
		}
	}
}

bool
output_finish(struct output *o)
{
	if (o->bad)
		return false;
	if (o->json) {
		if (json_dumpf(o->root, stdout, JSON_INDENT(2)) != 0)
			return false;
		putchar('\n');
	} else {
		print_object(o->root, 0);
	}
	return fflush(stdout) == 0 && !ferror(stdout);
}
