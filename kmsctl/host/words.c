/*
 * words.c - see words.h.
 */
#include "kmsctl/host/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

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

static void
print_pools(struct ctl *ctl)
{
	print_rows(ctl, CONTROL_POLICY_SHOW, "pool", "name");
}

/* More are of no use to who waits at a prompt. */
#define CLIENTS_MOST 2000

struct named {
	const char *beginning;
	unsigned count;
	struct timespec until;
};

static bool
late(const struct timespec *until)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > until->tv_sec;
}

/* One that a shell, or a person, would have to quote is left to the CMID. */
static int
print_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct named *n = arg;

	if (!kmsdb_client_gone(c) && value_name_ok(cold->name, MESSAGE_NAME) &&
	    strncasecmp(cold->name, n->beginning, strlen(n->beginning)) == 0) {
		puts(cold->name);
		n->count++;
	}
	return n->count == CLIENTS_MOST || late(&n->until);
}

static void
print_clients(struct ctl *ctl)
{
	struct named n = { .beginning = ctl->arg_count > 0 ? ctl->args[0] : "" };
	struct fault fault = { 0 };

	ini_load_quietly(ctl);
	ctl->timeout_ms = PATIENCE;
	clock_gettime(CLOCK_MONOTONIC, &n.until);
	n.until.tv_sec += PATIENCE / 1000;
	ledger_each_client(ctl, print_client, &n, &fault);
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
	{ "pools", print_pools },
	{ "clients", print_clients },
};

bool
words_print(struct ctl *ctl, const char *what, const char *ini, const char *beginning)
{
	char *args[] = { (char *)beginning, NULL };

	ctl->args = args;
	ctl->arg_count = beginning != NULL;
	ctl->config_path = ini != NULL && *ini != '\0' ? ini : KMS_SYSCONFDIR "/kms/kms.ini";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].what, what) == 0)
			words[i].print(ctl);
	return output_written(stdout);
}
