/*
 * output_table.h - a list as a table for a person, as wide as the screen.
 *
 * Widths come from the first rows, which are held back until they are known; later rows stream. A
 * table that is too wide leaves out the columns that its command can spare, then breaks long texts
 * within their columns. If that is not enough, it shows a row as lines of "title: value".
 */
#ifndef KMSCTL_CLI_OUTPUT_TABLE_H
#define KMSCTL_CLI_OUTPUT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kmsctl/cli/output.h"

#define TABLE_COLUMNS 24
#define TABLE_TITLE 40

struct cell {
	char *text; /* malloc'd; the table frees it */
	enum output_style style;
	bool number; /* to the right */
	bool words;  /* may be broken between words */
	uint8_t spare;
};
struct table_row {
	struct cell cells[TABLE_COLUMNS];
};

struct table {
	FILE *file;
	bool colour;
	unsigned width; /* of the screen; 0: any */
	char titles[TABLE_COLUMNS][TABLE_TITLE];
	unsigned widths[TABLE_COLUMNS];
	bool left_out[TABLE_COLUMNS];
	unsigned columns, column;
	struct table_row *rows; /* allocated with the list; NULL: there is no table */
	struct table_row current;
	unsigned row_count;
	bool row_open, streaming, records;
};

bool table_begin(struct table *t, FILE *file, bool colour, unsigned width);
void table_row(struct table *t);
/* Takes c->text. */
void table_cell(struct table *t, const char *title, const struct cell *c);
/* Prints what is held back and frees it. */
void table_end(struct table *t);

/*
 * A value behind its label, which ended before column at: in the next line, indented by under,
 * where there is no room beside it. As table_styled.
 */
void table_value(FILE *file, bool colour, enum output_style style, const char *text, unsigned at,
    unsigned under, unsigned width);
/* Text in a colour, if the terminal has them; as screen_print. */
void table_styled(FILE *file, bool colour, enum output_style style, const char *text, unsigned at,
    unsigned hang, unsigned width);

#endif
