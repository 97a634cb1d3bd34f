/*
 * ledger.c - kmsissue ledger: the register, event by event, for a person, a
 * spreadsheet or a program. Its chain of hashes is checked on the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/csv.h"
#include "kmsctl/issue/issue.h"
#include "kmsctl/issue/register.h"
#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "libkms/base/uuid.h"
#include "policy/values.h"

struct ledger_options {
	const char *key, *customer;
	bool csv;
};

/* One of the values of an event, as text; empty: the event has none. */
struct column {
	const char *name;
	enum output_type type;
	void (*text)(char *out, size_t size, const struct register_event *e);
};

#define TEXT_ROOM 160

static bool
is_confirmation(const struct register_event *e)
{
	return e->kind == EVENT_CONFIRM;
}

static bool
any(const uint8_t *octets, size_t len)
{
	while (len > 0 && octets[len - 1] == 0)
		len--;
	return len > 0;
}

static void
hex_unless_zero(char *out, const uint8_t *octets, size_t len)
{
	if (any(octets, len))
		hex_format(out, octets, len);
}

static void
time_unless_zero(char *out, uint64_t time)
{
	char s[VALUE_TIME + 1];

	if (time != 0 && value_time_format(s, time))
		strcpy(out, s);
}

static void
column_number(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%llu", (unsigned long long)e->number);
}

static void
column_kind(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%s", register_event_name(e->kind));
}

static void
column_time(char *out, size_t size, const struct register_event *e)
{
	time_unless_zero(out, e->time);
}

static void
column_publisher(char *out, size_t size, const struct register_event *e)
{
	hex_unless_zero(out, e->publisher, 8);
}

static void
column_key(char *out, size_t size, const struct register_event *e)
{
	if (any(e->host_key, 16))
		uuid_format(out, e->host_key);
}

static void
column_customer(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%s", e->customer);
}

static void
column_group(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%s", e->group);
}

static void
column_from(char *out, size_t size, const struct register_event *e)
{
	time_unless_zero(out, e->from);
}

static void
column_until(char *out, size_t size, const struct register_event *e)
{
	time_unless_zero(out, e->until);
}

static void
column_capacity(char *out, size_t size, const struct register_event *e)
{
	/* No limit is a 0 of these two; an audit counts, and nobody is no limit. */
	if (e->kind == EVENT_KEY || is_confirmation(e) ||
	    (e->kind == EVENT_AUDIT && e->capacity > 0))
		snprintf(out, size, "%u", e->capacity);
}

static void
column_hosts(char *out, size_t size, const struct register_event *e)
{
	if (e->kind == EVENT_KEY)
		snprintf(out, size, "%u", e->hosts);
}

static void
column_confirmations(char *out, size_t size, const struct register_event *e)
{
	if (e->kind == EVENT_KEY)
		snprintf(out, size, "%u", e->confirmations);
}

static void
column_host(char *out, size_t size, const struct register_event *e)
{
	hex_unless_zero(out, e->host, 16);
}

static void
column_host_name(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%s", e->host_name);
}

static void
column_serial(char *out, size_t size, const struct register_event *e)
{
	if (e->serial != 0)
		snprintf(out, size, "%llu", (unsigned long long)e->serial);
}

static void
column_confirmation(char *out, size_t size, const struct register_event *e)
{
	if (is_confirmation(e))
		snprintf(out, size, "%u", e->confirmation);
}

static void
column_override(char *out, size_t size, const struct register_event *e)
{
	if (is_confirmation(e) || e->kind == EVENT_AUDIT)
		snprintf(out, size, "%d", (e->flags & EVENT_OVERRIDE) != 0);
}

static void
column_reason(char *out, size_t size, const struct register_event *e)
{
	snprintf(out, size, "%s", e->reason);
}

static void
column_request(char *out, size_t size, const struct register_event *e)
{
	hex_unless_zero(out, e->request, 32);
}

static void
column_certificate(char *out, size_t size, const struct register_event *e)
{
	hex_unless_zero(out, e->certificate, 32);
}

static void
column_new_publisher(char *out, size_t size, const struct register_event *e)
{
	hex_unless_zero(out, e->new_publisher, 8);
}

static void
column_entitlements(char *out, size_t size, const struct register_event *e)
{
	char text[ENTITLEMENTS_TEXT];

	snprintf(out, size, "%s", entitlements_text(text, &e->entitlements));
}

static const struct column columns[] = {
	{ "number", OUTPUT_NUMBER, column_number },
	{ "event", OUTPUT_TEXT, column_kind },
	{ "time", OUTPUT_TEXT, column_time },
	{ "publisher", OUTPUT_TEXT, column_publisher },
	{ "host_key", OUTPUT_TEXT, column_key },
	{ "customer", OUTPUT_TEXT, column_customer },
	{ "group", OUTPUT_TEXT, column_group },
	{ "not_before", OUTPUT_TEXT, column_from },
	{ "not_after", OUTPUT_TEXT, column_until },
	{ "capacity", OUTPUT_LIMIT, column_capacity },
	{ "hosts", OUTPUT_NUMBER, column_hosts },
	{ "confirmations", OUTPUT_NUMBER, column_confirmations },
	{ "host", OUTPUT_TEXT, column_host },
	{ "host_name", OUTPUT_TEXT, column_host_name },
	{ "serial", OUTPUT_NUMBER, column_serial },
	{ "confirmation", OUTPUT_NUMBER, column_confirmation },
	{ "override", OUTPUT_NUMBER, column_override },
	{ "reason", OUTPUT_TEXT, column_reason },
	{ "request", OUTPUT_TEXT, column_request },
	{ "certificate", OUTPUT_TEXT, column_certificate },
	{ "new_publisher", OUTPUT_TEXT, column_new_publisher },
	{ "entitlements", OUTPUT_TEXT, column_entitlements },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct listing {
	struct issue *i;
	uint8_t key[16];
	bool by_key;
	uint64_t shown;
};

static bool
wanted(const struct listing *l, const struct register_event *e)
{
	const struct ledger_options *o = l->i->options;
	const char *customer = o->customer;

	if (l->by_key && memcmp(e->host_key, l->key, 16) != 0)
		return false;
	return customer == NULL || strcasecmp(customer, e->customer) == 0;
}

static int
show(const struct register_event *e, void *arg)
{
	struct listing *l = arg;
	const struct ledger_options *options = l->i->options;
	struct output *o = l->i->out;

	if (!wanted(l, e))
		return KMS_OK;
	l->shown++;
	if (!options->csv)
		output_row(o);
	for (size_t n = 0; n < COLUMNS; n++) {
		char text[TEXT_ROOM] = "";
		uint64_t number;

		columns[n].text(text, sizeof(text), e);
		if (options->csv &&
		    !csv_cell(stdout, text, columns[n].type != OUTPUT_TEXT, n + 1 == COLUMNS))
			return KMS_E_NO_MEMORY;
		if (options->csv)
			continue;
		if (text[0] == '\0')
			continue;
		else if (columns[n].type == OUTPUT_TEXT)
			tell_text(o, columns[n].name, text);
		else if (number_parse(&number, NUMBER_EXACT, text))
			output_put(o, &(struct output_field){ .key = columns[n].name,
					  .label = columns[n].name,
					  .type = columns[n].type,
					  .number = number });
	}
	return KMS_OK;
}

static int
run_ledger(struct issue *i)
{
	const struct ledger_options *o = i->options;
	struct listing l = { .i = i };
	struct issue_register *r;
	struct fault f = { 0 };
	int rc;

	if (o->csv && i->json)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--csv and --json exclude each other");
	l.by_key = o->key != NULL;
	if (l.by_key && !uuid_parse_not_nil(l.key, o->key))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--key needs the UUID of a host key");
	rc = issue_register(i, &r, false);
	/* A publisher who has issued nothing yet has an empty ledger. */
	if (rc == KMS_E_NOT_FOUND && issue_is_directory(i)) {
		i->fault = (struct fault){ 0 };
		r = NULL;
	} else if (rc != KMS_OK) {
		return rc;
	}
	if (!o->csv)
		output_list(i->out, "events", NULL);
	for (size_t n = 0; o->csv && n < COLUMNS; n++)
		(void)csv_cell(stdout, columns[n].name, false, n + 1 == COLUMNS);
	rc = r != NULL ? register_each(r, show, &l, &f) : KMS_OK;
	register_close(r);
	if (rc != KMS_OK)
		return issue_fail_register(i, rc, &f);
	if (!o->csv)
		output_end(i->out);
	return KMS_OK;
}

static const struct option_row rows[] = {
	ISSUE_DIR,
	{ "key", 'k', "UUID", "only events of this host key",
	    .offset = offsetof(struct ledger_options, key) },
	{ "customer", 0, "TEXT", "who bought the key",
	    .offset = offsetof(struct ledger_options, customer) },
	{ "csv", 0, NULL, "print comma-separated values",
	    .offset = offsetof(struct ledger_options, csv) },
	{ 0 },
};

const struct issue_command cmd_ledger = {
	.line.noun = "ledger",
	.line.summary = "list everything that was issued",
	.line.options = rows,
	.line.values = sizeof(struct ledger_options),
	.run = run_ledger,
};
