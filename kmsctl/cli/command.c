/*
 * command.c - reads a command line by the rows of command.h.
 *
 * A command's words may follow options, so that one table of all options of the program is read
 * first; whether each option belongs to the command is checked afterwards. Rows of one name take
 * an argument in every command or in none.
 */
#include "kmsctl/cli/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/screen.h"
#include "libkms/base/number.h"
#include "libkms/base/typo.h"
#include "libkms/kms_error.h"

#define OPTIONS_MAX 96 /* different names in a program */
#define COUNT_MAX (UINT64_C(1000000000000000000) - 1)
#define LONG 256   /* getopt's value for the first row */
#define MEANING 33 /* column of what an option means */
#define MEANING_LEAST 24
#define MEANING_BELOW 12

const struct option_row option_standard[] = {
	{ "help", 'h', .meaning = "this help", .offset = offsetof(struct line, help) },
	{ "version", 'V', .meaning = "the version", .offset = offsetof(struct line, version) },
	{ 0 },
};

/* All options of a program, as getopt wants them. */
struct union_table {
	const struct option_row *rows[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char letters[3 * OPTIONS_MAX + 2];
	unsigned count;
};

static const struct option_row *
row_find(const struct option_row *rows, const char *name)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

static void
table_add(struct union_table *t, const struct option_row *rows)
{
	size_t n = strlen(t->letters);

	for (; rows != NULL && rows->name != NULL; rows++) {
		unsigned i = 0;

		while (i < t->count && strcmp(t->rows[i]->name, rows->name) != 0)
			i++;
		if (i < t->count || i == OPTIONS_MAX)
			continue;
		t->rows[t->count] = rows;
		t->longs[t->count] = (struct option){ rows->name,
			rows->argument != NULL ? required_argument : no_argument, NULL,
			LONG + (int)t->count };
		t->count++;
		if (rows->letter == 0)
			continue;
		t->letters[n++] = rows->letter;
		if (rows->argument != NULL)
			t->letters[n++] = ':';
	}
}

static void
table_make(struct union_table *t, const struct program *p)
{
	memset(t, 0, sizeof(*t));
	t->letters[0] = ':'; /* distinguishes a missing value */
	table_add(t, option_standard);
	table_add(t, p->common);
	for (unsigned i = 0; p->commands[i] != NULL; i++)
		table_add(t, p->commands[i]->options);
}

static const struct option_row *
table_row(const struct union_table *t, int got)
{
	if (got >= LONG)
		return t->rows[got - LONG];
	for (unsigned i = 0; i < t->count; i++)
		if (t->rows[i]->letter == got)
			return t->rows[i];
	return NULL;
}

/* "--passphrase, --machine and --none": all rows of the field. */
static void
choices(const struct option_row *rows, const struct option_row *of, char out[160])
{
	size_t at = 0, more = 0;

	for (const struct option_row *r = rows; r->name != NULL; r++)
		more += r->offset == of->offset && r->choice != NULL;
	for (const struct option_row *r = rows; r->name != NULL && at < 160; r++)
		if (r->offset == of->offset && r->choice != NULL)
			at += (size_t)snprintf(out + at, 160 - at, "--%s%s", r->name,
			    --more > 1  ? ", "
			    : more == 1 ? " and "
					: "");
}

static void
take(struct line *l, const struct option_row *rows, const struct option_row *row, void *base,
    const char *value)
{
	void *field = (char *)base + row->offset;
	const char **text = field;
	char all[160];

	if (row->read != NULL) {
		if (!row->read(field, value))
			fault_set(&l->fault, KMS_E_ARGUMENT, "--%s takes %s, not %.100s", row->name,
			    row->takes, value);
	} else if (row->choice != NULL) {
		choices(rows, row, all);
		if (*text != NULL && strcmp(*text, row->choice) != 0)
			fault_set(&l->fault, KMS_E_ARGUMENT, "give only one of %s", all);
		*text = row->choice;
	} else if (row->argument != NULL) {
		*text = value;
	} else {
		*(bool *)field = true;
	}
}

/* An option that is not of all commands, as the line has it. */
struct command_option {
	const struct option_row *row;
	const char *value;
};

/* Handles options of all commands at once, and keeps the others. Returns how many. */
static unsigned
read_options(struct line *l, const struct program *p, void *shared, int argc, char **argv,
    struct command_option *own)
{
	struct union_table t;
	char letter[3] = "-";
	unsigned n = 0;
	int c;

	table_make(&t, p);
	opterr = 0;
	optind = 0; /* GNU: start again, whatever was read before */
	while ((c = getopt_long(argc, argv, t.letters, t.longs, NULL)) != -1) {
		const struct option_row *row = table_row(&t, c);

		letter[1] = (char)optopt;
		if (c == ':')
			fault_set(&l->fault, KMS_E_ARGUMENT, "a value is missing after %.100s",
			    argv[optind - 1]);
		else if (row == NULL) /* optopt: the letter, or 0 for a long one */
			fault_set(&l->fault, KMS_E_ARGUMENT, "no such option: %.100s",
			    optopt > 0 && optopt < 128 ? letter : argv[optind - 1]);
		else if (row_find(option_standard, row->name) == row)
			take(l, option_standard, row, l, optarg);
		else if (row_find(p->common, row->name) == row)
			take(l, p->common, row, shared, optarg);
		else
			own[n++] = (struct command_option){ row, optarg };
	}
	l->args = argv + optind;
	l->count = (unsigned)(argc - optind);
	return n;
}

/* The nouns, or the verbs of a noun, and the one that a mistyped word is nearest to. */
static void
suggest(struct fault *f, const struct program *p, const char *noun, const char *word)
{
	const char *name, *nearest = NULL, *last = "";
	char list[FAULT_TEXT] = "";
	unsigned d, best = 3;
	size_t at = 0;

	for (unsigned i = 0; p->commands[i] != NULL; i++) {
		if (noun != NULL && strcmp(noun, p->commands[i]->noun) != 0)
			continue;
		name = noun == NULL ? p->commands[i]->noun : p->commands[i]->verb;
		if (name == NULL || strcmp(name, last) == 0)
			continue;
		last = name;
		if (at < sizeof(list))
			at += (size_t)snprintf(list + at, sizeof(list) - at, " %s", name);
		if (word != NULL && (d = typo_distance(word, name)) < best) {
			best = d;
			nearest = name;
		}
	}
	if (word == NULL) {
		fault_set(
		    f, KMS_E_ARGUMENT, "a command is missing after \"%s\". One of:%s", noun, list);
		return;
	}
	fault_set(f, KMS_E_ARGUMENT, "no command \"%s%s%.40s\". One of:%s%s%s%s",
	    noun != NULL ? noun : "", noun != NULL ? " " : "", word, list,
	    nearest != NULL ? ". Did you mean \"" : "", nearest != NULL ? nearest : "",
	    nearest != NULL ? "\"?" : "");
}

/* *words: how many of the line's name it. */
static const struct command *
command_find(const struct program *p, struct line *l, unsigned *words)
{
	const char *noun = l->args[0], *verb = l->count > 1 ? l->args[1] : NULL;
	bool noun_known = false;

	for (unsigned i = 0; p->commands[i] != NULL; i++) {
		const struct command *c = p->commands[i];

		if (strcmp(c->noun, noun) != 0)
			continue;
		noun_known = true;
		if (c->verb != NULL && (verb == NULL || strcmp(c->verb, verb) != 0))
			continue;
		*words = c->verb != NULL ? 2 : 1;
		return c;
	}
	if (!l->help)
		suggest(&l->fault, p, noun_known ? noun : NULL, noun_known ? verb : noun);
	return NULL;
}

static void
take_own(struct line *l, const struct program *p, void *shared, const struct command_option *o)
{
	const struct option_row *row = row_find(l->command->options, o->row->name);
	char usage[400], option[80];

	if (row != NULL) {
		take(l, l->command->options, row, row->shared ? shared : l->values, o->value);
		return;
	}
	command_usage(p, l->command, false, usage, sizeof(usage));
	option_usage(o->row, option, sizeof(option));
	fault_set(&l->fault, KMS_E_ARGUMENT, "%s does not belong to this command. Usage: %s",
	    option, usage);
}

static void
check_count(struct line *l, const struct program *p)
{
	const struct command *c = l->command;
	char usage[400];

	command_usage(p, c, false, usage, sizeof(usage));
	if (l->count < c->min)
		fault_set(&l->fault, KMS_E_ARGUMENT, "an argument is missing. Usage: %s", usage);
	else if (l->count > c->max)
		fault_set(&l->fault, KMS_E_ARGUMENT, "too many arguments: \"%.60s\". Usage: %s",
		    l->args[c->max], usage);
}

void
line_parse(struct line *l, const struct program *p, void *shared, int argc, char **argv)
{
	struct command_option *own = calloc((size_t)argc + 1, sizeof(*own));
	unsigned n, words = 0;

	memset(l, 0, sizeof(*l));
	if (own == NULL) {
		fault_set(&l->fault, KMS_E_NO_MEMORY, NULL);
		return;
	}
	n = read_options(l, p, shared, argc, argv, own);
	/* With a wrong option too: the exit code may be the command's. */
	if (l->count > 0 && !l->version)
		l->command = command_find(p, l, &words);
	if (l->command != NULL && !l->help) {
		l->args += words;
		l->count -= words;
		l->values = calloc(1, l->command->values + 1);
		if (l->values == NULL)
			fault_set(&l->fault, KMS_E_NO_MEMORY, NULL);
		for (unsigned i = 0; i < n && l->values != NULL; i++)
			take_own(l, p, shared, &own[i]);
		check_count(l, p);
	}
	free(own);
}

void
line_free(struct line *l)
{
	free(l->values);
	l->values = NULL;
}

bool
option_count(void *field, const char *text)
{
	uint64_t n = 0;

	if (!number_parse(&n, COUNT_MAX, text) || n == 0)
		return false;
	*(uint64_t *)field = n;
	return true;
}

void
option_usage(const struct option_row *row, char *out, size_t size)
{
	char letter[3] = { '-', row->letter, '\0' };

	snprintf(out, size, "%s%s%s%s", row->letter != 0 ? letter : "--",
	    row->letter != 0 ? "" : row->name, row->argument != NULL ? " " : "",
	    row->argument != NULL ? row->argument : "");
}

void
command_words(const struct command *c, bool brief, char *out, size_t size)
{
	const struct option_row *row = brief ? NULL : c->options;
	char option[80];
	size_t at;

	at = (size_t)snprintf(out, size, "%s%s%s%s", c->noun, c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb : "", brief ? " [options]" : "");
	for (; row != NULL && row->name != NULL && at < size; row++) {
		bool again = row > c->options && row->choice != NULL && row[-1].choice != NULL &&
			     row[-1].offset == row->offset;
		bool more =
		    row->choice != NULL && row[1].choice != NULL && row[1].offset == row->offset;

		option_usage(row, option, sizeof(option));
		at += (size_t)snprintf(
		    out + at, size - at, "%s%s%s", again ? "|" : " [", option, more ? "" : "]");
	}
	if (c->args != NULL && at < size)
		snprintf(out + at, size - at, " %s", c->args);
}

void
command_usage(const struct program *p, const struct command *c, bool brief, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s ", p->name);

	command_words(c, brief, out + at, size - at);
}

const char *
command_manual(const struct program *p, const struct command *c)
{
	const struct manual *m = p->manuals;

	while (m != NULL && m->noun != NULL && strcmp(m->noun, c->noun) != 0)
		m++;
	return m != NULL ? m->page : NULL;
}

void
option_help(const struct option_row *rows, FILE *to, unsigned width)
{
	char left[40];
	bool below; /* the meaning, where there is no room beside the option */
	int hang;

	for (; rows != NULL && rows->name != NULL; rows++) {
		snprintf(left, sizeof(left), "--%s%s%s", rows->name,
		    rows->argument != NULL ? " " : "",
		    rows->argument != NULL ? rows->argument : "");
		below = width != 0 && width < MEANING + MEANING_LEAST;
		hang = below ? MEANING_BELOW : MEANING;
		fprintf(to, "    %c%c%c %-*s", rows->letter != 0 ? '-' : ' ',
		    rows->letter != 0 ? rows->letter : ' ', rows->letter != 0 ? ',' : ' ',
		    below ? 0 : MEANING - 8, left);
		if (below)
			fprintf(to, "\n%*s", MEANING_BELOW, "");
		screen_print(to, rows->meaning != NULL ? rows->meaning : "", (unsigned)hang,
		    (unsigned)hang, width);
		fputc('\n', to);
	}
}
