/*
 * test_error.c - the table of statuses is complete and in order, and
 * kms-protocol(7) lists each with its number, symbol and Microsoft's code.
 */
#include "t/unit/core_test.h"

#include <stdio.h>

static void
test_table(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);
	uint32_t want = 0;

	for (unsigned i = 0; i < count; i++, want++) {
		if (want == KMS_E_LOCKED + 1)
			want = KMS_E_LOCAL + 1;
		assert_int_equal(e[i].status, want);
		assert_true(strncmp(e[i].symbol, i == 0 ? "KMS_OK" : "KMS_E_", 6) == 0);
		assert_true(strlen(e[i].meaning) > 0 && strlen(e[i].remedy) > 0);
		assert_true(e[i].meaning[strlen(e[i].meaning) - 1] != '.');
		assert_true(e[i].remedy[strlen(e[i].remedy) - 1] == '.');
		assert_ptr_equal(kms_error_find(want), &e[i]);
		assert_ptr_equal(kms_strerror(want), e[i].meaning);
	}
	assert_int_equal(want, KMS_E_PASSPHRASE + 1);
	(void)state;
}

static void
test_unknown(void **state)
{
	static const uint32_t none[] = { KMS_E_LOCKED + 1, KMS_E_LOCAL, KMS_E_PASSPHRASE + 1,
		UINT32_MAX };

	for (size_t i = 0; i < COUNT(none); i++) {
		assert_non_null(kms_error_find(none[i]));
		assert_string_equal(kms_error_find(none[i])->symbol, "KMS_E_UNKNOWN");
		assert_string_equal(kms_strerror(none[i]), "unknown status");
	}
	(void)state;
}

static char *
page(void)
{
	const char *src = getenv("KMS_SRC");
	char path[512], *text = calloc(1, 262144);
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/kms-protocol.7", src != NULL ? src : ".");
	assert_non_null(text);
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s cannot be read", path);
	assert_true(fread(text, 1, 262143, f) < 262143);
	fclose(f);
	return text;
}

static void
test_page(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);
	char *text = page(), line[128];

	for (unsigned i = 0; i < count; i++) {
		if (e[i].microsoft != 0)
			snprintf(line, sizeof(line), "\n.It %u Dv %s \\(em 0x%08X\n", e[i].status,
			    e[i].symbol, e[i].microsoft);
		else
			snprintf(line, sizeof(line), "\n.It %u Dv %s\n", e[i].status, e[i].symbol);
		if (strstr(text, line) == NULL)
			fail_msg("kms-protocol.7 lacks the line:%s", line);
	}
	free(text);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
