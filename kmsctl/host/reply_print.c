/*
 * reply_print.c - printing the rows of a reply by the table of its fields.
 */
#include <string.h>

#include "kmsctl/host/reply.h"
#include "kmsctl/host/reply_fields.h"

#define COLUMNS_MAX 64

/* Names have hyphens on the wire and underscores in JSON, as jq needs. */
static void
print_field(
    struct output *o, const char *name, const struct reply_known *k, const struct reply_field *f)
{
	struct output_field out = { .label = k != NULL ? k->label : name };
	char key[256];
	size_t i;

	for (i = 0; name[i] != '\0' && i < sizeof(key) - 1; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[i] = '\0';
	out.key = key;
	if (k != NULL)
		out.type = k->type;
	else
		out.type = f != NULL && f->type == 'u' ? OUTPUT_NUMBER : OUTPUT_TEXT;
	if (f == NULL) {
		out.none = true;
	} else {
		out.text = f->text;
		out.number = f->number;
	}
	output_put(o, &out);
}

void
reply_print_fields(struct output *o, const struct reply_row *row)
{
	const struct reply_known *k;
	const struct reply_field *f;
	unsigned i;

	for (k = reply_fields; k->kind != NULL; k++)
		if (strcmp(k->kind, row->kind) == 0 && (f = reply_field(row, k->name)) != NULL)
			print_field(o, k->name, k, f);
	for (i = 0; i < row->count; i++)
		if (reply_known(row->kind, row->fields[i].name) == NULL)
			print_field(o, row->fields[i].name, NULL, &row->fields[i]);
}

/* Columns of a list: known fields that some row has, then unknown ones. */
struct columns {
	const char *names[COLUMNS_MAX];
	const struct reply_known *known[COLUMNS_MAX];
	unsigned count;
};

static bool
some_row_has(const struct reply *r, const char *kind, const char *name)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(r, kind, row)) != NULL)
		if (reply_field(row, name) != NULL)
			return true;
	return false;
}

static void
columns_add(struct columns *c, const char *name, const struct reply_known *k)
{
	unsigned i;

	for (i = 0; i < c->count; i++)
		if (strcmp(c->names[i], name) == 0)
			return;
	if (c->count == sizeof(c->names) / sizeof(*c->names))
		return;
	c->names[c->count] = name;
	c->known[c->count++] = k;
}

/* NULL: every name is. */
static bool
listed(const char *const *names, const char *name)
{
	if (names == NULL)
		return true;
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static void
columns_find(struct columns *c, const struct reply *r, const char *kind, const char *const *only)
{
	const struct reply_row *row = NULL;
	unsigned i;

	c->count = 0;
	for (const struct reply_known *k = reply_fields; k->kind != NULL; k++)
		if (strcmp(k->kind, kind) == 0 && some_row_has(r, kind, k->name) &&
		    listed(only, k->name))
			columns_add(c, k->name, k);
	while (only == NULL && (row = reply_next(r, kind, row)) != NULL)
		for (i = 0; i < row->count; i++)
			if (reply_known(kind, row->fields[i].name) == NULL)
				columns_add(c, row->fields[i].name, NULL);
}

unsigned
reply_print_some(struct output *o, const struct reply *r, const struct reply_some *some)
{
	const struct reply_row *row = NULL;
	const char *kind = some->kind;
	unsigned i, left = 0, shown = 0;
	struct columns c;

	columns_find(&c, r, kind, some->only);
	output_list(o, some->key, c.count > 0 ? some->heading : NULL);
	while ((row = reply_next(r, kind, row)) != NULL) {
		if (some->most != 0 && shown++ >= some->most) {
			left++;
			continue;
		}
		output_row(o);
		for (i = 0; i < c.count; i++)
			print_field(o, c.names[i], c.known[i], reply_field(row, c.names[i]));
	}
	output_end(o);
	return left;
}

void
reply_print_list(
    struct output *o, const struct reply *r, const char *kind, const char *key, const char *heading)
{
	const struct reply_some all = { .kind = kind, .key = key, .heading = heading };

	reply_print_some(o, r, &all);
}
