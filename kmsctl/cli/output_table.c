/*
 * output_table.c - see output_table.h.
 */
#include "kmsctl/cli/output_table.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/screen.h"

#define HELD_ROWS 256
#define GAP 2          /* before each column */
#define VALUE_LEAST 12 /* columns beside a label */
#define WORD_MOST 24   /* columns that a word may claim for itself */

static const char *const colours[] = { "", "\033[32m", "\033[33m", "\033[31m", "\033[1m" };

static unsigned
columns_of(const char *text)
{
	return text != NULL ? screen_columns(text, strlen(text)) : 0;
}

void
table_styled(FILE *file, bool colour, enum output_style style, const char *text, unsigned at,
    unsigned hang, unsigned width)
{
	bool on = colour && style != OUTPUT_PLAIN;

	fputs(on ? colours[style] : "", file);
	screen_print(file, text, at, hang, width);
	fputs(on ? "\033[0m" : "", file);
}

void
table_value(FILE *file, bool colour, enum output_style style, const char *text, unsigned at,
    unsigned under, unsigned width)
{
	bool below = width != 0 && at + VALUE_LEAST > width && at > under;

	if (below)
		fprintf(file, "\n%*s", (int)under, "");
	table_styled(file, colour, style, text, below ? under : at, below ? under : at, width);
}

static void
pad(struct table *t, unsigned n)
{
	fprintf(t->file, "%*s", (int)n, "");
}

/* -- what fits -- */

static unsigned
longest_word(const char *text)
{
	unsigned longest = 0;

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, " ");
		unsigned n = screen_columns(text, len);

		longest = n > longest ? n : longest;
		text += len + strspn(text + len, " ");
	}
	return longest;
}

/* How narrow a column may become. */
static unsigned
least_width(const struct table *t, unsigned column)
{
	unsigned least = columns_of(t->titles[column]), n;

	/* What can be spared is left out whole, so that a row stays one line. */
	if (!t->rows[0].cells[column].words || t->rows[0].cells[column].spare > 0)
		return t->widths[column];
	for (unsigned r = 0; r < t->row_count; r++) {
		n = longest_word(t->rows[r].cells[column].text);
		n = n < WORD_MOST ? n : WORD_MOST;
		least = n > least ? n : least;
	}
	return least < t->widths[column] ? least : t->widths[column];
}

static unsigned
total(const struct table *t, const unsigned widths[TABLE_COLUMNS])
{
	unsigned sum = 0;

	for (unsigned i = 0; i < t->columns; i++)
		sum += t->left_out[i] ? 0 : widths[i] + GAP;
	return sum;
}

/* The one that its command can spare most; false: none is left. */
static bool
leave_one_out(struct table *t)
{
	unsigned most = 0, column = 0;

	for (unsigned i = 0; i < t->columns; i++)
		if (!t->left_out[i] && t->rows[0].cells[i].spare > most) {
			most = t->rows[0].cells[i].spare;
			column = i;
		}
	if (most > 0)
		t->left_out[column] = true;
	return most > 0;
}

static void
narrow_widest(struct table *t, const unsigned least[TABLE_COLUMNS])
{
	unsigned column = TABLE_COLUMNS;

	for (unsigned i = 0; i < t->columns; i++)
		if (!t->left_out[i] && t->widths[i] > least[i] &&
		    (column == TABLE_COLUMNS || t->widths[i] > t->widths[column]))
			column = i;
	if (column < TABLE_COLUMNS)
		t->widths[column]--;
}

static void
fit(struct table *t)
{
	unsigned least[TABLE_COLUMNS];

	if (t->width == 0 || total(t, t->widths) <= t->width)
		return;
	for (unsigned i = 0; i < t->columns; i++)
		least[i] = least_width(t, i);
	while (total(t, least) > t->width)
		if (!leave_one_out(t)) {
			t->records = true;
			memset(t->left_out, 0, sizeof(t->left_out));
			return;
		}
	while (total(t, t->widths) > t->width)
		narrow_widest(t, least);
}

/* -- rows -- */

/* NULL: no memory. */
static char *
first_bytes(const char *text, size_t len)
{
	char *out = malloc(len + 1);

	if (out != NULL) {
		memcpy(out, text, len);
		out[len] = '\0';
	}
	return out;
}

/* One line of a row. rest: what is still to be printed of each cell. True: there is more. */
static bool
print_line(struct table *t, const struct table_row *row, const char *rest[TABLE_COLUMNS])
{
	unsigned owed = 0; /* blanks before what comes next */
	bool more = false;

	for (unsigned i = 0; i < t->columns; i++) {
		const struct cell *c = &row->cells[i];
		size_t len;
		char *part;
		unsigned fill;

		if (t->left_out[i] || c->text == NULL)
			continue;
		len =
		    c->words && t->width != 0 ? screen_fit(rest[i], t->widths[i]) : strlen(rest[i]);
		part = first_bytes(rest[i], len);
		fill = columns_of(part);
		fill = fill < t->widths[i] ? t->widths[i] - fill : 0;
		owed += GAP + (c->number ? fill : 0);
		if (len > 0) {
			pad(t, owed);
			table_styled(
			    t->file, t->colour, c->style, part != NULL ? part : "", 0, 0, 0);
			owed = 0;
		} else {
			owed += c->number ? 0 : t->widths[i] - fill;
		}
		owed += c->number ? 0 : fill;
		free(part);
		rest[i] += len;
		rest[i] += strspn(rest[i], " ");
		more = more || *rest[i] != '\0';
	}
	fputc('\n', t->file);
	return more;
}

static void
print_record(struct table *t, const struct table_row *row)
{
	unsigned widest = 0, hang;

	for (unsigned i = 0; i < t->columns; i++)
		if (columns_of(t->titles[i]) > widest)
			widest = columns_of(t->titles[i]);
	hang = GAP + widest + 1 + GAP;
	for (unsigned i = 0; i < t->columns; i++) {
		if (row->cells[i].text == NULL)
			continue;
		fprintf(t->file, "%*s%s:", GAP, "", t->titles[i]);
		pad(t, widest - columns_of(t->titles[i]) + GAP);
		table_value(t->file, t->colour, row->cells[i].style, row->cells[i].text, hang,
		    2 * GAP, t->width);
		fputc('\n', t->file);
	}
}

static void
print_row(struct table *t, struct table_row *row)
{
	const char *rest[TABLE_COLUMNS];

	for (unsigned i = 0; i < t->columns; i++)
		rest[i] = row->cells[i].text;
	if (t->records)
		print_record(t, row);
	else
		while (print_line(t, row, rest))
			;
	for (unsigned i = 0; i < t->columns; i++)
		free(row->cells[i].text);
	memset(row, 0, sizeof(*row));
}

static void
print_titles(struct table *t)
{
	struct table_row titles = { 0 };
	const char *rest[TABLE_COLUMNS];

	for (unsigned i = 0; i < t->columns; i++) {
		titles.cells[i] = (struct cell){ t->titles[i], OUTPUT_HEADING,
			.number = t->rows[0].cells[i].number };
		rest[i] = t->titles[i];
	}
	print_line(t, &titles, rest);
}

static void
start(struct table *t)
{
	for (unsigned i = 0; i < t->columns; i++) {
		t->widths[i] = columns_of(t->titles[i]);
		for (unsigned r = 0; r < t->row_count; r++) {
			unsigned n = columns_of(t->rows[r].cells[i].text);

			t->widths[i] = n > t->widths[i] ? n : t->widths[i];
		}
	}
	fit(t);
	if (t->row_count > 0 && !t->records)
		print_titles(t);
	for (unsigned r = 0; r < t->row_count; r++) {
		if (t->records && r > 0)
			fputc('\n', t->file);
		print_row(t, &t->rows[r]);
	}
	t->streaming = true;
}

static void
finish_row(struct table *t)
{
	if (!t->row_open)
		return;
	t->row_open = false;
	t->columns = t->column > t->columns ? t->column : t->columns;
	if (t->streaming) {
		if (t->records)
			fputc('\n', t->file);
		print_row(t, &t->current);
		return;
	}
	t->rows[t->row_count++] = t->current;
	memset(&t->current, 0, sizeof(t->current));
	if (t->row_count == HELD_ROWS)
		start(t);
}

bool
table_begin(struct table *t, FILE *file, bool colour, unsigned width)
{
	memset(t, 0, sizeof(*t));
	t->file = file;
	t->colour = colour;
	t->width = width;
	t->rows = calloc(HELD_ROWS, sizeof(*t->rows));
	return t->rows != NULL;
}

void
table_row(struct table *t)
{
	if (t->rows == NULL)
		return;
	finish_row(t);
	t->column = 0;
	t->row_open = true;
}

void
table_cell(struct table *t, const char *title, const struct cell *c)
{
	if (t->rows == NULL || t->column >= TABLE_COLUMNS) {
		free(c->text);
		return;
	}
	if (t->row_count == 0)
		snprintf(t->titles[t->column], sizeof(*t->titles), "%s", title);
	t->current.cells[t->column++] = *c;
}

/* "(no room for: VM, CMID)" */
static void
print_left_out(struct table *t)
{
	char text[TABLE_COLUMNS * (TABLE_TITLE + 2) + 64];
	int at = snprintf(text, sizeof(text), "(no room for:");
	bool some = false;

	for (unsigned i = 0; i < t->columns; i++)
		if (t->left_out[i]) {
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s %s",
			    some ? "," : "", t->titles[i]);
			some = true;
		}
	if (!some)
		return;
	snprintf(text + at, sizeof(text) - (size_t)at, ")");
	pad(t, GAP);
	screen_print(t->file, text, GAP, GAP + 1, t->width);
	fputc('\n', t->file);
}

void
table_end(struct table *t)
{
	if (t->rows == NULL)
		return;
	finish_row(t);
	if (!t->streaming)
		start(t);
	print_left_out(t);
	free(t->rows);
	t->rows = NULL;
}
