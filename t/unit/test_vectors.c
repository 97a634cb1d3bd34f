/*
 * test_vectors.c - the golden vectors made anew equal the committed files, and
 * every committed file is one that is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>
#include <sodium.h>

#include "t/vectors/vectors.h"

static void
path_of(char *out, size_t size, const char *name)
{
	const char *src = getenv("KMS_SRC");

	snprintf(out, size, "%s/t/vectors/%s.txt", src != NULL ? src : ".", name);
}

static char *
committed(const char *name)
{
	char path[512], *text = calloc(1, 65536);
	FILE *f;

	path_of(path, sizeof(path), name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s cannot be read: run make update-vectors", path);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) < 65535);
	fclose(f);
	return text;
}

static void
test_equal(void **state)
{
	(void)state;
	for (const char *const *name = vectors_files; *name != NULL; name++) {
		char *made = NULL, *kept = committed(*name);
		size_t size;
		FILE *f = open_memstream(&made, &size);

		assert_non_null(f);
		assert_int_equal(vectors_print(f, *name), 0);
		fclose(f);
		assert_string_equal(made, kept);
		free(made);
		free(kept);
	}
}

static void
test_no_stray_file(void **state)
{
	char pattern[512];
	unsigned names = 0;
	glob_t found;

	(void)state;
	while (vectors_files[names] != NULL)
		names++;
	path_of(pattern, sizeof(pattern), "*");
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, names);
	globfree(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_no_stray_file),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
