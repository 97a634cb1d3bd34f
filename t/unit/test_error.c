/*
 * test_error.c - the table of statuses is complete and in order, and
 * kms-protocol(7) says of each what the table says; Microsoft's codes have one meaning.
 */
#include <stdbool.h>
#include <stdio.h>

#include "libkms/base/seat_status.h"
#include "t/unit/core_test.h"

static void
test_table(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);
	uint32_t want = 0;

	for (unsigned i = 0; i < count; i++, want++) {
		if (want == KMS_E_BORROWED_OUT + 1)
			want = KMS_E_LOCAL + 1;
		assert_int_equal(e[i].status, want);
		assert_true(strncmp(e[i].symbol, i == 0 ? "KMS_OK" : "KMS_E_", 6) == 0);
		assert_true(strlen(e[i].meaning) > 0 && strlen(e[i].remedy) > 0);
		assert_true(e[i].meaning[strlen(e[i].meaning) - 1] != '.');
		assert_true(e[i].remedy[strlen(e[i].remedy) - 1] == '.');
		assert_true(strlen(e[i].user) > 0 && e[i].user[strlen(e[i].user) - 1] != '.');
		assert_true(e[i].user_next[strlen(e[i].user_next) - 1] == '.');
		assert_ptr_equal(kms_error_find(want), &e[i]);
		assert_ptr_equal(kms_strerror(want), e[i].meaning);
	}
	assert_int_equal(want, KMS_E_PENDING + 1);
	(void)state;
}

static void
test_unknown(void **state)
{
	static const uint32_t none[] = { KMS_E_BORROWED_OUT + 1, KMS_E_LOCAL, KMS_E_PENDING + 1,
		UINT32_MAX };

	for (size_t i = 0; i < COUNT(none); i++) {
		assert_non_null(kms_error_find(none[i]));
		assert_string_equal(kms_error_find(none[i])->symbol, "KMS_E_UNKNOWN");
		assert_string_equal(kms_strerror(none[i]), "unknown status");
	}
	(void)state;
}

static void
test_seats(void **state)
{
	static const uint32_t lacking[] = { KMS_E_CAPACITY, KMS_E_CLASS_FULL, KMS_E_RECLAIMED,
		KMS_E_BORROWED_OUT };
	unsigned count, found = 0;
	const struct kms_error *e = kms_error_table(&count);

	for (size_t i = 0; i < COUNT(lacking); i++)
		assert_true(status_lacks_seat(lacking[i]));
	for (unsigned i = 0; i < count; i++)
		found += status_lacks_seat(e[i].status);
	assert_int_equal(found, COUNT(lacking));
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

static char
capital(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static const char *const next_words[] = {
	[KMS_NEXT_FINAL] = "A client asks again at the usual time.",
	[KMS_NEXT_HOST] = "A client asks the next host.",
	[KMS_NEXT_SAME] = "A client asks the same host once more.",
	[KMS_NEXT_LATER] = "A client asks again later.",
};

/*
 * The rows as the page has to have them: what kmsctl explain says, word for word; of what travels,
 * what a client does and what a user reads, too.
 */
static void
row(char *out, size_t size, const struct kms_error *e)
{
	char code[32] = "", more[512] = "";

	if (e->microsoft != 0)
		snprintf(code, sizeof(code), " \\(em 0x%08X", e->microsoft);
	if (e->status != KMS_OK && e->status < KMS_E_LOCAL)
		snprintf(more, sizeof(more), "%s\nA user reads:\n.Dq %c%s. %s\n",
		    next_words[e->next], capital(e->user[0]), e->user + 1, e->user_next);
	snprintf(out, size, "\n.It %u Dv %s%s\n%c%s.\n%s\n%s.", e->status, e->symbol, code,
	    capital(e->meaning[0]), e->meaning + 1, e->remedy, more);
}

static void
test_page(void **state)
{
	unsigned count, rows = 0;
	const struct kms_error *e = kms_error_table(&count);
	char *text = page(), want[2048];

	for (unsigned i = 0; i < count; i++) {
		row(want, sizeof(want), &e[i]);
		if (strstr(text, want) == NULL)
			fail_msg("kms-protocol.7 has to say:%.*s", (int)strlen(want) - 1, want);
	}
	for (const char *at = text; (at = strstr(at, "\n.It ")) != NULL; at++)
		rows += strstr(at, " Dv KMS_") != NULL &&
			strcspn(at + 1, "\n") > (size_t)(strstr(at, " Dv KMS_") - at);
	assert_int_equal(rows, count);
	free(text);
	(void)state;
}

/* An administrator who looks a code of Microsoft's up finds one meaning. None is shared; one that
 * has to be goes here. */
static const uint32_t shared[] = { 0 };

static void
test_microsoft(void **state)
{
	unsigned count;
	const struct kms_error *e = kms_error_table(&count);

	for (unsigned i = 0; i < count; i++) {
		if (e[i].microsoft != 0)
			assert_int_equal(e[i].microsoft >> 16, 0xC004);
		for (unsigned k = 0; k < i; k++) {
			bool known = e[i].microsoft == 0;

			for (unsigned n = 0; n < COUNT(shared); n++)
				known = known || shared[n] == e[i].microsoft;
			if (!known && e[k].microsoft == e[i].microsoft)
				fail_msg("%s and %s have 0x%08X both", e[k].symbol, e[i].symbol,
				    e[i].microsoft);
			if (i != k)
				assert_string_not_equal(e[k].symbol, e[i].symbol);
		}
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_seats),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_microsoft),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
