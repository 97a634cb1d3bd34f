/*
 * qr.h - a text as a QR code, in the terminal or as a picture.
 */
#ifndef KMSCTL_CLI_QR_H
#define KMSCTL_CLI_QR_H

#include <stdbool.h>
#include <stdio.h>

/* False when the text does not fit into a code. */
bool qr_print(FILE *file, const char *text);
/* The same as a PNG picture, malloc'd; NULL: it does not fit, or memory. */
void *qr_png(const char *text, size_t *len);

#endif
