/*
 * options.c - what kmsclient's commands take.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/help.h"
#include "libkms/base/file.h"
#include "libkms/base/number.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/error_text.h"
#include "libkms/os/working_dir.h"

#define WAIT_MAX_DAYS 30
#define KEY_FILE_MAX 16384 /* its comment may be long */

static bool
read_seconds(void *field, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0.001 && v <= 86400))
		return false;
	*(uint32_t *)field = (uint32_t)(v * 1000);
	return true;
}

bool
tool_duration(uint64_t *ms, uint64_t max_days, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
		{ "d", 24 * 3600 * 1000 } };
	uint64_t n;

	if (!number_prefix(&n, max_days * 86400, &text))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text, units[i].unit) == 0 &&
		    n <= max_days * UINT64_C(86400000) / units[i].ms) {
			*ms = n * units[i].ms;
			return true;
		}
	return false;
}

static bool
read_wait(void *field, const char *text)
{
	uint64_t ms;

	if (!tool_duration(&ms, WAIT_MAX_DAYS, text))
		return false;
	*(uint32_t *)field = (uint32_t)ms;
	return true;
}

static bool
read_grace(void *field, const char *text)
{
	uint64_t v = KMS_NO_GRACE;

	if (strcmp(text, "none") != 0 && (!option_count(&v, text) || v >= KMS_NO_GRACE))
		return false;
	*(uint32_t *)field = (uint32_t)v;
	return true;
}

static bool
read_vm(void *field, const char *text)
{
	static const struct {
		const char *word;
		int value;
	} words[] = { { "yes", KMS_VM_YES }, { "no", KMS_VM_NO }, { "auto", KMS_VM_DETECT } };
	size_t i = 0;

	while (i < sizeof(words) / sizeof(*words) && strcmp(text, words[i].word) != 0)
		i++;
	if (i == sizeof(words) / sizeof(*words))
		return false;
	*(int *)field = words[i].value;
	return true;
}

#define OPTION(field) .offset = offsetof(struct tool, field)
#define SECONDS .read = read_seconds, .takes = "seconds from 0.001 to 86400"

const struct option_row tool_options[] = {
	{ "publisher-key", 'k', "KEY", "publisher's public key: RW..., or its .pub file",
	    OPTION(options.publisher_key), .complete = "file *.pub" },
	{ "product", 'p', "UUID", "product to activate", OPTION(options.product) },
	{ "state", 's', "FILE", "client state file", OPTION(options.state_file) },
	{ "host", 'H', "HOST[:PORT]", "ask this host (default: DNS SRV _kms._tcp)",
	    OPTION(options.host) },
	{ "domain", 'd', "DOMAIN", "domain of the SRV record (default: search domain)",
	    OPTION(options.domain) },
	{ "nameserver", 'n', "ADDR[:PORT]", "name server (default: the system's)",
	    OPTION(options.nameserver) },
	{ "name", 'N', "NAME", "this machine's name (default: its host name)",
	    OPTION(options.name) },
	{ "user", 0, "NAME", "user of the product (default: not sent)", OPTION(options.user) },
	{ "customer", 0, "NAME", "take leases of this customer's hosts only",
	    OPTION(options.customer) },
	{ "host-key", 0, "UUID", "take leases of hosts confirmed for this host key only",
	    OPTION(options.host_key) },
	{ "vm", 0, "yes|no|auto", "virtual machine (default: auto)",
	    OPTION(options.virtual_machine), .read = read_vm, .takes = "yes, no or auto",
	    .complete = "words yes no auto" },
	{ "grace", 0, "MINUTES|none", "grace from first use (default: 30 days)",
	    OPTION(options.grace_minutes), .read = read_grace, .takes = "minutes, or none",
	    .complete = "words none" },
	{ "connect-timeout", 0, "S", "seconds for a connection", OPTION(options.connect_timeout),
	    SECONDS },
	{ "reply-timeout", 0, "S", "seconds for a reply", OPTION(options.reply_timeout), SECONDS },
	{ "timeout", 0, "S", "seconds in all", OPTION(options.total_timeout), SECONDS },
	{ "wait", 0, "DURATION", "run: wait this long for a seat (default: do not wait)",
	    OPTION(wait_ms), .read = read_wait, .takes = "30s, 10m, 2h or 1d, at most 30d" },
	{ "ignore-expiry", 0, NULL, "verify-lease: ignore the clock", OPTION(ignore_expiry) },
	{ "no-names", 0, NULL, "export-lease: leave out this machine's name and address",
	    OPTION(no_names) },
	{ "output", 'o', "FILE", "evidence: also write it to this file", OPTION(output),
	    .complete = "file" },
	{ "json", 'j', NULL, "print one JSON object", OPTION(json) },
	{ 0 },
};

int
tool_usage(const char *format, ...)
{
	struct fault f = { .status = KMS_E_ARGUMENT };
	va_list ap;

	va_start(ap, format);
	vsnprintf(f.text, sizeof(f.text), format, ap);
	va_end(ap);
	help_usage(TOOL_NAME, &f);
	return TOOL_USAGE;
}

/* A key as text, or the file it is in. */
static int
read_key(struct tool *t)
{
	const char *key = t->options.publisher_key;
	size_t len;
	int rc = file_read(AT_FDCWD, key, FILE_GIVEN, KEY_FILE_MAX, &t->key_text, &len);

	if (rc == KMS_E_NOT_FOUND && strncmp(key, "RW", 2) == 0)
		return TOOL_OK;
	if (rc == KMS_E_TOO_LARGE)
		return tool_usage("publisher key %s: the file is too large", key);
	if (rc != KMS_OK)
		return tool_usage("publisher key %s: %s", key, os_error_text(errno));
	if (len == 0)
		return tool_usage("publisher key %s: the file is empty", key);
	t->options.publisher_key = t->key_text;
	return TOOL_OK;
}

int
tool_check(struct tool *t, const struct tool_command *c)
{
	const struct kms_options *o = &t->options;

	if (c->runs && (o->publisher_key == NULL || o->product == NULL))
		return tool_usage("%s: needs --publisher-key and --product", c->line.noun);
	if (c->client && !c->runs &&
	    (o->publisher_key == NULL || o->product == NULL || o->state_file == NULL))
		return tool_usage("%s: needs --publisher-key, --product and --state", c->line.noun);
	return o->publisher_key != NULL ? read_key(t) : TOOL_OK;
}
