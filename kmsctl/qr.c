/*
 * qr.c - a QR code of half blocks, two modules a character, light on dark as
 * well as dark on light (readers accept both); with the quiet zone that ISO/IEC 18004 asks for.
 */
#include <qrencode.h>

#include "kmsctl/qr.h"

#define QUIET 4 /* modules around the code */

static int
dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return 0;
	return code->data[y * code->width + x] & 1;
}

bool
qr_print(FILE *file, const char *text)
{
	/* A light module is drawn, a dark one is the terminal's ground: right on the usual dark terminal. */
	static const char *const blocks[4] = { "\u2588", "\u2580", "\u2584", " " };
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	int x, y;

	if (code == NULL)
		return false;
	fputc('\n', file);
	for (y = -QUIET; y < code->width + QUIET; y += 2) {
		for (x = -QUIET; x < code->width + QUIET; x++)
			fputs(blocks[dark(code, x, y) * 2 + dark(code, x, y + 1)], file);
		fputc('\n', file);
	}
	QRcode_free(code);
	return true;
}
