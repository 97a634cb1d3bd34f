/*
 * test_user_text.c - the texts for users: each status and each licence has one in each language, in
 * the form that kms.h promises, and the language is found as in a locale.
 */
#include "libkms/base/wire.h"
#include "libkms/client/user_text.h"
#include "t/unit/core_test.h"

/* A clause may follow a colon and be followed by a full stop; a sentence ends with one. */
static void
has_form(const char *user, const char *next)
{
	assert_true(strlen(user) > 10 && strlen(next) > 10);
	assert_true(user[strlen(user) - 1] != '.' && next[strlen(next) - 1] == '.');
	assert_true(next[0] >= 'A' && next[0] <= 'Z');
	assert_true(wire_text_ok(user, strlen(user)) && wire_text_ok(next, strlen(next)));
}

static void
test_statuses(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);

	assert_int_equal(text_german.status_count, count);
	for (unsigned i = 0; i < count; i++) {
		const char *user = kms_text_status((uint32_t)e[i].status, "de");
		const char *next = kms_text_status_next((uint32_t)e[i].status, "de");

		if (text_german.statuses[i].status != (uint32_t)e[i].status)
			fail_msg("German has no row for %s in its place", e[i].symbol);
		has_form(user, next);
		assert_string_not_equal(user, e[i].user);
		assert_string_not_equal(user, kms_text_status(999, "de"));
		assert_ptr_equal(kms_text_status((uint32_t)e[i].status, "en"), e[i].user);
		assert_ptr_equal(kms_text_status_next((uint32_t)e[i].status, "en"), e[i].user_next);
	}
	(void)state;
}

/* What differs for a user of English differs for one of German, and what is one text is one. */
static void
test_same_distinctions(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < i; k++)
			if ((strcmp(e[i].user, e[k].user) == 0) !=
			    (strcmp(text_german.statuses[i].text.user,
				 text_german.statuses[k].text.user) == 0))
				fail_msg("%s and %s", e[i].symbol, e[k].symbol);
	(void)state;
}

static void
test_licences(void **state)
{
	static const char *const languages[] = { "en", "de" };

	for (size_t l = 0; l < COUNT(languages); l++) {
		for (unsigned i = 0; i < TEXT_LICENCES; i++) {
			const char *user = kms_text_licence((enum kms_licence)i, languages[l]);

			has_form(user, kms_text_licence_next((enum kms_licence)i, languages[l]));
			for (unsigned k = 0; k < i; k++)
				assert_string_not_equal(
				    user, kms_text_licence((enum kms_licence)k, languages[l]));
		}
		/* A number of a newer library, and none at all. */
		has_form(kms_text_licence((enum kms_licence)TEXT_LICENCES, languages[l]),
		    kms_text_licence_next((enum kms_licence)TEXT_LICENCES, languages[l]));
		has_form(kms_text_licence((enum kms_licence) - 1, languages[l]),
		    kms_text_licence_next((enum kms_licence) - 1, languages[l]));
		has_form(
		    kms_text_status(999, languages[l]), kms_text_status_next(999, languages[l]));
	}
	assert_string_equal(kms_text_licence(KMS_GRACE, "en"),
	    "this product has no licence yet, and runs for a limited time");
	assert_string_equal(kms_text_licence(KMS_EXPIRED, "de"), "die Lizenz ist abgelaufen");
	(void)state;
}

static void
test_languages(void **state)
{
	static const struct {
		const char *language, *catalogue;
	} rows[] = {
		{ "de", "de" }, { "DE", "de" }, { "de_AT.UTF-8", "de" }, { "de-CH", "de" },
		{ "de.UTF-8", "de" }, { "de@euro", "de" }, { "en_GB", "en" }, { "deu", "en" },
		{ "d", "en" }, { "", "en" }, { "C", "en" }, { "C.UTF-8", "en" }, { "fr_FR", "en" },
		{ NULL, "en" }, /* this program set no locale */
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(text_find(rows[i].language)->language, rows[i].catalogue);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_same_distinctions),
		cmocka_unit_test(test_licences),
		cmocka_unit_test(test_languages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
