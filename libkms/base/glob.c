/*
 * glob.c - patterns of names. Names come from strangers and patterns have several '*', so this goes
 * back to the last '*' alone and never further: fnmatch(3) may go back to each.
 */
#include "libkms/base/glob.h"

#include <string.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Behind one character of UTF-8; behind one byte of what is not UTF-8. */
static const char *
next(const char *name)
{
	do
		name++;
	while (((unsigned char)*name & 0xc0) == 0x80);
	return name;
}

bool
glob_match(const char *pattern, const char *name)
{
	const char *star = NULL, *from = NULL; /* behind the last '*', and where it ends so far */

	while (*name != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			from = name;
		} else if (*pattern == '?') {
			pattern++;
			name = next(name);
		} else if (*pattern != '\0' && lower(*pattern) == lower(*name)) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = from = next(from);
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool
glob_is_pattern(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}
