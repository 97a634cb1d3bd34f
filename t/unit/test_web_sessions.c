/*
 * test_web_sessions.c - who may see names on the page: each way in which a token or a session ends,
 * and that neither is one that somebody could have guessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/web_sessions.h"

#define NOW UINT64_C(5000)

/* A browser that is logged in at that time. */
static void
login(struct web_sessions *s, uint64_t now, uint8_t session[WEB_SECRET])
{
	uint8_t token[WEB_SECRET];

	web_sessions_token(s, now, token);
	assert_true(web_sessions_begin(s, now, token, session));
	assert_true(web_sessions_has(s, now, session));
}

static void
test_token_once(void **state)
{
	struct web_sessions s = { 0 };
	uint8_t token[WEB_SECRET], session[WEB_SECRET], other[WEB_SECRET];

	web_sessions_token(&s, NOW, token);
	assert_false(web_sessions_has(&s, NOW, token));
	assert_true(web_sessions_begin(&s, NOW, token, session));
	assert_memory_not_equal(token, session, WEB_SECRET);
	assert_false(web_sessions_begin(&s, NOW, token, other));
	/* A session is no token. */
	assert_false(web_sessions_begin(&s, NOW, session, other));
	assert_true(web_sessions_has(&s, NOW, session));
}

static void
test_token_too_old(void **state)
{
	static const struct {
		uint64_t age;
		bool good;
	} rows[] = { { 0, true }, { WEB_TOKEN_SECONDS - 1, true }, { WEB_TOKEN_SECONDS, false },
		{ WEB_TOKEN_SECONDS + 1, false }, { WEB_SESSION_SECONDS, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct web_sessions s = { 0 };
		uint8_t token[WEB_SECRET], session[WEB_SECRET];

		web_sessions_token(&s, NOW, token);
		assert_int_equal(
		    web_sessions_begin(&s, NOW + rows[i].age, token, session), rows[i].good);
	}
}

static void
test_session_too_old(void **state)
{
	struct web_sessions s = { 0 };
	uint8_t session[WEB_SECRET];

	login(&s, NOW, session);
	assert_int_equal(WEB_SESSION_SECONDS, 12 * 3600);
	assert_true(web_sessions_has(&s, NOW + WEB_SESSION_SECONDS - 1, session));
	assert_false(web_sessions_has(&s, NOW + WEB_SESSION_SECONDS, session));
	assert_false(web_sessions_has(&s, UINT64_MAX, session));
	/* It does not become longer by being used. */
	for (uint64_t t = NOW; t < NOW + WEB_SESSION_SECONDS; t += 600)
		assert_true(web_sessions_has(&s, t, session));
	assert_false(web_sessions_has(&s, NOW + WEB_SESSION_SECONDS, session));
}

/* Nothing that nobody was given is one: not zeros, which an empty place has, and not nearly one. */
static void
test_wrong(void **state)
{
	struct web_sessions s = { 0 };
	uint8_t zeros[WEB_SECRET] = { 0 }, token[WEB_SECRET], session[WEB_SECRET], out[WEB_SECRET];

	assert_false(web_sessions_has(&s, 0, zeros));
	assert_false(web_sessions_begin(&s, 0, zeros, out));
	web_sessions_token(&s, NOW, token);
	for (unsigned i = 0; i < WEB_SECRET * 8; i++) {
		uint8_t near[WEB_SECRET];

		memcpy(near, token, WEB_SECRET);
		near[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(web_sessions_begin(&s, NOW, near, out));
	}
	/* A used token leaves a place of zeros. */
	assert_true(web_sessions_begin(&s, NOW, token, session));
	assert_false(web_sessions_begin(&s, NOW, zeros, out));
	assert_false(web_sessions_has(&s, NOW, zeros));
	session[WEB_SECRET - 1] ^= 1;
	assert_false(web_sessions_has(&s, NOW, session));
}

static void
test_too_many(void **state)
{
	struct web_sessions s = { 0 };
	uint8_t token[WEB_TOKENS + 1][WEB_SECRET], session[WEB_SESSIONS + 1][WEB_SECRET],
	    out[WEB_SECRET];

	for (unsigned i = 0; i <= WEB_TOKENS; i++)
		web_sessions_token(&s, NOW + i, token[i]);
	assert_false(web_sessions_begin(&s, NOW + WEB_TOKENS, token[0], out));
	for (unsigned i = 1; i <= WEB_TOKENS; i++)
		assert_true(web_sessions_begin(&s, NOW + WEB_TOKENS, token[i], out));
	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i <= WEB_SESSIONS; i++)
		login(&s, NOW + i, session[i]);
	assert_false(web_sessions_has(&s, NOW + WEB_SESSIONS, session[0]));
	for (unsigned i = 1; i <= WEB_SESSIONS; i++)
		assert_true(web_sessions_has(&s, NOW + WEB_SESSIONS, session[i]));
}

static void
test_logout(void **state)
{
	struct web_sessions s = { 0 };
	uint8_t token[WEB_SECRET], old[WEB_SECRET], session[WEB_SECRET], out[WEB_SECRET];

	assert_int_equal(web_sessions_end(&s, NOW), 0);
	login(&s, NOW, old);
	login(&s, NOW + WEB_SESSION_SECONDS, session);
	web_sessions_token(&s, NOW + WEB_SESSION_SECONDS, token);
	/* One of the two has ended by itself. */
	assert_int_equal(web_sessions_end(&s, NOW + WEB_SESSION_SECONDS), 1);
	assert_false(web_sessions_has(&s, NOW + WEB_SESSION_SECONDS, session));
	assert_false(web_sessions_begin(&s, NOW + WEB_SESSION_SECONDS, token, out));
	login(&s, NOW + WEB_SESSION_SECONDS, session);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_once),
		cmocka_unit_test(test_token_too_old),
		cmocka_unit_test(test_session_too_old),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_logout),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
