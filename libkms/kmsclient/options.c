/*
 * options.c - kmsclient's command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libkms/kmsclient/tool.h"

#define KEY_FILE_MAX 4096

enum { OPT_VM = 256, OPT_GRACE, OPT_CONNECT, OPT_REPLY, OPT_TOTAL, OPT_IGNORE_EXPIRY };

static const struct option longopts[] = {
	{ "publisher-key", required_argument, NULL, 'k' },
	{ "product", required_argument, NULL, 'p' },
	{ "state", required_argument, NULL, 's' },
	{ "host", required_argument, NULL, 'H' },
	{ "domain", required_argument, NULL, 'd' },
	{ "nameserver", required_argument, NULL, 'n' },
	{ "name", required_argument, NULL, 'N' },
	{ "vm", required_argument, NULL, OPT_VM },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT },
	{ "reply-timeout", required_argument, NULL, OPT_REPLY },
	{ "timeout", required_argument, NULL, OPT_TOTAL },
	{ "ignore-expiry", no_argument, NULL, OPT_IGNORE_EXPIRY },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

int
tool_usage(const char *format, ...)
{
	va_list ap;

	fputs("kmsclient: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs("\nTry 'kmsclient --help', or read kmsclient(1).\n", stderr);
	return TOOL_USAGE;
}

static void
help(void)
{
	const struct tool_command *c;

	puts("usage: kmsclient [options] command [FILE]\n\ncommands:");
	for (c = tool_commands; c->name != NULL; c++)
		printf("  %-13s %-5s %s\n", c->name, c->argument ? c->argument : "", c->purpose);
	puts("\noptions:\n"
	     "  -k, --publisher-key KEY  publisher's public key: RW..., or its .pub file\n"
	     "  -p, --product UUID       product to activate\n"
	     "  -s, --state FILE         client state file\n"
	     "  -H, --host HOST[:PORT]   ask this host; default: DNS SRV _kms._tcp\n"
	     "  -d, --domain DOMAIN      domain of the SRV record; default: search domain\n"
	     "  -n, --nameserver ADDR[:PORT]\n"
	     "  -N, --name NAME          this machine's name; default: its host name\n"
	     "      --vm yes|no|auto     virtual machine; default: auto\n"
	     "      --grace MINUTES|none grace from first use; default: 30 days\n"
	     "      --connect-timeout S, --reply-timeout S, --timeout S   seconds\n"
	     "      --ignore-expiry      verify-lease: do not look at the clock\n"
	     "  -j, --json               one JSON object\n"
	     "  -h, --help  -V, --version");
}

/* What the shells' completions read, a row a line: the format is told in kmsctl/cli/completion.h.
 */
static void
completion(void)
{
	static const struct {
		const char *option, *value;
	} values[] = {
		{ "publisher-key", "file *.pub" },
		{ "state", "file" },
		{ "vm", "words yes no auto" },
		{ "grace", "words none" },
	};
	const struct tool_command *c;
	const struct option *o;
	const char *value;
	size_t i;

	for (c = tool_commands; c->name != NULL; c++)
		printf("c\t%s\t\t%s\t%s\n", c->name, c->argument ? "file" : "", c->purpose);
	for (o = longopts; o->name != NULL; o++) {
		value = o->has_arg == required_argument ? "text" : "";
		for (i = 0; i < sizeof(values) / sizeof(*values); i++)
			if (strcmp(values[i].option, o->name) == 0)
				value = values[i].value;
		printf("o\t\t--%s\t%s\t\n", o->name, value);
		if (o->val < 256)
			printf("o\t\t-%c\t%s\t\n", o->val, value);
	}
}

const struct tool_command *
tool_find(const char *name)
{
	const struct tool_command *c;

	for (c = tool_commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* A key as text, or the file it is in: no key line has a slash at its start or ends in .pub. */
static int
take_key(struct tool *t, const char *value)
{
	FILE *f;
	size_t n;

	t->options.publisher_key = value;
	if ((f = fopen(value, "re")) == NULL) {
		if (strncmp(value, "RW", 2) == 0 && errno == ENOENT)
			return TOOL_OK;
		return tool_usage("publisher key %s: %s", value, strerror(errno));
	}
	free(t->key_text);
	t->key_text = calloc(1, KEY_FILE_MAX + 1);
	n = t->key_text == NULL ? 0 : fread(t->key_text, 1, KEY_FILE_MAX, f);
	fclose(f);
	if (n == 0)
		return tool_usage("publisher key %s: cannot be read, or empty", value);
	t->options.publisher_key = t->key_text;
	return TOOL_OK;
}

static int
take_seconds(uint32_t *out, const char *name, const char *value)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end != '\0' || !(v >= 0.001 && v <= 86400))
		return tool_usage("--%s %s: want seconds from 0.001 to 86400", name, value);
	*out = (uint32_t)(v * 1000);
	return TOOL_OK;
}

static int
take_grace(uint32_t *out, const char *value)
{
	char *end;
	unsigned long v;

	if (strcmp(value, "none") == 0) {
		*out = KMS_NO_GRACE;
		return TOOL_OK;
	}
	errno = 0;
	v = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || v == 0 ||
	    v >= KMS_NO_GRACE)
		return tool_usage("--grace %s: want minutes, or none", value);
	*out = (uint32_t)v;
	return TOOL_OK;
}

static int
take_vm(int *out, const char *value)
{
	static const struct {
		const char *word;
		int value;
	} words[] = { { "yes", 1 }, { "no", 0 }, { "auto", -1 } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(value, words[i].word) == 0) {
			*out = words[i].value;
			return TOOL_OK;
		}
	}
	return tool_usage("--vm %s: want yes, no or auto", value);
}

static int
take(struct tool *t, int opt, char *value)
{
	struct kms_options *o = &t->options;

	switch (opt) {
	case 'k':
		return take_key(t, value);
	case 'p':
		o->product = value;
		break;
	case 's':
		o->state_file = value;
		break;
	case 'H':
		o->host = value;
		break;
	case 'd':
		o->domain = value;
		break;
	case 'n':
		o->nameserver = value;
		break;
	case 'N':
		o->name = value;
		break;
	case 'j':
		t->json = true;
		break;
	case OPT_VM:
		return take_vm(&o->virtual_machine, value);
	case OPT_GRACE:
		return take_grace(&o->grace_minutes, value);
	case OPT_CONNECT:
		return take_seconds(&o->connect_timeout, "connect-timeout", value);
	case OPT_REPLY:
		return take_seconds(&o->reply_timeout, "reply-timeout", value);
	case OPT_TOTAL:
		return take_seconds(&o->total_timeout, "timeout", value);
	case OPT_IGNORE_EXPIRY:
		t->ignore_expiry = true;
		break;
	default:
		return TOOL_USAGE; /* getopt said what */
	}
	return TOOL_OK;
}

static int
take_command(struct tool *t, int count, char **words)
{
	const struct tool_command *c;

	if (count == 0)
		return tool_usage("no command");
	t->command = words[0];
	if ((c = tool_find(t->command)) == NULL)
		return tool_usage("%s: no such command", t->command);
	if (count != (c->argument ? 2 : 1))
		return tool_usage(
		    "%s: want %s", t->command, c->argument ? c->argument : "no argument");
	t->file = words[1]; /* NULL without: argv ends so */
	if (c->client && (t->options.publisher_key == NULL || t->options.product == NULL ||
			     t->options.state_file == NULL))
		return tool_usage("%s: needs --publisher-key, --product and --state", t->command);
	if (t->json && (t->object = json_object()) == NULL)
		return tool_usage("out of memory");
	return TOOL_OK;
}

int
tool_options(struct tool *t, int argc, char **argv, bool *done)
{
	int opt, rc;

	if (argc == 2 && strcmp(argv[1], "--completion") == 0) {
		*done = true;
		completion();
		return TOOL_OK;
	}
	while ((opt = getopt_long(argc, argv, "k:p:s:H:d:n:N:jhV", longopts, NULL)) != -1) {
		if (opt == 'h' || opt == 'V') {
			*done = true;
			if (opt == 'h')
				help();
			else
				printf("kmsclient %s\n", kms_version());
			return TOOL_OK;
		}
		if ((rc = take(t, opt, optarg)) != TOOL_OK)
			return rc;
	}
	return take_command(t, argc - optind, argv + optind);
}
