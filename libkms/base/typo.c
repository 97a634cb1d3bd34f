/*
 * typo.c - Levenshtein's distance, by one row (typo.h).
 */
#include "libkms/base/typo.h"

#include <string.h>

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

unsigned
typo_distance(const char *a, const char *b)
{
	unsigned row[TYPO_LONGEST + 1];
	size_t n = strlen(b);

	if (n > TYPO_LONGEST || strlen(a) > TYPO_LONGEST)
		return TYPO_FAR;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

/* A third of its letters may be wrong, and one more. */
struct typo
typo_of(const char *wanted)
{
	return (struct typo){ .wanted = wanted, .distance = 2 + (unsigned)strlen(wanted) / 3 };
}

void
typo_try(struct typo *t, const char *name)
{
	unsigned d = typo_distance(t->wanted, name);

	if (d < t->distance) {
		t->distance = d;
		t->name = name;
	}
}
