/*
 * test_log.c - what reaches the log: the line's form, its escapes, the level, and how many lines
 * of one event a hostile network can cause.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/common/log.h"

static struct {
	int saved, out;
} capture;

static void
begin(void)
{
	char path[] = "/tmp/test_log.XXXXXX";

	fflush(stderr);
	capture.saved = dup(STDERR_FILENO);
	capture.out = mkstemp(path);
	assert_true(capture.out >= 0);
	unlink(path);
	dup2(capture.out, STDERR_FILENO);
}

static const char *
end(void)
{
	static char text[65536];
	ssize_t n;

	dup2(capture.saved, STDERR_FILENO);
	close(capture.saved);
	n = pread(capture.out, text, sizeof(text) - 1, 0);
	close(capture.out);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static unsigned
lines(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
test_form(void **ignored)
{
	char want[128];

	unsetenv("JOURNAL_STREAM");
	log_open("kmsd-test", false, LOG_INFO);
	begin();
	log_event(LOG_NOTICE, "some-event", "text %d", 7);
	log_event(LOG_DEBUG, "some-event", "below the level");
	snprintf(want, sizeof(want), "kmsd-test[%ld]: some-event: text 7\n", (long)getpid());
	assert_string_equal(end(), want);

	begin();
	log_level(LOG_DEBUG);
	log_event(LOG_DEBUG, "some-event", "now at the level");
	assert_non_null(strstr(end(), "now at the level"));
}

static void
test_journal(void **ignored)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_open("kmsd-test", false, LOG_INFO);
	unsetenv("JOURNAL_STREAM");
	begin();
	log_event(LOG_ERR, "some-event", "x");
	assert_string_equal(end(), "<3>kmsd-test: some-event: x\n");
}

static const struct {
	const char *in, *out;
} escapes[] = {
	{ "plain text", "plain text" },
	{ "line\nkmsd[1]: forged: line", "line\\x0akmsd[1]: forged: line" },
	{ "cr\rtab\tbell\a", "cr\\x0dtab\\x09bell\\x07" },
	{ "\033[2J", "\\x1b[2J" },
	{ "del\177", "del\\x7f" },
	{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91" },
	{ "c1\302\2332J", "c1\\xc2\\x9b2J" },
	{ "turned \xe2\x80\xae round", "turned \\xe2\\x80\\xae round" },
	{ "isolated \xe2\x81\xa6", "isolated \\xe2\\x81\\xa6" },
	{ "line\xe2\x80\xa8two", "line\\xe2\\x80\\xa8two" },
	{ "latin1 \xfc", "latin1 \\xfc" },
	{ "cut \xe2\x82", "cut \\xe2\\x82" },
	{ "overlong \xc0\x8a", "overlong \\xc0\\x8a" },
	{ "surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80" },
	{ "beyond \xf4\x90\x80\x80", "beyond \\xf4\\x90\\x80\\x80" },
};

static void
test_escapes(void **ignored)
{
	char want[256];
	size_t i;

	for (i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		begin();
		log_event(LOG_INFO, "e", "%s", escapes[i].in);
		snprintf(want, sizeof(want), "<6>kmsd-test: e: %s\n", escapes[i].out);
		assert_string_equal(end(), want);
	}
}

static void
test_long(void **ignored)
{
	char text[5000];
	const char *got;

	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin();
	log_event(LOG_INFO, "long", "%s", text);
	got = end();
	assert_int_equal(lines(got), 1);
	assert_true(strlen(got) > 1000 && strlen(got) < 5000);
}

static void
test_limit(void **ignored)
{
	const char *got;
	int i;

	begin();
	for (i = 0; i < 1000; i++) {
		log_limited(LOG_WARNING, "flood-one", "number %d", i);
		log_limited(LOG_WARNING, "flood-two", "number %d", i);
	}
	log_event(LOG_WARNING, "flood-one", "log_event is never held back");
	got = end();
	assert_int_equal(lines(got), 11);
	assert_non_null(strstr(got, "flood-one: number 4"));
	assert_null(strstr(got, "flood-one: number 5"));
	/* Not due within the minute; all of it at exit. */
	begin();
	log_flush_limited();
	assert_int_equal(lines(end()), 0);
	begin();
	log_close();
	got = end();
	assert_int_equal(lines(got), 2);
	assert_non_null(
	    strstr(got, "<4>kmsd-test: flood-one: 995 more like this were not logged\n"));
	assert_non_null(
	    strstr(got, "<4>kmsd-test: flood-two: 995 more like this were not logged\n"));
	begin();
	log_close();
	assert_int_equal(lines(end()), 0);
}

/* More names than rows share the last one: bounded all the same. */
static void
test_many_names(void **ignored)
{
	char name[32];
	int i, j;

	begin();
	for (j = 0; j < 100; j++)
		for (i = 0; i < 200; i++) {
			snprintf(name, sizeof(name), "name-%d", i);
			log_limited(LOG_WARNING, name, "x");
		}
	assert_true(lines(end()) <= 64 * 5);
}

/* A reader that does not read: the writer goes on, and what was lost is counted when it reads
 * again. */
static void
test_reader_stuck(void **ignored)
{
	static char text[1 << 20];
	int ends[2], saved = dup(STDERR_FILENO), i;
	size_t have = 0;
	ssize_t n;
	char want[128];

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	for (i = 0; i < 1000; i++)
		log_event(LOG_ERR, "some-event", "%04d %0200d", i, 0);
	while ((n = poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, 0) == 1
			? read(ends[0], text + have, sizeof(text) - 1 - have)
			: 0) > 0)
		have += (size_t)n;
	text[have] = '\0';
	i = (int)lines(text);
	assert_true(i > 0 && i < 1000);
	log_event(LOG_ERR, "some-event", "read again");
	n = read(ends[0], text, sizeof(text) - 1);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	assert_true(n > 0);
	text[n] = '\0';
	snprintf(want, sizeof(want),
	    "kmsd-test[%ld]: log-lost: %d lines were lost, because nobody read the log\n",
	    (long)getpid(), 1000 - i);
	assert_memory_equal(text, want, strlen(want));
	assert_non_null(strstr(text, "some-event: read again\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_reader_stuck),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_many_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
