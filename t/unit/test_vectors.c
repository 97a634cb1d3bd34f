/*
 * test_vectors.c - the golden vectors made anew equal the committed files, and
 * every committed file is one that is made; the manual's worked example shows
 * the same bytes.
 */
#include <glob.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/vectors/vectors.h"

#define TEXT_MAX 262144

static void
path_of(char *out, size_t size, const char *name)
{
	const char *src = getenv("KMS_SRC");

	snprintf(out, size, "%s/%s", src != NULL ? src : ".", name);
}

static char *
read_file(const char *name)
{
	char path[512], *text = calloc(1, TEXT_MAX);
	FILE *f;

	path_of(path, sizeof(path), name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s cannot be read: make update-vectors writes vectors", path);
	assert_non_null(text);
	assert_true(fread(text, 1, TEXT_MAX - 1, f) < TEXT_MAX - 1);
	fclose(f);
	return text;
}

static char *
committed(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "t/vectors/%s.txt", name);
	return read_file(file);
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
	path_of(pattern, sizeof(pattern), "t/vectors/*.txt");
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, names);
	globfree(&found);
}

/* The value that a line "name = value" of made gives, cut off in place. */
static const char *
value_of(char *made, const char *name)
{
	char start[64], *at;

	snprintf(start, sizeof(start), "\n%s = ", name);
	if ((at = strstr(made, start)) == NULL)
		fail_msg("no vector %s", name);
	at += strlen(start);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

/* The worked example of kms-protocol(7) shows these, in lines of 64 digits. */
static void
test_page_shows_them(void **state)
{
	static const char *const shown[][2] = {
		{ "keys", "client_public" },
		{ "keys", "host_exchange_public" },
		{ "keys", "shared" },
		{ "keys", "session_to_client" },
		{ "keys", "session_to_host" },
		{ "keys", "cmid" },
		{ "keys", "host_id" },
		{ "hello", "hello_frame" },
		{ "request", "request_text" },
		{ "request", "request_frame" },
		{ "reply", "reply_count_too_low_text" },
		{ "reply", "reply_count_too_low_frame" },
		{ "reply", "reply_sequence_text" },
		{ "error", "error_overload_frame" },
		{ "batch", "entry_3" },
		{ "batch", "leaf_3" },
		{ "batch", "root" },
		{ "batch", "proof_3" },
		{ "batch", "batch_header" },
		{ "batch", "batch_signature" },
		{ "certificate", "certificate" },
		{ "lease", "lease_bundle" },
	};
	char *page = read_file("doc/kms-protocol.7"), *to = page, *made;
	size_t size;
	FILE *f;

	for (const char *from = page; *from != '\0'; from++)
		if (*from != '\n')
			*to++ = *from;
	*to = '\0';
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		assert_non_null(f = open_memstream(&made, &size));
		assert_int_equal(vectors_print(f, shown[i][0]), 0);
		fclose(f);
		if (strstr(page, value_of(made, shown[i][1])) == NULL)
			fail_msg("kms-protocol.7 does not show %s as it is now", shown[i][1]);
		free(made);
	}
	free(page);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_no_stray_file),
		cmocka_unit_test(test_page_shows_them),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
