/*
 * main.c - kmsctl: reads the command line, finds the command, runs it.
 */
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/command.h"
#include "kmsctl/cli/completion.h"
#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "libkms/kms_error.h"

#define TIMEOUT_DEFAULT 30 /* seconds */
#define TIMEOUT_MAX 3600

enum {
	LONG_QR = 256,
	LONG_FORMAT,
	LONG_NAMESERVER,
	LONG_PRODUCT,
	LONG_ACTIVE,
	LONG_LIMIT,
	LONG_FULL,
	LONG_COUNTRY,
	LONG_FROM,
	LONG_TO,
	LONG_PUBLISHER,
	LONG_PASSPHRASE,
	LONG_MACHINE,
	LONG_NONE,
	LONG_PASSPHRASE_FILE,
	LONG_CURRENT_FILE,
	LONG_VM,
	LONG_RELAYED,
	LONG_ROOT,
	LONG_CHECK,
	LONG_PNG,
	LONG_YES,
	LONG_DETAILED,
	LONG_CLONES,
	LONG_ALL
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "output", required_argument, NULL, 'o' },
	{ "qr", no_argument, NULL, LONG_QR },
	{ "product", required_argument, NULL, LONG_PRODUCT },
	{ "active", no_argument, NULL, LONG_ACTIVE },
	{ "limit", required_argument, NULL, LONG_LIMIT },
	{ "format", required_argument, NULL, LONG_FORMAT },
	{ "nameserver", required_argument, NULL, LONG_NAMESERVER },
	{ "full", no_argument, NULL, LONG_FULL },
	{ "country", required_argument, NULL, LONG_COUNTRY },
	{ "from", required_argument, NULL, LONG_FROM },
	{ "to", required_argument, NULL, LONG_TO },
	{ "publisher", required_argument, NULL, LONG_PUBLISHER },
	{ "png", required_argument, NULL, LONG_PNG },
	{ "yes", no_argument, NULL, LONG_YES },
	{ "detailed", no_argument, NULL, LONG_DETAILED },
	{ "clones", no_argument, NULL, LONG_CLONES },
	{ "all", no_argument, NULL, LONG_ALL },
	{ "passphrase", no_argument, NULL, LONG_PASSPHRASE },
	{ "machine", no_argument, NULL, LONG_MACHINE },
	{ "none", no_argument, NULL, LONG_NONE },
	{ "passphrase-file", required_argument, NULL, LONG_PASSPHRASE_FILE },
	{ "current-file", required_argument, NULL, LONG_CURRENT_FILE },
	{ "vm", no_argument, NULL, LONG_VM },
	{ "relayed", no_argument, NULL, LONG_RELAYED },
	{ "root", required_argument, NULL, LONG_ROOT },
	{ "check", no_argument, NULL, LONG_CHECK },
	{ NULL, 0, NULL, 0 },
};

struct line {
	unsigned options; /* CTL_OPT_* seen */
	bool help, version;
	char why[256]; /* usage error, or "" */
};

static void
usage_error(struct line *line, const char *what, const char *value)
{
	if (line->why[0] == '\0')
		snprintf(line->why, sizeof(line->why), "%s%.100s", what, value);
}

static bool
number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	const char *p;

	if (*text == '\0' || strlen(text) > 18)
		return false;
	for (p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*out = n;
	return n > 0 && n <= max;
}

/* ISO 3166-1, in capitals as packs have it. */
static bool
country(char out[3], const char *text)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		out[i] = (char)(text[i] & ~0x20);
		if (out[i] < 'A' || out[i] > 'Z')
			return false;
	}
	out[2] = '\0';
	return text[2] == '\0';
}

/* One of three, given once. */
static void
take_seal(struct ctl *ctl, struct line *line, const char *kind)
{
	if (ctl->seal != NULL && strcmp(ctl->seal, kind) != 0)
		usage_error(line, "only one of --passphrase, --machine and --none", "");
	ctl->seal = kind;
	line->options |= CTL_OPT_SEAL;
}

static void
take_option(struct ctl *ctl, struct line *line, int c)
{
	uint64_t n;

	switch (c) {
	case 'c':
		ctl->config_path = optarg;
		ctl->config_given = true;
		break;
	case 's':
		ctl->socket = optarg;
		break;
	case 't':
		if (!number(optarg, TIMEOUT_MAX, &n))
			usage_error(line, "--timeout takes seconds, 1 to 3600, not ", optarg);
		else
			ctl->timeout_ms = (int)n * 1000;
		break;
	case 'j':
		ctl->json = true;
		break;
	case 'h':
		line->help = true;
		break;
	case 'V':
		line->version = true;
		break;
	case 'o':
		ctl->output_file = optarg;
		line->options |= CTL_OPT_OUTPUT;
		break;
	case LONG_QR:
		ctl->qr = true;
		line->options |= CTL_OPT_QR;
		break;
	case LONG_PRODUCT:
		ctl->product = optarg;
		line->options |= CTL_OPT_PRODUCT;
		break;
	case LONG_ACTIVE:
		ctl->active = true;
		line->options |= CTL_OPT_ACTIVE;
		break;
	case LONG_FROM:
		ctl->from = optarg;
		line->options |= CTL_OPT_FROM;
		break;
	case LONG_TO:
		ctl->to = optarg;
		line->options |= CTL_OPT_TO;
		break;
	case LONG_PUBLISHER:
		ctl->publisher = optarg;
		line->options |= CTL_OPT_PUBLISHER;
		break;
	case LONG_PASSPHRASE:
		take_seal(ctl, line, "passphrase");
		break;
	case LONG_MACHINE:
		take_seal(ctl, line, "machine");
		break;
	case LONG_NONE:
		take_seal(ctl, line, "no");
		break;
	case LONG_PASSPHRASE_FILE:
		ctl->passphrase_file = optarg;
		line->options |= CTL_OPT_PASSPHRASE_FILE;
		break;
	case LONG_CURRENT_FILE:
		ctl->current_file = optarg;
		line->options |= CTL_OPT_CURRENT_FILE;
		break;
	case LONG_RELAYED:
		ctl->relayed = true;
		line->options |= CTL_OPT_RELAYED;
		break;
	case LONG_ROOT:
		ctl->root = optarg;
		line->options |= CTL_OPT_ROOT;
		break;
	case LONG_CHECK:
		ctl->check = true;
		line->options |= CTL_OPT_CHECK;
		break;
	case LONG_VM:
		ctl->vm = true;
		line->options |= CTL_OPT_VM;
		break;
	case LONG_LIMIT:
		if (!number(optarg, UINT64_MAX, &ctl->limit))
			usage_error(line, "--limit takes a number from 1, not ", optarg);
		line->options |= CTL_OPT_LIMIT;
		break;
	case LONG_COUNTRY:
		if (!country(ctl->country, optarg))
			usage_error(line, "--country takes two letters as DE, not ", optarg);
		line->options |= CTL_OPT_COUNTRY;
		break;
	case LONG_PNG:
		ctl->png = optarg;
		line->options |= CTL_OPT_PNG;
		break;
	case LONG_YES:
		ctl->yes = true;
		line->options |= CTL_OPT_YES;
		break;
	case LONG_DETAILED:
		ctl->detailed = true;
		line->options |= CTL_OPT_DETAILED;
		break;
	case LONG_CLONES:
		ctl->clones = true;
		line->options |= CTL_OPT_CLONES;
		break;
	case LONG_ALL:
		ctl->all = true;
		line->options |= CTL_OPT_ALL;
		break;
	case LONG_FORMAT:
		ctl->format = optarg;
		line->options |= CTL_OPT_FORMAT;
		break;
	case LONG_NAMESERVER:
		ctl->nameserver = optarg;
		line->options |= CTL_OPT_NAMESERVER;
		break;
	case LONG_FULL:
		ctl->full = true;
		line->options |= CTL_OPT_FULL;
		break;
	}
}

static void
parse_options(struct ctl *ctl, struct line *line, int argc, char **argv)
{
	char letter[3] = "-";
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:s:t:o:hVj", long_options, NULL)) != -1) {
		letter[1] = (char)optopt;
		if (c == ':')
			usage_error(line, "a value is missing after ", argv[optind - 1]);
		else if (c == '?') /* optopt: the letter, or 0 for a long one */
			usage_error(line, "no such option: ",
			    optopt > 0 && optopt < 128 ? letter : argv[optind - 1]);
		else
			take_option(ctl, line, c);
	}
	ctl->args = argv + optind;
	ctl->arg_count = (unsigned)(argc - optind);
}

static void
check_arguments(struct ctl *ctl, struct line *line)
{
	const struct command *c = ctl->command;
	unsigned extra = line->options & ~c->options;
	char usage[256], why[300];

	command_usage(c, usage, sizeof(usage));
	if (extra != 0)
		snprintf(why, sizeof(why), "%s does not belong to this command. Usage: %.200s",
		    command_option(extra & -extra), usage);
	else if (ctl->arg_count < c->min)
		snprintf(why, sizeof(why), "an argument is missing. Usage: %.200s", usage);
	else if (ctl->arg_count > c->max)
		snprintf(why, sizeof(why), "too many arguments: \"%.60s\". Usage: %.180s",
		    ctl->args[c->max], usage);
	else
		return;
	if (line->why[0] == '\0')
		snprintf(line->why, sizeof(line->why), "%.255s", why);
}

static void
find_command(struct ctl *ctl, struct line *line)
{
	const char *verb = ctl->arg_count > 1 ? ctl->args[1] : NULL;
	unsigned words;

	if (line->version || line->help || ctl->arg_count == 0) {
		ctl->command = line->version ? &cmd_version : &cmd_help;
		if (ctl->arg_count == 0 && !line->version && !line->help)
			usage_error(line, "a command is missing: kmsctl help lists them", "");
		if (line->version)
			ctl->arg_count = 0;
		return;
	}
	if (line->why[0] != '\0')
		return;
	ctl->command = command_find(ctl->args[0], verb, &words, line->why);
	if (ctl->command == NULL)
		return;
	ctl->args += words;
	ctl->arg_count -= words;
	check_arguments(ctl, line);
}

static int
run(struct ctl *ctl, struct line *line)
{
	int code;

	if (ctl->command != NULL)
		output_text(ctl->out, "command", NULL, ctl->command->noun);
	if (ctl->command != NULL && ctl->command->verb != NULL)
		output_text(ctl->out, "verb", NULL, ctl->command->verb);
	if (line->why[0] != '\0') {
		if (ctl->json)
			fail(ctl, KMS_E_ARGUMENT, "%s", line->why);
		else
			fprintf(stderr, "kmsctl: %s\n", line->why);
		return CTL_USAGE;
	}
	code = ctl->command->no_config ? CTL_OK : ini_load(ctl);
	return code != CTL_OK ? code : ctl->command->run(ctl);
}

int
main(int argc, char **argv)
{
	static struct ctl ctl; /* large */
	struct line line = { 0 };
	int code;

	setlocale(LC_TIME, "");
	signal(SIGPIPE, SIG_IGN); /* a reader that left is a write error */
	ctl.config_path = KMS_SYSCONFDIR "/kms/kms.ini";
	ctl.timeout_ms = TIMEOUT_DEFAULT * 1000;
	if (argc > 1 && strcmp(argv[1], "--completion") == 0)
		return completion_print(&ctl, argc - 2, argv + 2);
	parse_options(&ctl, &line, argc, argv);
	find_command(&ctl, &line);
	ctl.out = output_new(ctl.json ? &output_format_json : &output_format_text, stdout,
	    output_colour_wanted(stdout));
	if (ctl.out == NULL) {
		fprintf(stderr, "kmsctl: %s\n", kms_strerror(KMS_E_NO_MEMORY));
		return CTL_FAILED;
	}
	code = run(&ctl, &line);
	if (!output_close(ctl.out)) {
		fprintf(stderr, "kmsctl: the output could not be written whole\n");
		code = CTL_FAILED;
	}
	return code;
}
