/*
 * command.c - the table of commands, finding one, and its usage.
 */
#include "kmsctl/cli/command.h"

#include <stdio.h>
#include <string.h>

#include "libkms/base/typo.h"

const struct command *const commands[] = {
	&cmd_status,
	&cmd_plan,
	&cmd_apply,
	&cmd_doctor,
	&cmd_clients,
	&cmd_relay_status,
	&cmd_relay_check,
	&cmd_relay_import,
	&cmd_client_show,
	&cmd_client_revoke,
	&cmd_client_forget,
	&cmd_key_install,
	&cmd_key_show,
	&cmd_key_request,
	&cmd_key_confirm,
	&cmd_key_remove,
	&cmd_key_seal,
	&cmd_key_unseal,
	&cmd_policy_install,
	&cmd_policy_show,
	&cmd_policy_history,
	&cmd_policy_simulate,
	&cmd_publisher_rotate,
	&cmd_revocations_install,
	&cmd_audit_export,
	&cmd_ledger_check,
	&cmd_ledger_rebuild,
	&cmd_ledger_backup,
	&cmd_ledger_restore,
	&cmd_dns_publish,
	&cmd_dns_unpublish,
	&cmd_dns_show,
	&cmd_dns_check,
	&cmd_firewall_apply,
	&cmd_firewall_remove,
	&cmd_firewall_check,
	&cmd_firewall_show,
	&cmd_config_check,
	&cmd_why,
	&cmd_unlock,
	&cmd_explain,
	&cmd_version,
	&cmd_help,
	NULL,
};

static const char *const option_names[] = {
	"-o FILE",
	"--qr",
	"--product NAME|UUID",
	"--active",
	"--limit N",
	"--full",
	"--country CC",
	"--from TIME",
	"--to TIME",
	"--publisher NAME",
	"--png FILE",
	"--yes",
	"--detailed",
	"--clones",
	"--all",
	"--passphrase|--machine|--none",
	"--passphrase-file FILE",
	"--current-file FILE",
	"--vm",
	"--format NAME",
	"--nameserver ADDRESS",
	"--relayed",
	"--root DIR",
	"--check",
};

const char *
command_option(unsigned bit)
{
	unsigned i;

	for (i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if (bit == 1u << i)
			return option_names[i];
	return NULL;
}

/* The nouns, or the verbs of a noun, and the one that word may have meant. */
static void
suggest(char why[256], const char *noun, const char *word)
{
	const char *name, *nearest = NULL, *last = "";
	unsigned i, d, best = 3;
	size_t at;

	if (word == NULL)
		at = (size_t)snprintf(why, 256, "%s what? One of:", noun);
	else if (noun == NULL)
		at = (size_t)snprintf(why, 256, "no command \"%.40s\". One of:", word);
	else
		at = (size_t)snprintf(why, 256, "no command \"%s %.40s\". One of:", noun, word);
	for (i = 0; commands[i] != NULL; i++) {
		if (noun != NULL && strcmp(noun, commands[i]->noun) != 0)
			continue;
		name = noun == NULL ? commands[i]->noun : commands[i]->verb;
		if (name == NULL || strcmp(name, last) == 0)
			continue;
		last = name;
		at += (size_t)snprintf(why + at, 256 - at, " %s", name);
		if (word != NULL && (d = typo_distance(word, name)) < best) {
			best = d;
			nearest = name;
		}
	}
	if (nearest != NULL)
		snprintf(why + at, 256 - at, ". Did you mean \"%s\"?", nearest);
}

const struct command *
command_find(const char *noun, const char *verb, unsigned *words, char why[256])
{
	bool noun_known = false;
	unsigned i;

	for (i = 0; commands[i] != NULL; i++) {
		if (strcmp(commands[i]->noun, noun) != 0)
			continue;
		noun_known = true;
		*words = commands[i]->verb != NULL ? 2 : 1;
		if (commands[i]->verb == NULL ||
		    (verb != NULL && strcmp(commands[i]->verb, verb) == 0))
			return commands[i];
	}
	if (noun_known)
		suggest(why, noun, verb);
	else
		suggest(why, NULL, noun);
	return NULL;
}

void
command_usage(const struct command *c, char *out, size_t size)
{
	size_t at;
	unsigned i;

	at = (size_t)snprintf(
	    out, size, "kmsctl %s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
	for (i = 0; i < sizeof(option_names) / sizeof(*option_names); i++)
		if (c->options & 1u << i && at < size)
			at += (size_t)snprintf(out + at, size - at, " [%s]", option_names[i]);
	if (c->args != NULL && at < size)
		snprintf(out + at, size - at, " %s", c->args);
}
