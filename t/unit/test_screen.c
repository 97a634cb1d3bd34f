/*
 * test_screen.c - what people read at a terminal: text broken between words, tables as wide as the
 * screen, cells of CSV.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/cli/csv.h"
#include "kmsctl/cli/output.h"
#include "kmsctl/cli/screen.h"

static void
test_fit(void **ignored)
{
	static const struct {
		const char *text;
		unsigned room;
		size_t fits;
	} cases[] = {
		{ "", 10, 0 },
		{ "one two", 0, 7 },
		{ "one two", 7, 7 },
		{ "one two", 6, 3 },
		{ "one two", 3, 3 },
		{ "one two", 2, 2 }, /* no word fits: it is cut */
		{ "onetwo", 3, 3 },
		{ "  one two", 5, 5 },
		{ "\u00e4\u00e4\u00e4 b", 4, 6 }, /* columns are characters */
		{ "\u00e4\u00e4\u00e4\u00e4", 3, 6 },
		/* a command is whole where it can be, and ends with its clause */
		{ "Type: kmsctl why pc1", 16, 5 },
		{ "Type: kmsctl why pc1", 20, 20 },
		{ "kmsctl why pc1, then more", 15, 15 },
		{ "kmsctl client forget pc1", 13, 13 }, /* not even alone */
		{ "kmsctlx why pc1", 12, 11 },
		{ "x [--limit N] y", 12, 1 },
		{ "x [--limit N] y", 10, 10 }, /* not even alone */
		{ "x [--limit N] y", 13, 13 },
		{ "x [never closed", 8, 8 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (screen_fit(cases[i].text, cases[i].room) != cases[i].fits)
			fail_msg("\"%s\" in %u: %zu bytes, not %zu", cases[i].text, cases[i].room,
			    screen_fit(cases[i].text, cases[i].room), cases[i].fits);
}

static void
test_print(void **ignored)
{
	static const struct {
		const char *text;
		unsigned at, hang, width;
		const char *printed;
	} cases[] = {
		{ "one two three", 0, 2, 0, "one two three" },
		{ "one two three", 0, 2, 13, "one two three" },
		{ "one two three", 0, 2, 8, "one two\n  three" },
		{ "one two three", 4, 2, 8, "one\n  two\n  three" },
		{ "one two three", 7, 2, 8,
		    "\n  one\n  two\n  three" }, /* none fits behind the label */
		{ "abcdefghij", 0, 1, 4, "abcd\n efg\n hij" }, { "", 3, 3, 20, "" },
		{ "one   ", 0, 2, 4, "one" },
		{ "a b", 30, 30, 20, "a\n                              b" }, /* no room at all */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		screen_print(f, cases[i].text, cases[i].at, cases[i].hang, cases[i].width);
		fclose(f);
		assert_string_equal(text, cases[i].printed);
		free(text);
	}
}

static void
test_csv(void **ignored)
{
	static const struct {
		const char *text, *cell;
		bool number;
	} cases[] = {
		{ "pc1", "pc1,", false },
		{ "", ",", false },
		{ "a,b", "\"a,b\",", false },
		{ "a\"b", "\"a\"\"b\",", false },
		{ "a;b", "\"a;b\",", false },
		{ "=1+1", "'=1+1,", false },
		{ "+1", "'+1,", false },
		{ "-1", "'-1,", false },
		{ "@x", "'@x,", false },
		{ "\t=x", "?=x,", false }, /* the text rule: no control character */
		{ "\r=x", "?=x,", false },
		{ "\uff1dx", "'\uff1dx,", false },
		{ " =x", " =x,", false },
		{ "a=b", "a=b,", false },
		{ "=\"a\"", "\"'=\"\"a\"\"\",", false },
		{ "a;=b", "\"a;'=b\",", false },
		{ "a\033[1m", "a?[1m,", false },
		{ "-1", "-1,", true },
	};
	char *text = NULL;
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *f = open_memstream(&text, &len);

		assert_true(csv_cell(f, cases[i].text, cases[i].number, false));
		fclose(f);
		assert_string_equal(text, cases[i].cell);
		free(text);
	}
	FILE *f = open_memstream(&text, &len);
	assert_true(csv_cell(f, "x", false, true));
	fclose(f);
	assert_string_equal(text, "x\r\n");
	free(text);
}

/* Two rows: a name, what can be spared, an id that stays whole, words, a number. */
static char *
render(const struct output_format *format, unsigned width)
{
	static const char *const names[] = { "pc1", "a-name-that-is-long.example" };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct output *o = output_new(format, f, false);

	o->width = width;
	output_list(o, "rows", NULL);
	for (unsigned i = 0; i < 2; i++) {
		output_row(o);
		output_text(o, "name", "Name", names[i]);
		output_put(o, &(struct output_field){ .key = "spare",
				  .label = "Spare",
				  .type = OUTPUT_TEXT,
				  .text = "some words",
				  .spare = 1 });
		output_put(o, &(struct output_field){ .key = "id",
				  .label = "Id",
				  .type = OUTPUT_TEXT,
				  .text = "0123456789",
				  .whole = true });
		output_text(o, "say", "Say", i == 0 ? "few" : "a few more words");
		output_number(o, "n", "N", i * 1000);
		output_text(o, "hidden", NULL, i == 0 ? NULL : "h");
	}
	output_end(o);
	output_line(o, OUTPUT_PLAIN, "and a line that is long enough to be broken");
	assert_true(output_close(o));
	fclose(f);
	return text;
}

static void
test_table(void **ignored)
{
	static const struct {
		unsigned width;
		const char *printed;
	} cases[] = {
		{ 0,
		    "  Name                         Spare       Id          Say                  N\n"
		    "  pc1                          some words  0123456789  few                  0\n"
		    "  a-name-that-is-long.example  some words  0123456789  a few more words  1000\n"
		    "and a line that is long enough to be broken\n" },
		{ 77,
		    "  Name                         Spare       Id          Say                  N\n"
		    "  pc1                          some words  0123456789  few                  0\n"
		    "  a-name-that-is-long.example  some words  0123456789  a few more words  1000\n"
		    "and a line that is long enough to be broken\n" },
		{ 65, "  Name                      Spare       Id          Say         N\n"
		      "  pc1                       some words  0123456789  few         0\n"
		      "  a-name-that-is-long.exam  some words  0123456789  a few    1000\n"
		      "  ple                                               more\n"
		      "                                                    words\n"
		      "and a line that is long enough to be broken\n" },
		{ 55, "  Name                      Id          Say           N\n"
		      "  pc1                       0123456789  few           0\n"
		      "  a-name-that-is-long.exam  0123456789  a few      1000\n"
		      "  ple                                   more\n"
		      "                                        words\n"
		      "  (no room for: Spare)\n"
		      "and a line that is long enough to be broken\n" },
		{ 30, "  Name:   pc1\n"
		      "  Spare:  some words\n"
		      "  Id:     0123456789\n"
		      "  Say:    few\n"
		      "  N:      0\n"
		      "\n"
		      "  Name:   a-name-that-is-long.\n"
		      "          example\n"
		      "  Spare:  some words\n"
		      "  Id:     0123456789\n"
		      "  Say:    a few more words\n"
		      "  N:      1000\n"
		      "and a line that is long enough\n"
		      "  to be broken\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = render(&output_format_text, cases[i].width);

		assert_string_equal(text, cases[i].printed);
		free(text);
	}
}

static void
test_csv_list(void **ignored)
{
	char *text = render(&output_format_csv, 80);

	assert_string_equal(text, "name,spare,id,say,n,hidden\r\n"
				  "pc1,some words,0123456789,few,0,\r\n"
				  "a-name-that-is-long.example,some words,0123456789,a few more "
				  "words,1000,h\r\n");
	free(text);
}

/* No line of a table of any width is wider, down to the narrowest screen that is believed. */
static void
test_widths(void **ignored)
{
	for (unsigned width = SCREEN_LEAST; width < 120; width++) {
		char *text = render(&output_format_text, width);

		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			if (screen_columns(line, strlen(line)) > width)
				fail_msg("%u columns: %s", width, line);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_csv_list),
		cmocka_unit_test(test_widths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
