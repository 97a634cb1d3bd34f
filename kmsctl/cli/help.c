/*
 * help.c - see help.h.
 */
#include "kmsctl/cli/help.h"

#include <inttypes.h>
#include <string.h>

#include "kmsctl/cli/output.h"
#include "kmsctl/cli/screen.h"
#include "libkms/kms_error.h"

#define USAGE 4 /* where a command's usage begins, and its summary */
#define SUMMARY 8

/* The table's words about these are so general that a text of the case says more. */
static bool
general(uint32_t status)
{
	static const uint32_t list[] = { KMS_E_ARGUMENT, KMS_E_NOT_FOUND, KMS_E_CONFIG,
		KMS_E_EXISTS, KMS_E_PASSPHRASE };

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (list[i] == status)
			return true;
	return false;
}

void
help_failure(const char *who, uint32_t status, const char *text)
{
	const struct kms_error *e = kms_error_find(status);
	char microsoft[32] = "";

	if (text != NULL && general(status)) {
		help_told(who, status, text);
		return;
	}
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
print_options(const struct program *p, const struct command *c, FILE *to, unsigned width)
{
	fputs("\noptions:\n", to);
	if (c != NULL)
		option_help(c->options, to, width);
	option_help(p->common, to, width);
	option_help(option_standard, to, width);
}

static void
print_indented(FILE *to, const char *text, unsigned indent, unsigned width)
{
	fprintf(to, "%*s", (int)indent, "");
	screen_print(to, text, indent, indent == 0 ? USAGE : SUMMARY, width);
	fputc('\n', to);
}

/* Where there is more to read. */
static void
print_where(const struct program *p, const struct command *of, bool several, bool asked, FILE *to,
    unsigned width)
{
	char text[160];

	fputc('\n', to);
	if (several) {
		snprintf(text, sizeof(text), "%s COMMAND --help lists the options of a command.",
		    p->name);
		print_indented(to, text, 0, width);
	}
	if (p->manuals == NULL)
		return;
	if (several && asked)
		fputc('\n', to);
	if (asked)
		snprintf(text, sizeof(text), "The manual page is %s.", command_manual(p, of));
	else
		snprintf(text, sizeof(text),
		    "The manual page %s(8) names the page of each group of commands.", p->name);
	print_indented(to, text, 0, width);
}

unsigned
help_commands(const struct program *p, char *const *words, unsigned count, FILE *to, unsigned width)
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
			print_indented(to, usage, USAGE, width);
			print_indented(to, (*c)->summary, SUMMARY, width);
		}
	if (found > 0)
		print_options(p, found == 1 ? only : NULL, to, width);
	if (found > 0)
		print_where(p, only, found > 1, count > 0, to, width);
	return found;
}
