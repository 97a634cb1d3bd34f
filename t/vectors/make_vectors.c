/*
 * make_vectors.c - prints one file of golden vectors: make_vectors NAME. The
 * rule update-vectors writes t/vectors/NAME.txt with it.
 */
#include <sodium.h>

#include "t/vectors/vectors.h"

int
main(int argc, char **argv)
{
	if (argc != 2 || sodium_init() < 0 || vectors_print(stdout, argv[1]) != 0) {
		fprintf(stderr, "usage: make_vectors NAME, one of:");
		for (const char *const *f = vectors_files; *f != NULL; f++)
			fprintf(stderr, " %s", *f);
		fprintf(stderr, "\n");
		return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
