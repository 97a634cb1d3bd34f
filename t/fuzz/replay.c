/*
 * replay.c - the main of a fuzz target without libFuzzer: gives every file
 * named on the command line to the target once, so that make check runs the
 * seeds with any compiler. Each goes in a buffer of its exact size, so that
 * a sanitizer sees one byte read too many.
 */
#include <stdio.h>

#include "t/fuzz/fuzz.h"

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;
	int rc = -1;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		goto out;
	rewind(f);
	if ((data = malloc((size_t)size + (size == 0))) == NULL ||
	    fread(data, 1, (size_t)size, f) != (size_t)size)
		goto out;
	LLVMFuzzerTestOneInput(data, (size_t)size);
	rc = 0;
out:
	if (rc != 0)
		perror(path);
	free(data);
	if (f != NULL)
		fclose(f);
	return rc;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) != 0)
			return 1;
	printf("replayed %d files\n", argc - 1);
	return 0;
}
