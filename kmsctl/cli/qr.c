/*
 * qr.c - a QR code of half blocks, two modules a character, light on dark as
 * well as dark on light (readers accept both); with the quiet zone that ISO/IEC 18004 asks for.
 */
#include "kmsctl/cli/qr.h"

#include <png.h>
#include <qrencode.h>
#include <stdint.h>
#include <stdlib.h>

#define QUIET 4 /* modules around the code */
#define SCALE 6 /* points of a picture a module */

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
	/*
	 * Light modules are drawn, dark ones are the terminal's background, which is usually dark.
	 */
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

static uint8_t *
draw(const QRcode *code, unsigned side)
{
	uint8_t *grey = malloc((size_t)side * side);
	unsigned x, y;

	for (y = 0; grey != NULL && y < side; y++)
		for (x = 0; x < side; x++)
			grey[y * side + x] =
			    dark(code, (int)(x / SCALE) - QUIET, (int)(y / SCALE) - QUIET) ? 0
											   : 255;
	return grey;
}

void *
qr_png(const char *text, size_t *len)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY };
	png_alloc_size_t size = 0;
	uint8_t *grey = NULL;
	void *png = NULL;

	if (code == NULL)
		return NULL;
	image.width = image.height = (unsigned)(code->width + 2 * QUIET) * SCALE;
	grey = draw(code, image.width);
	QRcode_free(code);
	if (grey != NULL && png_image_write_to_memory(&image, NULL, &size, 0, grey, 0, NULL) &&
	    (png = malloc(size)) != NULL &&
	    !png_image_write_to_memory(&image, png, &size, 0, grey, 0, NULL)) {
		free(png);
		png = NULL;
	}
	png_image_free(&image);
	free(grey);
	*len = size;
	return png;
}
