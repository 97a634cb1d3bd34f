/*
 * output_text.c - output for a person: sections of aligned fields, tables.
 *
 * A table's widths come from its first rows, which are held back until they
 * are known; later rows stream.
 */
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/output.h"

#define COLUMNS 24
#define HELD_ROWS 256
#define HELD_FIELDS 64

struct cell {
	char *text;
	enum output_style style;
	bool number;
};
struct line {
	struct cell cells[COLUMNS];
};

struct text {
	struct output base;
	bool in_object, in_list, printed;
	/* fields of the current object: label, value */
	char labels[HELD_FIELDS][40];
	struct cell values[HELD_FIELDS];
	unsigned fields;
	/* rows of the current list */
	char titles[COLUMNS][40];
	int widths[COLUMNS];
	unsigned columns, column;
	struct line *rows; /* HELD_ROWS, allocated with the list */
	struct line current;
	unsigned row_count;
	bool row_open, streaming;
};

static const char *const colours[] = { "", "\033[32m", "\033[33m", "\033[31m", "\033[1m" };

/* Columns on the screen: code points, not bytes. */
static int
width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
print_styled(struct text *t, enum output_style style, const char *s)
{
	bool on = t->base.colour && style != OUTPUT_PLAIN;

	fprintf(t->base.file, "%s%s%s", on ? colours[style] : "", s, on ? "\033[0m" : "");
}

static void
pad(struct text *t, int n)
{
	if (n > 0)
		fprintf(t->base.file, "%*s", n, "");
}

static void
print_heading(struct text *t, const char *heading)
{
	char *safe;

	if (heading == NULL)
		return;
	if ((safe = output_printable(heading, false)) == NULL) {
		t->base.failed = true;
		return;
	}
	if (t->printed)
		fputc('\n', t->base.file);
	print_styled(t, OUTPUT_HEADING, safe);
	free(safe);
	fputc('\n', t->base.file);
	t->printed = true;
}

static void
flush_fields(struct text *t)
{
	const char *indent = t->in_object ? "  " : "";
	int widest = 0, w;
	unsigned i;

	for (i = 0; i < t->fields; i++)
		if ((w = width(t->labels[i])) > widest)
			widest = w;
	for (i = 0; i < t->fields; i++) {
		fprintf(t->base.file, "%s%s:", indent, t->labels[i]);
		pad(t, widest - width(t->labels[i]) + 2);
		print_styled(t, t->values[i].style, t->values[i].text);
		fputc('\n', t->base.file);
		free(t->values[i].text);
		t->printed = true;
	}
	t->fields = 0;
}

static void
print_row(struct text *t, struct line *row)
{
	struct cell *c;
	unsigned i;
	int fill;

	for (i = 0; i < t->columns; i++) {
		c = &row->cells[i];
		if (c->text == NULL)
			continue;
		fputs(i == 0 ? "  " : "  ", t->base.file);
		fill = t->widths[i] - width(c->text);
		if (c->number)
			pad(t, fill);
		print_styled(t, c->style, c->text);
		if (!c->number && i + 1 < t->columns)
			pad(t, fill);
		free(c->text);
		c->text = NULL;
	}
	fputc('\n', t->base.file);
}

static void
print_titles(struct text *t)
{
	bool number;
	unsigned i;
	int fill;

	for (i = 0; i < t->columns; i++) {
		number = t->rows[0].cells[i].number;
		fill = t->widths[i] - width(t->titles[i]);
		fputs("  ", t->base.file);
		if (number)
			pad(t, fill);
		print_styled(t, OUTPUT_HEADING, t->titles[i]);
		if (!number && i + 1 < t->columns)
			pad(t, fill);
	}
	fputc('\n', t->base.file);
}

/* The held rows give the widths; from here on rows stream. */
static void
start_table(struct text *t)
{
	unsigned i, r;
	int w;

	for (i = 0; i < t->columns; i++) {
		t->widths[i] = width(t->titles[i]);
		for (r = 0; r < t->row_count; r++) {
			w = t->rows[r].cells[i].text ? width(t->rows[r].cells[i].text) : 0;
			if (w > t->widths[i])
				t->widths[i] = w;
		}
	}
	if (t->row_count > 0)
		print_titles(t);
	for (r = 0; r < t->row_count; r++)
		print_row(t, &t->rows[r]);
	t->streaming = true;
	t->printed = true;
}

static void
finish_row(struct text *t)
{
	if (!t->row_open)
		return;
	t->row_open = false;
	t->columns = t->column > t->columns ? t->column : t->columns;
	if (t->streaming) {
		print_row(t, &t->current);
		return;
	}
	t->rows[t->row_count++] = t->current;
	memset(&t->current, 0, sizeof(t->current));
	if (t->row_count == HELD_ROWS)
		start_table(t);
}

static void
text_open(struct output *o)
{
}

static void
text_begin(struct output *o, const char *key, const char *heading, bool list)
{
	struct text *t = (struct text *)o;

	flush_fields(t);
	print_heading(t, heading);
	t->in_object = !list;
	t->in_list = list;
	if (!list)
		return;
	t->columns = t->column = t->row_count = 0;
	t->streaming = t->row_open = false;
	t->rows = calloc(HELD_ROWS, sizeof(*t->rows));
	if (t->rows == NULL)
		o->failed = true;
}

static void
text_row(struct output *o)
{
	struct text *t = (struct text *)o;

	if (t->rows == NULL)
		return;
	finish_row(t);
	t->column = 0;
	t->row_open = true;
}

static void
put_cell(struct text *t, const struct output_field *f, const struct cell *c)
{
	if (t->rows == NULL || t->column >= COLUMNS) {
		free(c->text);
		return;
	}
	if (t->row_count == 0)
		snprintf(t->titles[t->column], sizeof(*t->titles), "%s", f->label);
	t->current.cells[t->column++] = *c;
}

static void
put_field(struct text *t, const struct output_field *f, const struct cell *c)
{
	if (t->fields == HELD_FIELDS)
		flush_fields(t);
	snprintf(t->labels[t->fields], sizeof(*t->labels), "%s", f->label);
	t->values[t->fields++] = *c;
}

static void
text_field(struct output *o, const struct output_field *f)
{
	struct text *t = (struct text *)o;
	struct cell c;

	if (f->label == NULL)
		return;
	c.text = output_value(f);
	c.style = f->style;
	c.number = f->type == OUTPUT_NUMBER || f->type == OUTPUT_LIMIT || f->type == OUTPUT_OCTETS;
	if (c.text == NULL) {
		o->failed = true;
	} else if (f->type == OUTPUT_BLOCK) {
		flush_fields(t);
		fputs(c.text, o->file);
		if (*c.text && c.text[strlen(c.text) - 1] != '\n')
			fputc('\n', o->file);
		free(c.text);
		t->printed = true;
	} else if (t->in_list) {
		put_cell(t, f, &c);
	} else {
		put_field(t, f, &c);
	}
}

static void
text_line(struct output *o, enum output_style style, const char *line)
{
	struct text *t = (struct text *)o;
	char *safe = output_printable(line, false);

	flush_fields(t);
	if (safe == NULL) {
		o->failed = true;
		return;
	}
	if (t->in_object || t->in_list)
		fputs("  ", o->file);
	print_styled(t, style, safe);
	fputc('\n', o->file);
	t->printed = true;
	free(safe);
}

static void
text_end(struct output *o)
{
	struct text *t = (struct text *)o;

	if (t->in_list && t->rows != NULL) {
		finish_row(t);
		if (!t->streaming)
			start_table(t);
		free(t->rows);
		t->rows = NULL;
	}
	flush_fields(t);
	t->in_object = t->in_list = false;
}

static void
text_close(struct output *o)
{
	text_end(o);
}

const struct output_format output_format_text = {
	.size = sizeof(struct text),
	.open = text_open,
	.begin = text_begin,
	.row = text_row,
	.field = text_field,
	.line = text_line,
	.end = text_end,
	.close = text_close,
};
