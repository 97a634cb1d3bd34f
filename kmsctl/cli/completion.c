/*
 * completion.c - the tables of commands and options for the shells, so that neither has a list of
 * its own, and words that only this machine knows.
 *
 * A row a line, between tabs: c (a command) or o (an option), the command's words (of an option
 * that all take: none), the option, what its value or the command's arguments are, what it is for.
 * A value is nothing; "text", which nobody can guess; "directory"; "file" and maybe a pattern;
 * "words" and the words; "ask" and what to ask kmsctl --completion for.
 */
#include "kmsctl/cli/completion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/host/ask.h"
#include "libkms/kms_error.h"

#define PATIENCE 2000 /* ms: somebody waits at a prompt */

/* What the name of a value does not say. */
static const struct {
	const char *what, *value;
} known[] = {
	{ "--product", "ask products" },
	{ "--publisher", "ask publishers" },
	{ "--format", "words zone powershell dnsmasq" },
	{ "key install", "file *.kmskey" },
	{ "key confirm", "file *.kmscert" },
	{ "policy install", "file *.kmspolicy" },
	{ "policy simulate", "file *.kmspolicy" },
	{ "publisher rotate", "file *.kmsrotate" },
	{ "revocations install", "file *.kmsrevoked" },
	{ "explain", "ask symbols" },
	{ "help", "ask nouns" },
};

/* Every command takes these. */
static const char *const common[][2] = {
	{ "-c", "file" },
	{ "--config", "file" },
	{ "-s", "file" },
	{ "--socket", "file" },
	{ "-t", "text" },
	{ "--timeout", "text" },
	{ "-j", "" },
	{ "--json", "" },
	{ "-h", "" },
	{ "--help", "" },
	{ "-V", "" },
	{ "--version", "" },
};

/* name: as usage shows the value, NULL: none. */
static const char *
value_of(const char *what, const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].what, what) == 0)
			return known[i].value;
	if (name == NULL || *name == '\0')
		return "";
	if (strstr(name, "FILE") != NULL)
		return "file";
	if (strstr(name, "DIR") != NULL)
		return "directory";
	return strstr(name, "KEY-ID") != NULL ? "ask keys" : "text";
}

/* "-o FILE", or "--passphrase|--machine|--none". */
static void
print_option(const char *words, const char *usage)
{
	size_t len = strcspn(usage, " ");
	const char *name = usage[len] != '\0' ? usage + len + 1 : NULL;
	char option[32];

	do {
		len = strcspn(usage, " |");
		snprintf(option, sizeof(option), "%.*s", (int)len, usage);
		printf("o\t%s\t%s\t%s\t\n", words, option, value_of(option, name));
		if (strcmp(option, "-o") == 0)
			printf("o\t%s\t--output\t%s\t\n", words, value_of("--output", name));
		usage += len + 1;
	} while (usage[-1] == '|');
}

static void
print_tables(void)
{
	const struct command *c;
	char words[64];

	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
		printf("o\t\t%s\t%s\t\n", common[i][0], common[i][1]);
	for (unsigned i = 0; (c = commands[i]) != NULL; i++) {
		snprintf(words, sizeof(words), "%s%s%s", c->noun, c->verb != NULL ? " " : "",
		    c->verb != NULL ? c->verb : "");
		printf("c\t%s\t\t%s\t%s\n", words, value_of(words, c->args), c->summary);
		for (unsigned bit = 0; command_option(1u << bit) != NULL; bit++)
			if ((c->options & 1u << bit) != 0)
				print_option(words, command_option(1u << bit));
	}
}

static void
print_nouns(struct ctl *ctl)
{
	const char *last = "";

	for (unsigned i = 0; commands[i] != NULL; last = commands[i++]->noun)
		if (strcmp(commands[i]->noun, last) != 0)
			puts(commands[i]->noun);
}

static void
print_symbols(struct ctl *ctl)
{
	unsigned count;
	const struct kms_error *table = kms_error_table(&count);

	for (unsigned i = 0; i < count; i++)
		puts(table[i].symbol);
}

/* What can be read of it: a completion is no place for complaints. */
static void
read_config(struct ctl *ctl)
{
	struct config_error error;
	char *text = NULL;
	size_t len;

	config_defaults(&ctl->config);
	if (config_read_file(ctl->config_path, &text, &len) == KMS_OK)
		config_parse(&ctl->config, text, len, &error, 1);
	free(text);
}

static void
print_publishers(struct ctl *ctl)
{
	read_config(ctl);
	for (unsigned i = 0; i < ctl->config.publisher_count; i++)
		puts(ctl->config.publishers[i].name);
}

/* One field of the rows that a running host gives. */
static void
print_rows(struct ctl *ctl, uint16_t verb, const char *kind, const char *field)
{
	const struct reply_row *row = NULL;
	struct reply reply;
	char *safe;

	read_config(ctl);
	ctl->timeout_ms = PATIENCE;
	if (ask_quietly(ctl, verb, NULL, &reply, NULL) == KMS_OK)
		while ((row = reply_next(&reply, kind, row)) != NULL) {
			safe = output_printable(
			    reply_text(row, field) != NULL ? reply_text(row, field) : "", false);
			if (safe != NULL)
				puts(safe);
			free(safe);
		}
	reply_free(&reply);
}

static void
print_products(struct ctl *ctl)
{
	print_rows(ctl, CONTROL_POLICY_SHOW, "product", "name");
}

static void
print_keys(struct ctl *ctl)
{
	print_rows(ctl, CONTROL_KEY_SHOW, "key", "id");
}

static const struct {
	const char *what;
	void (*print)(struct ctl *ctl);
} words[] = {
	{ "nouns", print_nouns },
	{ "symbols", print_symbols },
	{ "publishers", print_publishers },
	{ "products", print_products },
	{ "keys", print_keys },
};

int
completion_print(struct ctl *ctl, int argc, char **argv)
{
	if (argc > 1)
		ctl->config_path = argv[1];
	if (argc == 0)
		print_tables();
	for (size_t i = 0; argc > 0 && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].what, argv[0]) == 0)
			words[i].print(ctl);
	return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}
