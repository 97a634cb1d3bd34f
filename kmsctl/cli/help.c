/*
 * help.c - see help.h.
 */
#include "kmsctl/cli/help.h"

#include <inttypes.h>
#include <string.h>

#include "kmsctl/cli/output.h"
#include "libkms/kms_error.h"

void
help_failure(const char *who, uint32_t status, const char *text)
{
	const struct kms_error *e = kms_error_find(status);
	char microsoft[32] = "";

	if (e->microsoft != 0)
		snprintf(microsoft, sizeof(microsoft), ", Microsoft 0x%08" PRIX32, e->microsoft);
	output_say(stderr, "%s: %s", who, text != NULL ? text : e->meaning);
	/* Without a text the first line was the meaning. */
	output_say(stderr, "  %s (%" PRIu32 "%s)%s%s", e->symbol, status, microsoft,
	    text != NULL ? ": " : "", text != NULL ? e->meaning : "");
	output_say(stderr, "  %s", e->remedy);
}

void
help_told(const char *who, uint32_t status, const char *text)
{
	output_say(stderr, "%s: %s", who, text);
	output_say(stderr, "  %s (%" PRIu32 ")", kms_error_find(status)->symbol, status);
}

void
help_usage(const char *program, const struct fault *f)
{
	output_say(stderr, "%s: %s", program, f->text);
	output_say(stderr, "Try '%s --help'.", program);
}

void
help_no_command(struct line *l)
{
	if (l->command == NULL && l->fault.status == KMS_OK)
		fault_set(&l->fault, KMS_E_ARGUMENT, "a command is missing");
}

static bool
asked_for(const struct command *c, char *const *words, unsigned count)
{
	return (count < 1 || strcmp(c->noun, words[0]) == 0) &&
	       (count < 2 || c->verb == NULL || strcmp(c->verb, words[1]) == 0);
}

static void
print_options(const struct program *p, const struct command *c, FILE *to)
{
	fputs("\noptions:\n", to);
	if (c != NULL)
		option_help(c->options, to);
	option_help(p->common, to);
	option_help(option_standard, to);
}

unsigned
help_commands(const struct program *p, char *const *words, unsigned count, FILE *to)
{
	const struct command *only = NULL;
	char usage[400];
	unsigned found = 0;

	for (const struct command *const *c = p->commands; *c != NULL; c++)
		if (asked_for(*c, words, count)) {
			only = *c;
			found++;
		}
	if (found > 0)
		fputs("usage:\n", to);
	for (const struct command *const *c = p->commands; *c != NULL; c++)
		if (asked_for(*c, words, count)) {
			command_usage(p, *c, found > 1, usage, sizeof(usage));
			fprintf(to, "    %s\n        %s\n", usage, (*c)->summary);
		}
	if (found > 0)
		print_options(p, found == 1 ? only : NULL, to);
	if (found > 1)
		fprintf(to, "\n%s COMMAND --help lists the options of a command.\n", p->name);
	return found;
}
