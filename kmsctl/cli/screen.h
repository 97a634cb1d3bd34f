/*
 * screen.h - how wide the terminal is, and text that is broken between words to fit it. What goes
 * to a file or a pipe is never broken: a program reads it.
 */
#ifndef KMSCTL_CLI_SCREEN_H
#define KMSCTL_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SCREEN_WIDTH 80 /* of a terminal that does not tell its own */
#define SCREEN_LEAST 40 /* a narrower one is treated as that wide */

/*
 * Columns of the terminal that the file goes to; 0: it is no terminal. A terminal that does not
 * tell: $COLUMNS.
 */
unsigned screen_width(FILE *file);

/* Columns on the screen: code points, not bytes. */
unsigned screen_columns(const char *text, size_t len);

/*
 * How many bytes of text fit into room columns and end before a blank, or are whole; at least one
 * character. A command to type (kmsctl ...) is not broken when it fits into a line of its own, so
 * that it can be copied, nor is what stands in brackets. room 0: all.
 */
size_t screen_fit(const char *text, unsigned room);
/*
 * Prints text that begins in column at. The lines that follow are indented by hang. width 0: as it
 * is. Without a new line at its end.
 */
void screen_print(FILE *to, const char *text, unsigned at, unsigned hang, unsigned width);

#endif
