/*
 * key_show.c - key show: what slmgr's /dli shows of a KMS host; with --detailed, what /dlv shows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/dns/published.h"
#include "kmsctl/dns/records.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/port.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

#define PARTIAL 5 /* last digits of a key's number, to name keys on the telephone */

struct show_options {
	bool detailed;
};

/* What a person needs first. */
static const char *const brief[] = { "publisher", "customer", "group", "license", "not-after",
	"confirmed", "confirmation" };

static bool
is_brief(const char *name)
{
	unsigned i;

	for (i = 0; i < sizeof(brief) / sizeof(*brief); i++)
		if (strcmp(brief[i], name) == 0)
			return true;
	return false;
}

/*
 * "Writer Server for Customer Ltd" corresponds to Microsoft's Description: the products, the
 * customer.
 */
static void
print_description(struct output *o, const struct reply *status, const struct reply_row *key)
{
	const char *publisher = reply_text(key, "publisher"), *of, *name;
	const struct reply_row *row = NULL;
	char text[512] = "";
	uint64_t covered;
	size_t at = 0;

	while ((row = reply_next(status, "product", row)) != NULL) {
		of = reply_text(row, "publisher");
		name = reply_text(row, "name");
		if (of == NULL || name == NULL || publisher == NULL || strcmp(of, publisher) != 0 ||
		    !reply_number(row, "covered", &covered) || !covered || at >= sizeof(text))
			continue;
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "%s%s", at > 0 ? ", " : "", name);
	}
	output_text(o, "description", "Activates", at > 0 ? text : "nothing yet");
}

static void
print_times(struct output *o, const struct reply_row *key)
{
	uint64_t until = 0, now = (uint64_t)time(NULL);
	struct output_field left = {
		.key = "remaining", .label = "Remaining", .type = OUTPUT_MINUTES
	};

	reply_number(key, "not-after", &until);
	left.number = until > now ? (until - now) / 60 : 0;
	output_put(o, &left);
}

/* The last characters of the number, as slmgr shows the last ones of a product key. */
static void
print_partial(struct output *o, const struct reply_row *key)
{
	const char *id = reply_text(key, "id");
	size_t n = id != NULL ? strlen(id) : 0;

	output_text(o, "partial", "Partial key", n >= PARTIAL ? id + n - PARTIAL : id);
}

static void
print_key(struct ctl *ctl, const struct reply_row *key, const struct reply *status)
{
	struct reply_row some = { .kind = key->kind };
	struct reply_field fields[16];
	unsigned i;

	if (ctl->json || status != NULL) {
		reply_print_fields(ctl->out, key);
	} else {
		some.fields = fields;
		for (i = 0; i < key->count && some.count < 16; i++)
			if (is_brief(key->fields[i].name))
				fields[some.count++] = key->fields[i];
		reply_print_fields(ctl->out, &some);
	}
	print_partial(ctl->out, key);
	print_times(ctl->out, key);
	if (status != NULL)
		print_description(ctl->out, status, key);
}

/* The records that kmsctl dns publish noted: kmsd neither writes nor reads DNS. */
static void
print_published(struct ctl *ctl)
{
	static struct records published; /* large */
	char first[RECORD_TEXT], text[RECORD_TEXT + 64];

	if (!published_glance(ctl, &published)) {
		snprintf(text, sizeof(text),
		    "unknown: only root can read the list of published records");
	} else if (published.count == 0) {
		snprintf(text, sizeof(text), "no record is published: kmsctl dns publish");
	} else {
		record_text(first, &published.rows[0]);
		snprintf(text, sizeof(text), "%u record%s, for example %s", published.count,
		    published.count == 1 ? "" : "s", first);
	}
	output_text(ctl->out, "dns_publishing", "DNS publishing", text);
}

/* What the host does with its keys. */
static void
print_host(struct ctl *ctl, struct reply *status, const struct reply *policy)
{
	const struct reply_row *service;

	port_fill(ctl, status);
	service = reply_next(status, "service", NULL);
	output_object(ctl->out, "service", "Host");
	if (service != NULL)
		reply_print_fields(ctl->out, service);
	print_published(ctl);
	output_end(ctl->out);
	reply_print_list(ctl->out, status, "product", "products", "Clients counted");
	reply_print_list(ctl->out, status, "pool", "pools", "Counting pools");
	reply_print_list(ctl->out, policy, "product", "intervals", "Thresholds and intervals");
}

/* The two other replies that --detailed needs. */
static int
ask_more(struct ctl *ctl, struct reply *status, struct reply *policy)
{
	int code = ask_host(ctl, CONTROL_STATUS, NULL, status);

	return code == CTL_OK ? ask_host(ctl, CONTROL_POLICY_SHOW, NULL, policy) : code;
}

static int
run_key_show(struct ctl *ctl)
{
	const struct show_options *o = ctl->options;
	struct reply reply = { 0 }, status = { 0 }, policy = { 0 };
	const struct reply_row *key = NULL;
	int code = ask_host(ctl, CONTROL_KEY_SHOW, NULL, &reply);

	if (code == CTL_OK && o->detailed)
		code = ask_more(ctl, &status, &policy);
	if (code == CTL_OK && ctl->json)
		output_list(ctl->out, "keys", NULL);
	while (code == CTL_OK && (key = reply_next(&reply, "key", key)) != NULL) {
		if (ctl->json)
			output_row(ctl->out);
		else
			output_object(ctl->out, "key", "KMS host key");
		print_key(ctl, key, o->detailed ? &status : NULL);
		if (!ctl->json)
			output_end(ctl->out);
	}
	if (code == CTL_OK && ctl->json)
		output_end(ctl->out);
	if (code == CTL_OK && reply_next(&reply, "key", NULL) == NULL)
		output_line(ctl->out, OUTPUT_WARN,
		    "No KMS host key is installed: kmsctl key install FILE.kmskey");
	if (code == CTL_OK && o->detailed)
		print_host(ctl, &status, &policy);
	reply_free(&reply);
	reply_free(&status);
	reply_free(&policy);
	return code;
}

static const struct option_row key_show_rows[] = {
	{ "detailed", 0, NULL, "show all details",
	    .offset = offsetof(struct show_options, detailed) },
	{ 0 },
};

const struct ctl_command cmd_key_show = {
	.line.noun = "key",
	.line.verb = "show",
	.line.summary = "show the installed KMS host keys and their confirmation",
	.line.options = key_show_rows,
	.line.values = sizeof(struct show_options),
	.paged = true,
	.run = run_key_show,
};
