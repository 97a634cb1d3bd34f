/*
 * output_csv.c - the first list of an answer as CSV, with a line of its keys. What else there is
 * to say goes to standard error, if it matters.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/csv.h"
#include "kmsctl/cli/output.h"

#define COLUMNS 64

struct csv {
	struct output base;
	bool in_list, over, titled;
	char *titles[COLUMNS], *cells[COLUMNS];
	bool numbers[COLUMNS];
	unsigned count;
	const char *columns; /* of a list without rows; NULL: nobody said */
};

static void
csv_open(struct output *o)
{
}

static void
csv_begin(struct output *o, const char *key, const char *heading, bool list)
{
	struct csv *c = (struct csv *)o;

	c->in_list = list && !c->over;
}

static void
csv_columns(struct output *o, const char *keys)
{
	struct csv *c = (struct csv *)o;

	if (c->in_list)
		c->columns = keys;
}

static void
print(struct csv *c, char *cells[COLUMNS], const bool *numbers)
{
	for (unsigned i = 0; i < c->count; i++)
		if (cells[i] == NULL || !csv_cell(c->base.file, cells[i],
					    numbers != NULL && numbers[i], i + 1 == c->count))
			c->base.failed = true;
}

static void
clear(struct csv *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		free(c->titles[i]);
		free(c->cells[i]);
	}
	c->count = 0;
}

static void
finish_row(struct csv *c)
{
	if (c->count == 0)
		return;
	if (!c->titled)
		print(c, c->titles, NULL);
	c->titled = true;
	print(c, c->cells, c->numbers);
	clear(c);
}

static void
csv_row(struct output *o)
{
	finish_row((struct csv *)o);
}

/* What is unknown, or never was, is an empty cell. */
static char *
cell_text(const struct output_field *f)
{
	bool text = f->type == OUTPUT_TEXT || f->type == OUTPUT_BLOCK;
	char number[24];

	if (f->none || (text && (f->text == NULL || *f->text == '\0')) ||
	    (f->type == OUTPUT_TIME && f->number == 0))
		return strdup("");
	if (text || f->type == OUTPUT_BOOL || f->type == OUTPUT_TIME)
		return output_value(f);
	snprintf(number, sizeof(number), "%" PRIu64, f->number);
	return strdup(number);
}

static void
csv_field(struct output *o, const struct output_field *f)
{
	struct csv *c = (struct csv *)o;

	if (!c->in_list || f->key == NULL || c->count == COLUMNS)
		return;
	c->titles[c->count] = strdup(f->key);
	c->cells[c->count] = cell_text(f);
	c->numbers[c->count++] = f->type != OUTPUT_TEXT && f->type != OUTPUT_BLOCK;
}

static void
csv_line(struct output *o, enum output_style style, const char *text)
{
	if (style == OUTPUT_WARN || style == OUTPUT_BAD)
		output_say(stderr, "%s", text);
}

static void
csv_end(struct output *o)
{
	struct csv *c = (struct csv *)o;

	if (!c->in_list)
		return;
	finish_row(c);
	if (!c->titled && c->columns != NULL)
		fprintf(c->base.file, "%s\r\n", c->columns);
	c->in_list = false;
	c->over = true;
}

static void
csv_close(struct output *o)
{
	csv_end(o);
}

const struct output_format output_format_csv = {
	.size = sizeof(struct csv),
	.open = csv_open,
	.begin = csv_begin,
	.row = csv_row,
	.field = csv_field,
	.line = csv_line,
	.end = csv_end,
	.close = csv_close,
	.columns = csv_columns,
};
