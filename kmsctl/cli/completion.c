/*
 * completion.c - see completion.h.
 */
#include "kmsctl/cli/completion.h"

#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/output.h"

/* What the name of an argument says. */
static const struct {
	const char *name, *value;
} known[] = {
	{ "FILE", "file" },
	{ "DIR", "directory" },
	{ "KEY-ID", "ask keys" },
	{ "", "text" },
};

static const char *
value_of(const char *complete, const char *argument)
{
	size_t i = 0;

	if (complete != NULL || argument == NULL)
		return complete != NULL ? complete : "";
	while (strstr(argument, known[i].name) == NULL)
		i++;
	return known[i].value;
}

static void
print_options(const char *words, const struct option_row *row)
{
	for (; row != NULL && row->name != NULL; row++) {
		const char *value = value_of(row->complete, row->argument);
		const char *meaning = row->meaning != NULL ? row->meaning : "";

		printf("o\t%s\t--%s\t%s\t%s\n", words, row->name, value, meaning);
		if (row->letter != 0)
			printf("o\t%s\t-%c\t%s\t%s\n", words, row->letter, value, meaning);
	}
}

bool
completion_print(const struct program *p)
{
	char words[64];

	print_options("", option_standard);
	print_options("", p->common);
	for (unsigned i = 0; p->commands[i] != NULL; i++) {
		const struct command *c = p->commands[i];

		snprintf(words, sizeof(words), "%s%s%s", c->noun, c->verb != NULL ? " " : "",
		    c->verb != NULL ? c->verb : "");
		printf("c\t%s\t\t%s\t%s\n", words, value_of(c->complete, c->args), c->summary);
		print_options(words, c->options);
	}
	return output_written(stdout);
}
