/*
 * main.c - kmsissue, the publisher's tool: finds the command and its options
 * in two tables, runs it, prints its result or what went wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/issue/issue.h"
#include "libkms/base/wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EXIT_USAGE 2

struct option_spec {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* NULL: a flag */
	const char *meaning;
	size_t offset; /* in issue_args */
};

static const struct option_spec options[] = {
	{ "dir", 'd', "DIR", "the publisher's directory (default: .)",
	    offsetof(struct issue_args, dir) },
	{ "secret-key", 's', "FILE", "secret key (default: DIR/publisher.key)",
	    offsetof(struct issue_args, secret_key) },
	{ "passphrase-file", 0, "FILE", "its first line is the passphrase (default: ask)",
	    offsetof(struct issue_args, passphrase_file) },
	{ "no-passphrase", 0, NULL, "do not encrypt the secret key",
	    offsetof(struct issue_args, no_passphrase) },
	{ "name", 0, "NAME", "the publisher's name, for the public key's comment",
	    offsetof(struct issue_args, name) },
	{ "output", 'o', "NAME", "write NAME with its ending and NAME's signature",
	    offsetof(struct issue_args, out) },
	{ "force", 'f', NULL,
	    "replace an existing signature; revoke what the register does not know",
	    offsetof(struct issue_args, force) },
	{ "customer", 0, "TEXT", "who bought the key", offsetof(struct issue_args, customer) },
	{ "group", 0, "NAME", "key group of the policy pack", offsetof(struct issue_args, group) },
	{ "capacity", 0, "N", "most clients counted in a pool (default 0: no limit)",
	    offsetof(struct issue_args, capacity) },
	{ "valid-from", 0, "TIME", "first moment (default: now)",
	    offsetof(struct issue_args, valid_from) },
	{ "valid-to", 0, "TIME", "last moment (default: three years after the first)",
	    offsetof(struct issue_args, valid_to) },
	{ "hosts", 0, "N", "hosts that may be confirmed (default 6)",
	    offsetof(struct issue_args, hosts) },
	{ "confirmations", 0, "N", "confirmations of each host (default 10)",
	    offsetof(struct issue_args, confirmations) },
	{ "policy", 'p', "FILE", "signed policy pack", offsetof(struct issue_args, policy) },
	{ "key", 'k', "FILE", "KMS host key (default: the copy in DIR/issued)",
	    offsetof(struct issue_args, key) },
	{ "publisher", 'P', "KEY", "public key \"RW...\" or its file, to verify with",
	    offsetof(struct issue_args, publisher) },
	{ "override", 0, "REASON", "confirm past the key's limits; the reason is recorded",
	    offsetof(struct issue_args, override) },
	{ "reason", 0, "TEXT", "why, for the register and the list",
	    offsetof(struct issue_args, reason) },
	{ "new-key", 0, NULL, "sign with the new key of a rotation (DIR/publisher.new.key)",
	    offsetof(struct issue_args, new_key) },
	{ "finish", 0, NULL, "end the rotation: the new key takes the old one's place",
	    offsetof(struct issue_args, finish) },
	{ "new-passphrase-file", 0, "FILE", "its first line is the new key's passphrase",
	    offsetof(struct issue_args, new_passphrase_file) },
	{ "from", 0, "TIME", "first moment of the period", offsetof(struct issue_args, from) },
	{ "to", 0, "TIME", "last moment of the period", offsetof(struct issue_args, to) },
	{ "last", 0, "BATCH:HASH", "a batch known from elsewhere, which must be there",
	    offsetof(struct issue_args, last) },
	{ "host", 0, "ID", "the host it must be of", offsetof(struct issue_args, host) },
	{ "csv", 0, NULL, "print comma-separated values", offsetof(struct issue_args, csv) },
	{ "code", 0, NULL, "print it as a code that can be typed, too",
	    offsetof(struct issue_args, code) },
	{ "json", 'j', NULL, "print JSON", offsetof(struct issue_args, json) },
};

struct command {
	const char *noun, *verb; /* verb NULL: one word */
	const char *operand;     /* NULL: takes none */
	const char *options;     /* names of the options it takes, each between blanks */
	const char *meaning;
	int (*run)(struct issue *i);
};

#define KEY_OPTIONS " dir secret-key passphrase-file new-key json "

static const struct command commands[] = {
	{ "init", NULL, "DIR", " name no-passphrase passphrase-file json ",
	    "make the publisher's key pair", cmd_init },
	{ "policy", "sign", "FILE", KEY_OPTIONS "force ", "check a policy pack and sign it",
	    cmd_policy_sign },
	{ "key", "issue", NULL,
	    KEY_OPTIONS
	    "customer group capacity valid-from valid-to hosts confirmations policy output code ",
	    "make a KMS host key for a customer", cmd_key_issue },
	{ "confirm", NULL, "REQUEST", KEY_OPTIONS "policy key override output code ",
	    "answer a host's request with its certificate", cmd_confirm },
	{ "ledger", NULL, NULL, " dir key customer csv json ", "list all that was issued",
	    cmd_ledger },
	{ "revoke", "key", "UUID", " dir reason force json ", "revoke a host key", cmd_revoke_key },
	{ "revoke", "host", "ID", " dir reason force json ", "revoke a host", cmd_revoke_host },
	{ "revoke", "certificate", "SERIAL", " dir reason force json ", "revoke a host certificate",
	    cmd_revoke_certificate },
	{ "revocations", NULL, NULL, KEY_OPTIONS "output ", "sign the list of all that was revoked",
	    cmd_revocations },
	{ "rotate", NULL, NULL,
	    " dir secret-key passphrase-file json from to output no-passphrase new-passphrase-file finish ",
	    "make a new publisher key, announced by the old one", cmd_rotate },
	{ "audit", "verify", "FILE", " dir publisher from to last host policy json ",
	    "prove what a host's exported journal says", cmd_audit_verify },
	{ "show", NULL, "FILE", " publisher json ", "say what a file holds", cmd_show },
};

int
issue_fail(struct issue *i, int status, const char *fmt, ...)
{
	va_list ap;

	if (i->why[0] != '\0')
		return status;
	va_start(ap, fmt);
	vsnprintf(i->why, sizeof(i->why), fmt, ap);
	va_end(ap);
	return status;
}

int
issue_fail_file(struct issue *i, int status, const char *path)
{
	if (status == KMS_E_IO)
		return issue_fail(i, status, "%s: %s", path, strerror(errno));
	if (status == KMS_E_NOT_FOUND || status == KMS_E_DENIED || status == KMS_E_FULL)
		return issue_fail(i, status, "%s: %s", path, strerror(errno));
	if (status == KMS_E_EXISTS)
		return issue_fail(i, status, "%s is there already and is not replaced", path);
	return issue_fail(i, status, "%s: %s", path, kms_strerror((uint32_t)status));
}

bool
issue_path(struct issue *i, char out[ISSUE_PATH], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, ISSUE_PATH, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < ISSUE_PATH)
		return true;
	issue_fail(i, KMS_E_ARGUMENT, "a path longer than %d octets", ISSUE_PATH - 1);
	return false;
}

static bool
takes(const struct command *c, const struct option_spec *o)
{
	char word[40];

	snprintf(word, sizeof(word), " %s ", o->name);
	return strstr(c->options, word) != NULL;
}

static void
print_command(FILE *to, const struct command *c)
{
	fprintf(to, "kmsissue %s%s%s [options]%s%s\n", c->noun, c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb : "", c->operand != NULL ? " " : "",
	    c->operand != NULL ? c->operand : "");
}

static void
print_help(const struct command *c)
{
	print_command(stdout, c);
	printf("    %s\n\n", c->meaning);
	for (size_t n = 0; n < COUNT(options); n++) {
		const struct option_spec *o = &options[n];
		char left[40];

		if (!takes(c, o))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->argument != NULL ? " " : "",
		    o->argument != NULL ? o->argument : "");
		printf("    %c%c%c %-24s %s\n", o->letter != 0 ? '-' : ' ',
		    o->letter != 0 ? o->letter : ' ', o->letter != 0 ? ',' : ' ', left, o->meaning);
	}
}

static int
print_usage(FILE *to)
{
	fputs("usage:\n", to);
	for (size_t n = 0; n < COUNT(commands); n++) {
		fputs("    ", to);
		print_command(to, &commands[n]);
		fprintf(to, "        %s\n", commands[n].meaning);
	}
	fputs(
	    "kmsissue COMMAND --help names a command's options; kmsissue(1) explains them.\n", to);
	return to == stdout ? 0 : EXIT_USAGE;
}

/* What an option's value or a command's operand is, in the words of kmsctl/cli/completion.h. */
static const char *
completion_value(const char *what, const char *name)
{
	static const struct {
		const char *what, *value;
	} known[] = {
		{ "policy", "file *.kmspolicy" },
		{ "key", "file *.kmskey" },
		{ "publisher", "file *.pub" },
		{ "policy sign", "file *.kmspolicy" },
	};

	if (name == NULL)
		return "";
	for (size_t n = 0; n < COUNT(known); n++)
		if (strcmp(known[n].what, what) == 0)
			return known[n].value;
	return strcmp(name, "DIR") == 0       ? "directory"
	       : strcmp(name, "FILE") == 0    ? "file"
	       : strcmp(name, "REQUEST") == 0 ? "file *.kmsreq"
					      : "text";
}

/* The tables, a row a line: the format is told in kmsctl/cli/completion.h. */
static int
print_completion(void)
{
	fputs("o\t\t--help\t\tthe command's options\no\t\t-h\t\t\no\t\t--version\t\t\n", stdout);
	for (size_t n = 0; n < COUNT(commands); n++) {
		const struct command *c = &commands[n];
		char words[40];

		snprintf(words, sizeof(words), "%s%s%s", c->noun, c->verb != NULL ? " " : "",
		    c->verb != NULL ? c->verb : "");
		printf("c\t%s\t\t%s\t%s\n", words, completion_value(words, c->operand), c->meaning);
		for (size_t k = 0; k < COUNT(options); k++) {
			const struct option_spec *o = &options[k];
			const char *value = completion_value(o->name, o->argument);

			if (!takes(c, o))
				continue;
			printf("o\t%s\t--%s\t%s\t%s\n", words, o->name, value, o->meaning);
			if (o->letter != 0)
				printf("o\t%s\t-%c\t%s\t%s\n", words, o->letter, value, o->meaning);
		}
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The command that argv begins with; *words: how many it takes. */
static const struct command *
find_command(int argc, char **argv, int *words)
{
	for (size_t n = 0; n < COUNT(commands); n++) {
		const struct command *c = &commands[n];

		*words = c->verb != NULL ? 2 : 1;
		if (argc > *words && strcmp(argv[1], c->noun) == 0 &&
		    (c->verb == NULL || strcmp(argv[2], c->verb) == 0))
			return c;
		if (argc == 2 && c->verb == NULL && strcmp(argv[1], c->noun) == 0)
			return c;
	}
	return NULL;
}

static void
set_option(struct issue_args *args, const struct option_spec *o, const char *value)
{
	char *at = (char *)args + o->offset;
	bool yes = true;

	if (o->argument == NULL)
		memcpy(at, &yes, sizeof(yes));
	else
		memcpy(at, &value, sizeof(value));
}

/* 0 go on; 1 help was printed; -1 usage error, said. argv[0] is the command's last word. */
static int
parse_options(struct issue *i, const struct command *c, int argc, char **argv)
{
	struct option table[COUNT(options) + 2];
	char letters[2 * COUNT(options) + 2];
	size_t rows = 0, l = 0;
	int got, index;

	letters[l++] = 'h';
	for (size_t n = 0; n < COUNT(options); n++) {
		const struct option_spec *o = &options[n];

		if (!takes(c, o))
			continue;
		table[rows++] = (struct option){ o->name,
			o->argument != NULL ? required_argument : no_argument, NULL, 256 + (int)n };
		if (o->letter == 0)
			continue;
		letters[l++] = o->letter;
		if (o->argument != NULL)
			letters[l++] = ':';
	}
	table[rows++] = (struct option){ "help", no_argument, NULL, 'h' };
	table[rows] = (struct option){ 0 };
	letters[l] = '\0';
	while ((got = getopt_long(argc, argv, letters, table, &index)) != -1) {
		if (got == 'h') {
			print_help(c);
			return 1;
		}
		if (got == '?')
			return -1;
		for (size_t n = 0; n < COUNT(options); n++)
			if (got == 256 + (int)n || (got < 256 && got == options[n].letter))
				set_option(&i->args, &options[n], optarg);
	}
	if (argc - optind != (c->operand != NULL ? 1 : 0)) {
		fprintf(stderr, "kmsissue: %s\n",
		    c->operand == NULL ? "this command takes options only"
		    : argc == optind   ? "what it works on is missing"
				       : "more than one file or directory");
		return -1;
	}
	i->operand = argv[optind];
	return 0;
}

/* What a file held may be in the text: keep it from driving the terminal. */
static void
make_printable(char *text)
{
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
}

static int
report(struct issue *i, const struct command *c, int status)
{
	const struct kms_error *e = kms_error_find((uint32_t)status);

	if (i->why[0] == '\0')
		snprintf(i->why, sizeof(i->why), "%s", e->meaning);
	make_printable(i->why);
	fprintf(stderr, "kmsissue %s%s%s: %s (%s)\n", c->noun, c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb : "", i->why, e->symbol);
	if (i->args.json) {
		struct output *o = output_new(true);

		if (o == NULL)
			return EXIT_FAILURE;
		output_text(o, "status", e->symbol);
		output_text(
		    o, "message", wire_text_ok(i->why, strlen(i->why)) ? i->why : e->meaning);
		output_finish(o);
		output_free(o);
	}
	return EXIT_FAILURE;
}

static int
run(struct issue *i, const struct command *c)
{
	int status, code = EXIT_SUCCESS;

	if ((i->out = output_new(i->args.json)) == NULL)
		return report(i, c, KMS_E_NO_MEMORY);
	if (i->args.json)
		output_text(i->out, "status", "KMS_OK");
	status = c->run(i);
	if (status != KMS_OK)
		code = report(i, c, status);
	else if (!output_finish(i->out))
		code = report(i, c, issue_fail(i, KMS_E_IO, "the result could not be printed"));
	output_free(i->out);
	return code;
}

int
main(int argc, char **argv)
{
	struct issue i = { .args.dir = ".", .now = (uint64_t)time(NULL) };
	const struct command *c;
	int words, parsed;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return print_usage(stdout);
	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return print_completion();
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return puts("kmsissue " PACKAGE_VERSION) < 0;
	if ((c = find_command(argc, argv, &words)) == NULL) {
		if (argc > 1)
			fprintf(stderr, "kmsissue: unknown command '%s%s%s'\n", argv[1],
			    argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
		return print_usage(stderr);
	}
	argv[words] = argv[0];
	parsed = parse_options(&i, c, argc - words, argv + words);
	if (parsed < 0) {
		print_command(stderr, c);
		return EXIT_USAGE;
	}
	if (parsed > 0)
		return EXIT_SUCCESS;
	if (sodium_init() < 0)
		return report(&i, c, issue_fail(&i, KMS_E_IO, "libsodium does not start"));
	return run(&i, c);
}
