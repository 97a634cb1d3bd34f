/*
 * relay_import.c - relay import: the KMS host's own log gives the observed clients their names.
 *
 * All of the file is read first; then each name is looked up once; then kmsd is told the newest of
 * what is known of each client, since every telling is an entry in the journal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/input.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/relay/client_names.h"
#include "kmsctl/relay/event_log.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/grow.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"

#define LOOKUP_TIME 60 /* seconds */
#define DAY 86400

struct import_options {
	const char *dates; /* "dmy", "mdy" */
	uint64_t lookup_time;
};

/* That the relay observed. */
struct source {
	uint8_t address[16]; /* the first member */
	uint64_t told;       /* the newest that is in the ledger; 0: nothing yet */
};

/* An event that was granted. */
struct granted {
	struct event_12290 e;
	const struct client_name *name; /* and its source, when it is looked up */
};

struct import {
	struct ctl *ctl;
	const struct import_options *options;
	struct event_log log;
	struct source *sources; /* ascending */
	size_t source_count, source_room;
	struct granted *events;
	size_t event_count, event_room;
	bool no_memory;
	struct client_name *names; /* each once */
	size_t name_count;
	uint64_t joined, clients, written, unknown, refused, late, silent;
};

static int
keep_source(const struct kmsdb_relayed *r, void *arg)
{
	struct import *m = arg;
	struct source *s = grow_list(m->sources, m->source_count, &m->source_room, sizeof(*s));

	if (s == NULL)
		return KMS_E_NO_MEMORY;
	m->sources = s;
	s = &m->sources[m->source_count++];
	memcpy(s->address, r->address, 16);
	s->told = r->name[0] != '\0' ? r->told : 0;
	return 0;
}

static int
keep_event(const struct event_12290 *e, void *arg)
{
	struct import *m = arg;
	struct granted *more;

	if (e->status != 0) {
		m->refused++;
		return 0;
	}
	if (e->time == 0)
		return 0;
	more = grow_list(m->events, m->event_count, &m->event_room, sizeof(*more));
	if (more == NULL) {
		m->no_memory = true;
		return 1;
	}
	m->events = more;
	m->events[m->event_count++] = (struct granted){ .e = *e };
	return 0;
}

static int
by_address(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct granted *)a)->e.name, ((const struct granted *)b)->e.name);
}

/* Of one client, the newest last. */
static int
by_client(const void *a, const void *b)
{
	const struct granted *x = a, *y = b;
	const char *s = x->name->source, *t = y->name->source;
	int d = (s > t) - (s < t);

	if (d == 0)
		d = memcmp(x->e.cmid, y->e.cmid, 16);
	return d != 0 ? d : (x->e.time > y->e.time) - (x->e.time < y->e.time);
}

static int
by_time(const void *a, const void *b)
{
	const struct granted *x = a, *y = b;

	return (x->e.time > y->e.time) - (x->e.time < y->e.time);
}

static void
sort_events(struct import *m, int (*compare)(const void *, const void *))
{
	if (m->event_count > 1)
		qsort(m->events, m->event_count, sizeof(*m->events), compare);
}

/* The names of the events, each once; sorts the events. */
static int
collect_names(struct import *m)
{
	sort_events(m, by_name);
	if ((m->names = calloc(m->event_count + 1, sizeof(*m->names))) == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t i = 0; i < m->event_count; i++) {
		if (i == 0 || strcmp(m->events[i].e.name, m->events[i - 1].e.name) != 0)
			m->names[m->name_count++].name = m->events[i].e.name;
		m->events[i].name = &m->names[m->name_count - 1];
	}
	return KMS_OK;
}

static void
look_up(struct import *m)
{
	uint64_t seconds = m->options->lookup_time;
	struct client_names n = {
		.names = m->names,
		.count = m->name_count,
		.sources = m->sources,
		.source_count = m->source_count,
		.source_size = sizeof(*m->sources),
		.patience = (int64_t)(seconds > 0 ? seconds : LOOKUP_TIME) * 1000,
		.progress = !m->ctl->json && isatty(STDERR_FILENO) ? stderr : NULL,
	};

	/* Nobody can have the name. */
	if (m->source_count == 0)
		return;
	qsort(m->sources, m->source_count, sizeof(*m->sources), by_address);
	client_names_look_up(&n);
	for (size_t i = 0; i < m->name_count; i++) {
		m->late += m->names[i].state == CLIENT_NAME_LATE;
		m->silent += m->names[i].state == CLIENT_NAME_SILENT;
	}
}

/* Leaves the events whose name is an observed source's, and of each client the newest. */
static void
keep_newest(struct import *m)
{
	size_t kept = 0, newest = 0;

	for (size_t i = 0; i < m->event_count; i++)
		if (m->events[i].name->source != NULL)
			m->events[kept++] = m->events[i];
	m->unknown = m->event_count - kept;
	m->joined = m->event_count = kept;
	sort_events(m, by_client);
	for (size_t i = 0; i < kept; i++)
		if (i + 1 == kept || m->events[i].name->source != m->events[i + 1].name->source ||
		    memcmp(m->events[i].e.cmid, m->events[i + 1].e.cmid, 16) != 0)
			m->events[newest++] = m->events[i];
	m->clients = m->event_count = newest;
	/* Of two at one address, the row has the one that is told last. */
	sort_events(m, by_time);
}

static int
tell(struct import *m, const struct granted *g)
{
	const struct source *source = g->name->source;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int code;

	/* An older export must not set back what a newer one said; a clock that was wrong may. */
	if (source->told >= g->e.time && source->told <= (uint64_t)time(NULL) + DAY)
		return CTL_OK;
	control_octets(&args, "source", source->address, 16);
	control_octets(&args, "cmid", g->e.cmid, 16);
	control_text(&args, "name", g->e.name);
	control_number(&args, "count", g->e.count);
	control_number(&args, "told", g->e.time);
	code = ask_host(m->ctl, CONTROL_RELAY_NAME, &args, &reply);
	m->written += code == CTL_OK;
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static int
read_file(struct import *m, const char *path)
{
	struct fault fault = { 0 };
	char *text = NULL;
	size_t len = 0;
	int rc = input_read(path, EVENT_LOG_MAX, &text, &len);

	if (rc == KMS_E_TOO_LARGE)
		return fail_told(m->ctl, (uint32_t)rc,
		    "%s: at most 64 MiB: export a part of the log, for example the last 90 days",
		    path);
	if (rc != KMS_OK)
		return fail(m->ctl, (uint32_t)rc, "%s: cannot be read: %s", path,
		    rc == KMS_E_NO_MEMORY ? kms_strerror((uint32_t)rc) : strerror(errno));
	if (m->options->dates != NULL)
		m->log.dates =
		    strcmp(m->options->dates, "dmy") == 0 ? EVENT_DATES_DMY : EVENT_DATES_MDY;
	rc = event_log_read(text, len, &m->log, keep_event, m, &fault);
	free(text);
	if (rc != KMS_OK)
		return fail_told(m->ctl, (uint32_t)rc, "%s: %s", path, fault.text);
	if (m->no_memory)
		return fail(m->ctl, KMS_E_NO_MEMORY, "%s", path);
	if (m->log.events > 0)
		return CTL_OK;
	if (m->log.unread > 0)
		return fail_told(m->ctl, KMS_E_FORMAT,
		    "%s: none of the %zu events 12290 can be read; line %zu: %s", path,
		    m->log.unread, m->log.named[0].line, m->log.named[0].why);
	return fail_told(m->ctl, KMS_E_FORMAT,
	    "%s: contains no event 12290. Export the log \"Key Management Service\" of the KMS host",
	    path);
}

static int
read_sources(struct import *m)
{
	struct kmsdb *db = NULL;
	struct fault fault = { 0 };
	int rc, code;

	/* Changes that are not yet in the index must be found, too. */
	code = ask_host(m->ctl, CONTROL_CHECKPOINT, NULL, &(struct reply){ 0 });
	if (code != CTL_OK)
		return code;
	rc = ledger_access_open(m->ctl, &db, &fault);
	if (rc == KMS_OK)
		rc = kmsdb_each_relayed(db, keep_source, m);
	ledger_access_close(db, -1);
	if (rc == KMS_OK)
		return CTL_OK;
	return fail(m->ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault_text(&fault, rc));
}

/* What is left out, by line: a list for a program, lines for a person. */
static void
show_named(struct output *o, const struct event_log *log, const char *path)
{
	size_t all = log->unread + log->ambiguous;

	output_list(o, "problems", NULL);
	for (size_t i = 0; i < log->named_count; i++) {
		output_row(o);
		output_number(o, "line", NULL, log->named[i].line);
		output_number(o, "event", NULL, log->named[i].number);
		output_text(o, "why", NULL, log->named[i].why);
	}
	output_end(o);
	for (size_t i = 0; i < log->named_count; i++)
		output_line(o, OUTPUT_WARN, "%s: line %zu, event %zu: not imported: %s", path,
		    log->named[i].line, log->named[i].number, log->named[i].why);
	if (all > log->named_count)
		output_line(o, OUTPUT_WARN, "... and %zu more", all - log->named_count);
}

/* And what to type. */
static void
show_problems(const struct import *m, const char *path)
{
	struct output *o = m->ctl->out;
	const struct event_log *log = &m->log;

	if (log->named_count > 0)
		show_named(o, log, path);
	if (log->ambiguous > 0)
		output_line(o, OUTPUT_WARN,
		    "%s. Add --dates dmy if 3/4 means the 3rd of April, or --dates mdy if it means March 4th.",
		    log->dates == EVENT_DATES_MIXED
			? "The file has dates of both orders, day first and month first"
			: "No date in the file shows whether the day or the month comes first");
	if (m->source_count == 0)
		output_line(o, OUTPUT_WARN,
		    "The relay has not observed any client yet. Run kmsctl relay check, and import the file again when clients have used the relay.");
	if (m->late > 0)
		output_line(o, OUTPUT_WARN,
		    "%" PRIu64
		    " names were not looked up: %s. Import the file again, with more time: --lookup-time SECONDS.",
		    m->late,
		    m->silent >= m->name_count - m->late ? "no name server answers"
							 : "the time limit was reached");
	else if (m->silent > 0)
		output_line(o, OUTPUT_WARN, "For %" PRIu64 " of %zu names no name server answered.",
		    m->silent, m->name_count);
}

static int
show(const struct import *m, const char *path)
{
	struct output *o = m->ctl->out;

	output_number(o, "events", "Events 12290", m->log.events);
	output_number(o, "joined", "Joined", m->joined);
	output_number(o, "clients", "Clients with a name now", m->clients);
	output_number(o, "written", NULL, m->written);
	output_number(o, "unknown", "Not observed, or without an address", m->unknown);
	output_number(o, "refused", "Refused by the host", m->refused);
	output_number(o, "ambiguous", "With an ambiguous date", m->log.ambiguous);
	output_number(o, "unread", "Could not be read", m->log.unread);
	output_number(o, "copies", NULL, m->log.copies);
	output_number(o, "late", NULL, m->late);
	output_number(o, "silent", NULL, m->silent);
	show_problems(m, path);
	return m->log.unread + m->log.ambiguous + m->late > 0 ? CTL_PROBLEM : CTL_OK;
}

static int
import(struct import *m, const char *path)
{
	int rc, code = read_file(m, path);

	if (code == CTL_OK)
		code = read_sources(m);
	if (code != CTL_OK)
		return code;
	if ((rc = collect_names(m)) != KMS_OK)
		return fail(m->ctl, (uint32_t)rc, "%s", path);
	look_up(m);
	keep_newest(m);
	for (size_t i = 0; i < m->event_count; i++)
		if ((code = tell(m, &m->events[i])) != CTL_OK)
			return code;
	return show(m, path);
}

static int
run_relay_import(struct ctl *ctl)
{
	struct import m = { .ctl = ctl, .options = ctl->options };
	int code = import(&m, ctl->args[0]);

	free(m.sources);
	free(m.events);
	free(m.names);
	return code;
}

static bool
read_dates(void *field, const char *text)
{
	*(const char **)field = text;
	return strcmp(text, "dmy") == 0 || strcmp(text, "mdy") == 0;
}

static bool
read_seconds(void *field, const char *text)
{
	return number_parse(field, DAY, text) && *(uint64_t *)field > 0;
}

static const struct option_row rows[] = {
	{ "dates", 0, "dmy|mdy", "order of day and month in the file's dates",
	    .offset = offsetof(struct import_options, dates), .read = read_dates,
	    .takes = "dmy or mdy" },
	{ "lookup-time", 0, "SECONDS", "time limit for looking up names (default: 60)",
	    .offset = offsetof(struct import_options, lookup_time), .read = read_seconds,
	    .takes = "a number of seconds from 1 to 86400" },
	{ 0 },
};

const struct ctl_command cmd_relay_import = {
	.line.noun = "relay",
	.line.verb = "import",
	.line.args = "FILE",
	.line.summary = "import names and CMIDs of observed clients from a KMS host's log",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct import_options),
	.run = run_relay_import,
};
