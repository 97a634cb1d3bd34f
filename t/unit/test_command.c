/*
 * test_command.c - command lines by the tables: what each bad one is told, and where values go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/cli/command.h"
#include "kmsctl/issue/issue.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

struct shared {
	const char *dir;
	bool loud;
};
struct pour {
	const char *into, *how;
	uint64_t cups;
	bool hot;
};
struct wash {
	const char *into;
};

static const struct option_row common[] = {
	{ "loud", 'l', .meaning = "say more", .offset = offsetof(struct shared, loud) },
	{ 0 },
};
static const struct option_row pour_rows[] = {
	{ "dir", 'd', "DIR", "where", .offset = offsetof(struct shared, dir), .shared = true },
	{ "into", 'i', "NAME", .offset = offsetof(struct pour, into) },
	{ "cups", 0, "N", .offset = offsetof(struct pour, cups), .read = option_count,
	    .takes = "a number from 1" },
	{ "hot", 0, .offset = offsetof(struct pour, hot) },
	{ "slowly", 0, .offset = offsetof(struct pour, how), .choice = "slow" },
	{ "at-once", 0, .offset = offsetof(struct pour, how), .choice = "fast" },
	{ 0 },
};
static const struct option_row wash_rows[] = {
	{ "into", 'i', "NAME", .offset = offsetof(struct wash, into) },
	{ 0 },
};
static const struct command tea_pour = { .noun = "tea",
	.verb = "pour",
	.args = "POT [CUP]",
	.min = 1,
	.max = 2,
	.options = pour_rows,
	.values = sizeof(struct pour) };
static const struct command tea_throw = { .noun = "tea", .verb = "throw" };
static const struct command wash = {
	.noun = "wash", .options = wash_rows, .values = sizeof(struct wash)
};
static const struct command *const commands[] = { &tea_pour, &tea_throw, &wash, NULL };
static const struct program kitchen = { "kitchen", commands, common, NULL };

/* text: words between blanks. argv is cut from copy. */
static void
parse(struct line *l, const struct program *p, struct shared *s, const char *text, char copy[256])
{
	char *argv[32] = { copy };
	int argc = 1;

	memset(s, 0, sizeof(*s));
	snprintf(copy, 256, "program %s", text);
	strtok(copy, " ");
	while (argc < 31 && (argv[argc] = strtok(NULL, " ")) != NULL)
		argc++;
	line_parse(l, p, s, argc, argv);
}

static void
test_values(void **ignored)
{
	const struct pour *pour;
	struct shared s;
	struct line l;
	char copy[256];

	parse(
	    &l, &kitchen, &s, "-l tea --cups 3 pour -d /shelf pot --slowly -imug --hot cup", copy);
	assert_int_equal(l.fault.status, KMS_OK);
	assert_ptr_equal(l.command, &tea_pour);
	pour = l.values;
	assert_string_equal(s.dir, "/shelf");
	assert_true(s.loud && pour->hot);
	assert_string_equal(pour->into, "mug");
	assert_string_equal(pour->how, "slow");
	assert_int_equal(pour->cups, 3);
	line_free(&l);
	/* One name, another command's field; cut short; nothing that an earlier line left. */
	parse(&l, &kitchen, &s, "wash --in=bowl", copy);
	assert_ptr_equal(l.command, &wash);
	assert_string_equal(((const struct wash *)l.values)->into, "bowl");
	assert_false(s.loud);
	line_free(&l);
	/* The last one counts, and the same choice twice is one. */
	parse(&l, &kitchen, &s, "tea pour pot -i a -i b --slowly --slowly -- -l", copy);
	assert_int_equal(l.fault.status, KMS_OK);
	pour = l.values;
	assert_string_equal(pour->into, "b");
	assert_false(s.loud);
	line_free(&l);
	parse(&l, &kitchen, &s, "tea --help", copy);
	assert_true(l.help && l.command == NULL && l.fault.status == KMS_OK);
	line_free(&l);
	parse(&l, &kitchen, &s, "tea pour -h", copy);
	assert_true(l.help && l.command == &tea_pour && l.fault.status == KMS_OK);
	assert_string_equal(l.args[0], "tea");
	line_free(&l);
	parse(&l, &kitchen, &s, "-V", copy);
	assert_true(l.version && l.command == NULL && l.fault.status == KMS_OK);
	line_free(&l);
}

#define POUR "kitchen tea pour [-d DIR] [-i NAME] [--cups N] [--hot] [--slowly|--at-once] POT [CUP]"

static void
test_bad(void **ignored)
{
	static const struct {
		const char *line, *told;
	} rows[] = {
		{ "coffee", "no command \"coffee\". One of: tea wash" },
		{ "wahs", "no command \"wahs\". One of: tea wash. Did you mean \"wash\"?" },
		{ "tea", "a command is missing after \"tea\". One of: pour throw" },
		{ "tea poor x",
		    "no command \"tea poor\". One of: pour throw. Did you mean \"pour\"?" },
		{ "tea pour", "an argument is missing. Usage: " POUR },
		{ "tea pour a b c", "too many arguments: \"c\". Usage: " POUR },
		{ "wash dish", "too many arguments: \"dish\". Usage: kitchen wash [-i NAME]" },
		{ "wash --hot",
		    "--hot does not belong to this command. Usage: kitchen wash [-i NAME]" },
		{ "wash --cups 3",
		    "--cups N does not belong to this command. Usage: kitchen wash [-i NAME]" },
		{ "tea throw -d x",
		    "-d DIR does not belong to this command. Usage: kitchen tea throw" },
		{ "tea pour pot --cups 0", "--cups takes a number from 1, not 0" },
		{ "tea pour pot --cups -1", "--cups takes a number from 1, not -1" },
		{ "tea pour pot --cups=", "--cups takes a number from 1, not " },
		{ "tea pour pot --cups 1x", "--cups takes a number from 1, not 1x" },
		{ "tea pour pot --cups 9999999999999999999",
		    "--cups takes a number from 1, not 9999999999999999999" },
		{ "tea pour pot --slowly --at-once", "give only one of --slowly and --at-once" },
		{ "wash --soap", "no such option: --soap" },
		{ "wash -x", "no such option: -x" },
		{ "wash -lx", "no such option: -x" },
		{ "--h", "no such option: --h" }, /* --help or --hot? */
		{ "wash --loud=yes", "no such option: --loud=yes" },
		{ "wash -i", "a value is missing after -i" },
		{ "tea pour pot --cups", "a value is missing after --cups" },
		/* The first of several. */
		{ "wash --soap --sponge", "no such option: --soap" },
		{ "tea pour --cups 0", "--cups takes a number from 1, not 0" },
	};
	struct shared s;
	struct line l;
	char copy[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&l, &kitchen, &s, rows[i].line, copy);
		if (l.fault.status != KMS_E_ARGUMENT || strcmp(l.fault.text, rows[i].told) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", rows[i].line, l.fault.text,
			    rows[i].told);
		line_free(&l);
	}
}

/* What command.c takes for granted of the rows of a program. */
static void
check_rows(const struct program *p, const struct option_row *rows, const struct option_row *others)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		assert_true(rows->read == NULL || rows->takes != NULL);
		assert_true(rows->choice == NULL || rows->argument == NULL);
		for (const struct option_row *o = others; o != NULL && o->name != NULL; o++) {
			bool same = strcmp(o->name, rows->name) == 0;

			if (same ? (o->argument == NULL) != (rows->argument == NULL) ||
				       o->letter != rows->letter
				 : o->letter != 0 && o->letter == rows->letter)
				fail_msg("%s: --%s and --%s", p->name, rows->name, o->name);
		}
	}
}

static void
check_program(const struct program *p)
{
	const struct command *const *c = p->commands;

	for (unsigned i = 0; c[i] != NULL; i++) {
		check_rows(p, c[i]->options, option_standard);
		check_rows(p, c[i]->options, p->common);
		for (unsigned k = 0; c[k] != NULL; k++)
			check_rows(p, c[i]->options, c[k]->options);
	}
}

static void
test_tables(void **ignored)
{
	check_program(&kmsctl_program);
	check_program(&kmsissue_program);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_tables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
