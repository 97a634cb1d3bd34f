/*
 * screen.c - see screen.h.
 */
#include "kmsctl/cli/screen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/number.h"
#include "libkms/os/terminal.h"

#define WIDEST 10000

unsigned
screen_width(FILE *file)
{
	const char *columns = getenv("COLUMNS");
	uint64_t n = os_terminal_columns(file);

	if (isatty(fileno(file)) != 1)
		return 0;
	if (n == 0 && (columns == NULL || !number_parse(&n, WIDEST, columns) || n == 0))
		n = SCREEN_WIDTH;
	return n < SCREEN_LEAST ? SCREEN_LEAST : (unsigned)n;
}

static bool
begins_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

unsigned
screen_columns(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += begins_character(text[i]);
	return n;
}

static size_t
word_length(const char *text)
{
	return strcspn(text, " ");
}

/* The programs that messages tell to type. */
static bool
begins_command(const char *text)
{
	static const char *const programs[] = { "kmsctl", "kmsissue", "kmsclient", "systemctl",
		"journalctl", "systemd-analyze" };
	size_t len = word_length(text);

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		if (len == strlen(programs[i]) && strncmp(text, programs[i], len) == 0)
			return true;
	return false;
}

/* To the end of the clause. */
static size_t
command_length(const char *text)
{
	size_t at = 0;

	for (;;) {
		at += word_length(text + at);
		if (text[at] == '\0' || strchr(",;.:)", text[at - 1]) != NULL)
			return at;
		at += strspn(text + at, " ");
		if (text[at] == '\0')
			return at;
	}
}

/* What is not broken: a word, or a whole command. */
static size_t
piece_length(const char *text, unsigned room)
{
	size_t len;

	if (begins_command(text)) {
		len = command_length(text);
		if (screen_columns(text, len) <= room)
			return len;
	}
	if (*text == '[' && strchr(text, ']') != NULL) { /* an option of a usage, with its value */
		len = (size_t)(strchr(text, ']') - text) + 1;
		len += word_length(text + len);
		if (screen_columns(text, len) <= room)
			return len;
	}
	return word_length(text);
}

/* A word that is wider than the line. */
static size_t
cut(const char *text, unsigned room)
{
	size_t at = 0;

	for (unsigned n = 0; text[at] != '\0'; at++)
		if (begins_character(text[at]) && n++ == room)
			break;
	return at;
}

size_t
screen_fit(const char *text, unsigned room)
{
	size_t at = strspn(text, " "), fits = 0;

	if (room == 0 || screen_columns(text, strlen(text)) <= room)
		return strlen(text);
	while (text[at] != '\0') {
		at += piece_length(text + at, room);
		if (screen_columns(text, at) > room)
			break;
		fits = at;
		at += strspn(text + at, " ");
	}
	return fits > 0 ? fits : cut(text, room);
}

void
screen_print(FILE *to, const char *text, unsigned at, unsigned hang, unsigned width)
{
	unsigned room = width > at ? width - at : 1;
	size_t len = screen_fit(text, width == 0 ? 0 : room);
	bool moved = width != 0 && at > hang && text[len] != '\0' && text[len] != ' ';

	if (moved) /* the first word is better off in the next line */
		len = 0;
	fwrite(text, 1, len, to);
	room = width > hang ? width - hang : 1;
	while (text[len] != '\0') {
		text += len + strspn(text + len, " ");
		if (*text == '\0')
			break;
		len = screen_fit(text, room);
		fprintf(to, "\n%*s", (int)hang, "");
		fwrite(text, 1, len, to);
	}
}
