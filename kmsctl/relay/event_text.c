/*
 * event_text.c - see event_text.h. Programs of Windows write UTF-16 (PowerShell 5, Notepad), UTF-8
 * (Event Viewer, PowerShell 7) or the code page of the country; of the code pages only names that
 * are not ASCII suffer here, since all other fields are ASCII.
 */
#include "kmsctl/relay/event_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define SAMPLE 4096 /* bytes that tell UTF-16 without a mark */

static const struct {
	const char *magic;
	size_t len, offset;
	const char *advice;
} refused[] = {
	{ "ElfFile", 8, 0,
	    "this is an .evtx, the binary log of Windows. Export it as XML on a Windows machine: "
	    "wevtutil query-events FILE.evtx /logfile:true /format:xml > kms-events.xml; or, in Event "
	    "Viewer, \"Save All Events As\", type \"Xml\"" },
	{ "LfLe", 4, 4,
	    "this is an .evt, the binary log of Windows XP and 2003. Open it in Event Viewer and save it "
	    "as \"Xml\"" },
	{ "PK\3\4", 4, 0,
	    "this is a ZIP archive or a workbook (.xlsx, .ods). Unpack it, or save the workbook as "
	    "\"CSV UTF-8\"" },
	{ "\xd0\xcf\x11\xe0", 4, 0, "this is an Excel workbook (.xls). Save it as CSV" },
	{ "\x1f\x8b", 2, 0, "this is compressed by gzip. Unpack it with gunzip" },
	{ "7z\xbc\xaf", 4, 0, "this is a 7-Zip archive. Unpack it" },
	{ "%PDF-", 5, 0,
	    "this is a PDF. Export the log as XML: wevtutil query-events \"Key Management "
	    "Service\" /format:xml > kms-events.xml" },
};

const char *
event_text_refused(const char *in, size_t len)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (len >= refused[i].offset + refused[i].len &&
		    memcmp(in + refused[i].offset, refused[i].magic, refused[i].len) == 0)
			return refused[i].advice;
	return NULL;
}

/* Windows-1252, 0x80 to 0x9f; 0: not used there. */
static const uint16_t windows_1252[32] = { 0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020,
	0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C,
	0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178 };

/* Where the text goes; with out NULL it is only measured. */
struct sink {
	char *out;
	size_t len;
};

static void
put_byte(struct sink *s, uint32_t byte)
{
	if (s->out != NULL)
		s->out[s->len] = (char)byte;
	s->len++;
}

size_t
event_text_utf8(char out[4], uint32_t c)
{
	size_t n = 0;

	if (c < 0x80) {
		out[n++] = (char)c;
		return n;
	}
	if (c < 0x800) {
		out[n++] = (char)(0xC0 | c >> 6);
	} else {
		if (c < 0x10000) {
			out[n++] = (char)(0xE0 | c >> 12);
		} else {
			out[n++] = (char)(0xF0 | c >> 18);
			out[n++] = (char)(0x80 | (c >> 12 & 0x3F));
		}
		out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	}
	out[n++] = (char)(0x80 | (c & 0x3F));
	return n;
}

/* A code point; what the text rule does not allow is left out, new lines and tabs are kept. */
static void
put(struct sink *s, uint32_t c)
{
	char text[4];
	size_t n;

	if (c < 0x80) {
		put_byte(s, c == 0 ? ' ' : c);
		return;
	}
	n = event_text_utf8(text, c);
	for (size_t i = 0; wire_text_character(text, n) == n && i < n; i++)
		put_byte(s, (uint8_t)text[i]);
}

static uint32_t
unit(const char *in, bool big)
{
	const uint8_t *b = (const uint8_t *)in;

	return big ? (uint32_t)b[0] << 8 | b[1] : (uint32_t)b[1] << 8 | b[0];
}

static void
from_utf16(struct sink *s, const char *in, size_t len, bool big)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		uint32_t c = unit(in + i, big), low = 0;

		if (c >= 0xD800 && c < 0xDC00 && i + 3 < len)
			low = unit(in + i + 2, big);
		if (low >= 0xDC00 && low < 0xE000) {
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		} else if (c >= 0xD800 && c < 0xE000) {
			c = 0xFFFD;
		}
		put(s, c);
	}
}

static void
from_bytes(struct sink *s, const char *in, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint8_t c = (uint8_t)in[i];

		n = 1;
		if (c < 0x80) {
			put(s, c);
		} else if ((n = wire_text_character(in + i, len - i)) > 0) {
			for (size_t j = 0; j < n; j++)
				put_byte(s, (uint8_t)in[i + j]);
		} else if ((n = wire_text_sequence(in + i, len - i)) == 0) {
			n = 1;
			put(s, c >= 0xA0                ? c
			       : windows_1252[c - 0x80] ? windows_1252[c - 0x80]
							: 0xFFFD);
		}
	}
}

enum form { BYTES, LITTLE, BIG };

/* Zeros tell UTF-16 without a mark: in an event, most characters are ASCII. */
static enum form
form_of(const char *in, size_t len)
{
	size_t zero[2] = { 0, 0 }, n = len < SAMPLE ? len & ~(size_t)1 : SAMPLE;

	if (len >= 2 && unit(in, false) == 0xFEFF)
		return LITTLE;
	if (len >= 2 && unit(in, true) == 0xFEFF)
		return BIG;
	for (size_t i = 0; i < n; i++)
		zero[i % 2] += in[i] == '\0';
	if (zero[1] > n / 8 && zero[0] * 8 < zero[1])
		return LITTLE;
	if (zero[0] > n / 8 && zero[1] * 8 < zero[0])
		return BIG;
	return BYTES;
}

static void
decode(struct sink *s, const char *in, size_t len)
{
	enum form form = form_of(in, len);

	if (form == BYTES)
		from_bytes(s, in, len);
	else
		from_utf16(s, in, len, form == BIG);
}

int
event_text_decode(const char *in, size_t len, char **out, size_t *out_len)
{
	struct sink s = { 0 };

	decode(&s, in, len);
	if ((*out = malloc(s.len + 1)) == NULL)
		return KMS_E_NO_MEMORY;
	s = (struct sink){ .out = *out };
	decode(&s, in, len);
	(*out)[s.len] = '\0';
	*out_len = s.len;
	return KMS_OK;
}
