/*
 * csv.h - a cell of CSV (RFC 4180), for all programs.
 */
#ifndef KMSCTL_CLI_CSV_H
#define KMSCTL_CLI_CSV_H

#include <stdbool.h>
#include <stdio.h>

/*
 * The text as a cell, in quotes where necessary, and what follows it: a comma, or the line's end.
 * It follows the text rule. Spreadsheets take a cell that begins with = + - @, or a control
 * character, for a formula, and names come from the network: such a cell gets an apostrophe before
 * it, also after a semicolon, where some spreadsheets begin a new cell. A number is not text.
 * False: no memory.
 */
bool csv_cell(FILE *to, const char *text, bool number, bool last);

#endif
