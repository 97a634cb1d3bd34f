/*
 * output_lines.c - one value a line: in a column after its name (kmsissue), or as "name: value"
 * (kmsclient).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/output.h"

#define COLUMN 24 /* where values begin */
#define INDENT 4  /* of a list's rows */

struct lines {
	struct output base;
	bool in_list, row_written;
};

static void
lines_open(struct output *o)
{
}

/* A name of several words, for a person. Returns its length. */
static int
put_name(FILE *f, const char *name)
{
	int n = 0;

	for (; name != NULL && name[n] != '\0'; n++)
		fputc(name[n] == '_' ? ' ' : name[n], f);
	return n;
}

static void
columns_begin(struct output *o, const char *key, const char *heading, bool list)
{
	struct lines *l = (struct lines *)o;

	put_name(o->file, key);
	fputc('\n', o->file);
	l->in_list = list;
	l->row_written = false;
}

/* An empty line between rows. */
static void
columns_row(struct output *o)
{
	struct lines *l = (struct lines *)o;

	if (l->row_written)
		fputc('\n', o->file);
	l->row_written = true;
}

static void
print_block(FILE *f, const char *text)
{
	fputs("\n\n    ", f);
	for (; *text != '\0'; text++)
		if (*text == '\n')
			fputs("\n    ", f);
		else
			fputc(*text, f);
	fputs("\n\n", f);
}

static void
columns_field(struct output *o, const struct output_field *f)
{
	int indent = ((struct lines *)o)->in_list ? INDENT : 0, width = COLUMN - indent;
	char *value = output_value(f);

	if (value == NULL) {
		o->failed = true;
		return;
	}
	fprintf(o->file, "%*s", indent, "");
	width -= put_name(o->file, f->label);
	if (f->label != NULL)
		fprintf(o->file, "%*s", width > 1 ? width : 1, "");
	if (f->type == OUTPUT_BLOCK)
		print_block(o->file, value);
	else
		fprintf(o->file, "%s\n", value);
	free(value);
}

static void
pairs_begin(struct output *o, const char *key, const char *heading, bool list)
{
	((struct lines *)o)->in_list = list;
}

static void
pairs_row(struct output *o)
{
}

static void
pairs_field(struct output *o, const struct output_field *f)
{
	char *value = output_value(f);

	if (value == NULL)
		o->failed = true;
	else if (f->label == NULL)
		fprintf(o->file, "%s\n", value);
	else
		fprintf(o->file, "%s: %s\n", f->label, value);
	free(value);
}

static void
lines_line(struct output *o, enum output_style style, const char *text)
{
	output_say(o->file, "%s", text);
}

static void
lines_end(struct output *o)
{
	((struct lines *)o)->in_list = false;
}

const struct output_format output_format_columns = {
	.size = sizeof(struct lines),
	.open = lines_open,
	.begin = columns_begin,
	.row = columns_row,
	.field = columns_field,
	.line = lines_line,
	.end = lines_end,
	.close = lines_end,
};

const struct output_format output_format_pairs = {
	.size = sizeof(struct lines),
	.open = lines_open,
	.begin = pairs_begin,
	.row = pairs_row,
	.field = pairs_field,
	.line = lines_line,
	.end = lines_end,
	.close = lines_end,
};
