/*
 * qr.h - a text as a QR code in the terminal.
 */
#ifndef KMSCTL_QR_H
#define KMSCTL_QR_H

#include <stdbool.h>
#include <stdio.h>

/* False when the text does not fit into a code. */
bool qr_print(FILE *file, const char *text);

#endif
