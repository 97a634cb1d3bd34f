/*
 * words.c - see words.h.
 */
#include "kmsctl/host/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/ini_file.h"
#include "libkms/kms_error.h"

#define PATIENCE 2000 /* ms: a person waits at a prompt */

static void
print_nouns(struct ctl *ctl)
{
	const struct command *const *c = ctl->program->commands;
	const char *last = "";

	for (unsigned i = 0; c[i] != NULL; last = c[i++]->noun)
		if (strcmp(c[i]->noun, last) != 0)
			puts(c[i]->noun);
}

static void
print_symbols(struct ctl *ctl)
{
	unsigned count;
	const struct kms_error *table = kms_error_table(&count);

	for (unsigned i = 0; i < count; i++)
		puts(table[i].symbol);
}

static void
print_publishers(struct ctl *ctl)
{
	ini_load_quietly(ctl);
	for (unsigned i = 0; i < ctl->config.publisher_count; i++)
		output_say(stdout, "%s", ctl->config.publishers[i].name);
}

/* One field of the rows that a running host gives. */
static void
print_rows(struct ctl *ctl, uint16_t verb, const char *kind, const char *field)
{
	const struct reply_row *row = NULL;
	struct reply reply;

	ini_load_quietly(ctl);
	ctl->timeout_ms = PATIENCE;
	if (ask_quietly(ctl, verb, NULL, &reply, NULL) == KMS_OK)
		while ((row = reply_next(&reply, kind, row)) != NULL) {
			output_say(stdout, "%s",
			    reply_text(row, field) != NULL ? reply_text(row, field) : "");
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

bool
words_print(struct ctl *ctl, const char *what, const char *ini)
{
	ctl->config_path = ini != NULL ? ini : KMS_SYSCONFDIR "/kms/kms.ini";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].what, what) == 0)
			words[i].print(ctl);
	return output_written(stdout);
}
