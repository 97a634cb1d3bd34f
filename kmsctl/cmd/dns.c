/*
 * dns.c - dns publish, unpublish, show, check: the records by which clients find this host.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/dns/check.h"
#include "kmsctl/dns/published.h"
#include "kmsctl/dns/records.h"
#include "kmsctl/dns/update.h"
#include "kmsctl/kmsctl.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/client/transport.h"
#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"

struct show_options {
	const char *format;
};

struct check_options {
	const char *nameserver;
};

/* What is done about records, name by name. It is large, so commands keep it in a static. */
struct work {
	struct records old, due, gone, all, left;
	struct work_row {
		const struct record *record;
		bool add, done;
	} rows[2 * RECORDS_MAX];
	unsigned row_count;
	unsigned names, failures;
	struct fault first;
};

static int
wanted(struct ctl *ctl, struct records *out)
{
	struct fault f = { 0 };
	int rc = records_wanted(out, &ctl->config, &f);

	return rc == KMS_OK ? CTL_OK : fail(ctl, (uint32_t)rc, "%s: %s", ctl->config_path, f.text);
}

static void
print_record(struct ctl *ctl, const struct record *r)
{
	char text[RECORD_TEXT];

	record_text(text, r);
	output_text(ctl->out, "record", NULL, text);
	output_text(ctl->out, "name", NULL, r->name);
	output_text(ctl->out, "type", NULL, record_type(r));
	output_text(ctl->out, "data", NULL, r->data);
	output_put(ctl->out, &(struct output_field){ .key = "priority",
				 .type = OUTPUT_NUMBER,
				 .number = r->priority,
				 .none = r->type != RECORD_SRV });
	output_put(ctl->out, &(struct output_field){ .key = "weight",
				 .type = OUTPUT_NUMBER,
				 .number = r->weight,
				 .none = r->type != RECORD_SRV });
	output_put(ctl->out, &(struct output_field){ .key = "port",
				 .type = OUTPUT_NUMBER,
				 .number = r->port,
				 .none = r->type != RECORD_SRV });
}

static int
run_show(struct ctl *ctl)
{
	static struct records due;
	const struct show_options *o = ctl->options;
	const struct records_format *format =
	    records_format(o->format != NULL ? o->format : "zone");
	char line[2 * RECORD_TEXT];
	unsigned i;
	int code;

	if (format == NULL) {
		fail(ctl, KMS_E_ARGUMENT,
		    "unknown format \"%.40s\": use zone, powershell or dnsmasq", o->format);
		return CTL_USAGE;
	}
	if ((code = wanted(ctl, &due)) != CTL_OK)
		return code;
	output_text(ctl->out, "format", NULL, format->name);
	output_list(ctl->out, "records", NULL);
	for (i = 0; i < due.count && ctl->json; i++) {
		format->line(line, &due.rows[i], &ctl->config);
		output_row(ctl->out);
		output_text(ctl->out, "line", NULL, line);
		print_record(ctl, &due.rows[i]);
		output_number(ctl->out, "ttl", NULL, due.rows[i].ttl);
	}
	output_end(ctl->out);
	for (i = 0; i < due.count && !ctl->json; i++) {
		format->line(line, &due.rows[i], &ctl->config);
		output_line(ctl->out, OUTPUT_PLAIN, "%s", line);
	}
	return CTL_OK;
}

static bool
name_done(const struct records *set, unsigned i)
{
	unsigned j;

	for (j = 0; j < i; j++)
		if (strcasecmp(set->rows[j].name, set->rows[i].name) == 0)
			return true;
	return false;
}

/* Rows for the records of set with this name; records that may still be in DNS stay in w->left. */
static void
note(struct work *w, const struct records *set, const char *name, bool add, bool done)
{
	unsigned i;

	for (i = 0; i < set->count; i++) {
		if (strcasecmp(set->rows[i].name, name) != 0)
			continue;
		w->rows[w->row_count++] =
		    (struct work_row){ .record = &set->rows[i], .add = add, .done = done };
		if (add || !done)
			records_add(&w->left, &set->rows[i]);
	}
}

/*
 * Every name of w->all, each in a transaction of its own: one that fails does not stop the others.
 */
static void
update_all(struct ctl *ctl, struct work *w)
{
	unsigned i;

	for (i = 0; i < w->all.count; i++) {
		const char *name = w->all.rows[i].name;
		struct fault f = { 0 };
		int rc;

		if (name_done(&w->all, i))
			continue;
		w->names++;
		rc = update_name(&ctl->config, name, &w->due, &w->gone, ctl->timeout_ms, &f);
		if (rc != KMS_OK) {
			output_line(ctl->out, OUTPUT_BAD, "%s", f.text);
			if (w->failures++ == 0)
				w->first = f;
		}
		note(w, &w->gone, name, false, rc == KMS_OK);
		note(w, &w->due, name, true, rc == KMS_OK);
	}
}

static int
report(struct ctl *ctl, const struct work *w)
{
	char text[RECORD_TEXT];
	unsigned i;

	for (i = 0; i < w->row_count && !ctl->json; i++) {
		record_text(text, w->rows[i].record);
		if (w->rows[i].done)
			output_line(ctl->out, OUTPUT_GOOD, "%s: %s",
			    w->rows[i].add ? "published" : "removed", text);
	}
	output_list(ctl->out, "records", NULL);
	for (i = 0; i < w->row_count && ctl->json; i++) {
		output_row(ctl->out);
		output_text(ctl->out, "action", NULL, w->rows[i].add ? "publish" : "remove");
		output_bool(ctl->out, "done", NULL, w->rows[i].done);
		print_record(ctl, w->rows[i].record);
	}
	output_end(ctl->out);
	if (w->failures == 0)
		return CTL_OK;
	return fail(ctl, (uint32_t)w->first.status, "%s%s", w->first.text,
	    w->failures > 1 ? " (other names failed too, see above)" : "");
}

/*
 * The file is written before anything is sent, with all records that may come to be in DNS, and
 * again when the result is known: an interruption leaves a record too many in the file, never one
 * too few.
 */
static int
carry_out(struct ctl *ctl, struct work *w)
{
	unsigned i;
	int code;

	w->all = w->old;
	for (i = 0; i < w->due.count; i++)
		if (!records_add(&w->all, &w->due.rows[i]))
			return fail_told(ctl, KMS_E_FULL,
			    "more than %d records were published: run kmsctl dns unpublish first",
			    RECORDS_MAX);
	for (i = 0; i < w->gone.count; i++)
		records_add(&w->all, &w->gone.rows[i]);
	if ((code = published_write(ctl, &w->all)) != CTL_OK)
		return code;
	update_all(ctl, w);
	code = published_write(ctl, &w->left);
	return code != CTL_OK ? code : report(ctl, w);
}

static int
run_publish(struct ctl *ctl)
{
	static struct work w;
	unsigned i;
	int code;

	if ((code = wanted(ctl, &w.due)) != CTL_OK ||
	    (code = published_read(ctl, &w.old)) != CTL_OK)
		return code;
	for (i = 0; i < w.old.count; i++)
		if (!records_have(&w.due, &w.old.rows[i]))
			records_add(&w.gone, &w.old.rows[i]);
	return carry_out(ctl, &w);
}

/*
 * Without a file of published records: services that lead here are ours; addresses may belong to
 * others.
 */
static int
run_unpublish(struct ctl *ctl)
{
	static struct work w;
	static struct records due;
	unsigned i;
	int code = published_read(ctl, &w.old);

	if (code != CTL_OK)
		return code;
	w.gone = w.old;
	if (w.old.count == 0) {
		if ((code = wanted(ctl, &due)) != CTL_OK)
			return code;
		for (i = 0; i < due.count; i++)
			if (due.rows[i].type == RECORD_SRV)
				records_add(&w.gone, &due.rows[i]);
	}
	return carry_out(ctl, &w);
}

static void
print_row(void *arg, const struct check_row *row)
{
	struct ctl *ctl = arg;
	char data[RECORD_TEXT] = "-";

	if (row->record.data[0] != '\0')
		record_data(data, &row->record);
	output_row(ctl->out);
	output_put(ctl->out, &(struct output_field){ .key = "kind",
				 .label = "Kind",
				 .type = OUTPUT_TEXT,
				 .style = row->problem                 ? OUTPUT_BAD
					  : row->kind == CHECK_FOREIGN ? OUTPUT_WARN
								       : OUTPUT_GOOD,
				 .text = check_word(row) });
	output_text(ctl->out, "name", "Name", row->record.name);
	output_text(ctl->out, "data", "Record", data);
	output_text(ctl->out, "address", "Address", row->address[0] != '\0' ? row->address : NULL);
	output_text(ctl->out, "state", "State", row->state[0] != '\0' ? row->state : NULL);
	output_bool(ctl->out, "problem", NULL, row->problem);
}

static int
run_check(struct ctl *ctl)
{
	const struct check_options *o = ctl->options;
	static struct records due, published;
	struct minisig_key key;
	struct check c = { .config = &ctl->config,
		.wanted = &due,
		.published = &published,
		.nameserver = o->nameserver,
		.deadline = clock_ms() + ctl->timeout_ms,
		.row = print_row,
		.arg = ctl };
	struct discover_host server;
	int code;

	if (o->nameserver != NULL && discover_parse(&server, o->nameserver, 53) != KMS_OK) {
		fail(ctl, KMS_E_ARGUMENT, "name server \"%.80s\": give an address or address:port",
		    o->nameserver);
		return CTL_USAGE;
	}
	if ((code = wanted(ctl, &due)) != CTL_OK)
		return code;
	published_glance(ctl, &published);
	if (ctl->config.publisher_count > 0 &&
	    minisig_key_parse(&key, ctl->config.publishers[0].key) == KMS_OK)
		memcpy(c.publisher, key.id, sizeof(c.publisher));
	output_list(ctl->out, "records", NULL);
	check_run(&c);
	output_end(ctl->out);
	output_number(ctl->out, "problem_count", NULL, c.problems);
	if (c.problems == 0)
		output_line(ctl->out, OUTPUT_GOOD, "Clients find this host");
	else
		output_line(ctl->out, OUTPUT_BAD,
		    "%u problem%s; to correct missing and stale records: kmsctl dns publish",
		    c.problems, c.problems == 1 ? "" : "s");
	return c.problems == 0 ? CTL_OK : CTL_PROBLEM;
}

const struct ctl_command cmd_dns_publish = {
	.line.noun = "dns",
	.line.verb = "publish",
	.line.summary = "add this host's records to DNS",
	.run = run_publish,
};
const struct ctl_command cmd_dns_unpublish = {
	.line.noun = "dns",
	.line.verb = "unpublish",
	.line.summary = "remove this host's records from DNS",
	.run = run_unpublish,
};
static const struct option_row dns_show_rows[] = {
	{ "format", 0, "NAME", "zone, powershell or dnsmasq",
	    .offset = offsetof(struct show_options, format),
	    .complete = "words zone powershell dnsmasq" },
	{ 0 },
};

const struct ctl_command cmd_dns_show = {
	.line.noun = "dns",
	.line.verb = "show",
	.line.summary = "print this host's records in the format of a name server",
	.line.options = dns_show_rows,
	.line.values = sizeof(struct show_options),
	.run = run_show,
};
static const struct option_row dns_check_rows[] = {
	{ "nameserver", 0, "ADDRESS", "the name server to ask",
	    .offset = offsetof(struct check_options, nameserver) },
	{ 0 },
};

const struct ctl_command cmd_dns_check = {
	.line.noun = "dns",
	.line.verb = "check",
	.line.summary = "check which hosts clients find in DNS, and whether these hosts answer",
	.line.options = dns_check_rows,
	.line.values = sizeof(struct check_options),
	.run = run_check,
};
