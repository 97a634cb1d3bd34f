/*
 * csv.c - see csv.h.
 */
#include "kmsctl/cli/csv.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/output.h"

/* Also as wide characters, which some spreadsheets take for the narrow ones. */
static bool
begins_formula(const char *text)
{
	static const char *const begins[] = { "=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b",
		"\uff0d", "\uff20" };

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(text, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static void
put(FILE *to, const char *text, bool number)
{
	if (!number && begins_formula(text))
		fputc('\'', to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
		if (*text == ';' && begins_formula(text + 1))
			fputc('\'', to);
	}
}

bool
csv_cell(FILE *to, const char *text, bool number, bool last)
{
	char *safe = output_printable(text, false);
	bool quote = safe != NULL && strpbrk(safe, ",;\"") != NULL;

	if (safe == NULL)
		return false;
	fputs(quote ? "\"" : "", to);
	put(to, safe, number);
	fputs(quote ? "\"" : "", to);
	fputs(last ? "\r\n" : ",", to);
	free(safe);
	return true;
}
