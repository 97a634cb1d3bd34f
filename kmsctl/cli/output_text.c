/*
 * output_text.c - output for a person: sections of aligned fields, tables (output_table.h).
 */
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/output.h"
#include "kmsctl/cli/output_table.h"
#include "kmsctl/cli/screen.h"

#define HELD_FIELDS 64
#define INDENT 2

struct text {
	struct output base;
	bool in_object, in_list, printed;
	/* fields of the current object: label, value */
	char labels[HELD_FIELDS][TABLE_TITLE];
	struct cell values[HELD_FIELDS];
	unsigned fields;
	struct table table; /* the current list */
};

/* Columns on the screen. */
static unsigned
width(const char *s)
{
	return screen_columns(s, strlen(s));
}

static void
print_styled(struct text *t, enum output_style style, const char *s, unsigned at, unsigned hang)
{
	table_styled(t->base.file, t->base.colour, style, s, at, hang, t->base.width);
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
	print_styled(t, OUTPUT_HEADING, safe, 0, INDENT);
	free(safe);
	fputc('\n', t->base.file);
	t->printed = true;
}

static void
flush_fields(struct text *t)
{
	unsigned indent = t->in_object ? INDENT : 0, widest = 0, hang, i;

	for (i = 0; i < t->fields; i++)
		if (width(t->labels[i]) > widest)
			widest = width(t->labels[i]);
	hang = indent + widest + 3;
	for (i = 0; i < t->fields; i++) {
		fprintf(t->base.file, "%*s%s:%*s", (int)indent, "", t->labels[i],
		    (int)(widest - width(t->labels[i]) + 2), "");
		table_value(t->base.file, t->base.colour, t->values[i].style, t->values[i].text,
		    hang, indent + INDENT, t->base.width);
		fputc('\n', t->base.file);
		free(t->values[i].text);
		t->printed = true;
	}
	t->fields = 0;
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
	if (!table_begin(&t->table, o->file, o->colour, o->width))
		o->failed = true;
}

static void
text_row(struct output *o)
{
	table_row(&((struct text *)o)->table);
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
	c.spare = f->spare;
	c.words = f->type == OUTPUT_TEXT && !f->whole;
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
		t->printed = true;
		table_cell(&t->table, f->label, &c);
	} else {
		put_field(t, f, &c);
	}
}

static void
text_line(struct output *o, enum output_style style, const char *line)
{
	struct text *t = (struct text *)o;
	char *safe = output_printable(line, false);
	unsigned indent, own;

	flush_fields(t);
	if (safe == NULL) {
		o->failed = true;
		return;
	}
	indent = t->in_object || t->in_list ? INDENT : 0;
	own = (unsigned)strspn(safe, " "); /* a line that is indented stays so */
	fprintf(o->file, "%*s", (int)(indent + own), "");
	print_styled(t, style, safe + own, indent + own, indent + own + INDENT);
	fputc('\n', o->file);
	t->printed = true;
	free(safe);
}

static void
text_end(struct output *o)
{
	struct text *t = (struct text *)o;

	table_end(&t->table);
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
