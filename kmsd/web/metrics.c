/*
 * metrics.c - see metrics.h. The table has a row for each sample that a row of a reply gives; what
 * needs more than one row (a histogram, the threshold of a pool) follows it.
 */
#include "kmsd/web/metrics.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"

#define MICRO 1000000

enum kind { GAUGE, COUNTER };

/* What becomes of the field. */
enum reading {
	AS_NUMBER,
	AS_SECONDS, /* it is in microseconds */
	IF_ANY,     /* zero says "no limit" */
	PRESENT,    /* 1 when the row has the field and it says something, else 0 */
	ONE,        /* 1: the labels are what counts */
	REFUSALS,   /* only of rows that are refusals */
};

struct label {
	const char *name;
	const char *field; /* "=text": always that */
};

static const struct sample {
	const char *name; /* without _total */
	enum kind kind;
	const char *help; /* NULL: of the sample before, which has the same name */
	enum known_what from;
	const char *row, *field;
	enum reading reading;
	struct label labels[4];
} samples[] = {
	{ "kms_build_info", GAUGE, "The version of kmsd", KNOWN_STATUS, "service", NULL, ONE,
	    { { "version", "version" } } },
	{ "kms_start_time_seconds", GAUGE, "When kmsd was started", KNOWN_STATUS, "service",
	    "started", AS_NUMBER, { { 0 } } },
	{ "kms_locked", GAUGE, "1 while the host waits for the passphrase of its keys",
	    KNOWN_STATUS, "service", "locked", AS_NUMBER, { { 0 } } },
	{ "kms_clients", GAUGE, "Clients that are counted", KNOWN_STATUS, "pool", "counted",
	    AS_NUMBER, { { "publisher", "publisher" }, { "pool", "name" } } },
	{ "kms_pool_capacity", GAUGE, "Most clients that may be counted; absent without a limit",
	    KNOWN_STATUS, "pool", "capacity", IF_ANY,
	    { { "publisher", "publisher" }, { "pool", "name" } } },
	{ "kms_pool_overdraft", GAUGE, "Clients beyond the capacity, by the overdraft of the pack",
	    KNOWN_STATUS, "pool", "over", IF_ANY,
	    { { "publisher", "publisher" }, { "pool", "name" } } },
	{ "kms_pool_overdraft_limit", GAUGE,
	    "Most clients beyond the capacity; absent where the pack has no overdraft",
	    KNOWN_STATUS, "pool", "overdraft", IF_ANY,
	    { { "publisher", "publisher" }, { "pool", "name" } } },
	{ "kms_pool_borrowed", GAUGE, "Clients that borrowed their seat; absent if there are none",
	    KNOWN_STATUS, "pool", "borrowed", IF_ANY,
	    { { "publisher", "publisher" }, { "pool", "name" } } },
	{ "kms_class_clients", GAUGE, "Clients of a class of kms.ini", KNOWN_STATUS, "class",
	    "counted", AS_NUMBER,
	    { { "publisher", "publisher" }, { "pool", "pool" }, { "class", "name" } } },
	{ "kms_class_reserve", GAUGE, "Seats that are kept for a class", KNOWN_STATUS, "class",
	    "reserve", AS_NUMBER,
	    { { "publisher", "publisher" }, { "pool", "pool" }, { "class", "name" } } },
	{ "kms_class_limit", GAUGE, "Most clients of a class; absent without a limit", KNOWN_STATUS,
	    "class", "limit", IF_ANY,
	    { { "publisher", "publisher" }, { "pool", "pool" }, { "class", "name" } } },
	{ "kms_product_threshold", GAUGE, "Clients that a product needs before it is activated",
	    KNOWN_STATUS, "product", "required", AS_NUMBER,
	    { { "publisher", "publisher" }, { "pool", "pool" }, { "product", "id" },
		{ "name", "name" } } },
	{ "kms_requests", COUNTER, "Answers to clients", KNOWN_METRICS, "answers", "count",
	    AS_NUMBER, { { "status", "status" } } },
	{ "kms_refusals", COUNTER, "Answers that were not an activation", KNOWN_METRICS, "answers",
	    "count", REFUSALS, { { "status", "status" } } },
	{ "kms_limit_refusals", COUNTER, "Requests that a limit of kms.ini refused", KNOWN_STATUS,
	    "limit", "refused", AS_NUMBER, { { "limit", "name" } } },
	{ "kms_publisher_installed", GAUGE, "1 when a host key is installed", KNOWN_STATUS,
	    "publisher", "installed", AS_NUMBER, { { "publisher", "name" } } },
	{ "kms_publisher_confirmed", GAUGE, "1 when the publisher has confirmed the host",
	    KNOWN_STATUS, "publisher", "confirmed", AS_NUMBER, { { "publisher", "name" } } },
	{ "kms_publisher_revoked", GAUGE, "1 when the publisher has revoked the host or its key",
	    KNOWN_STATUS, "publisher", "revoked", PRESENT, { { "publisher", "name" } } },
	{ "kms_certificate_expiry_timestamp_seconds", GAUGE,
	    "When the publisher's confirmation ends", KNOWN_STATUS, "publisher", "not-after",
	    AS_NUMBER, { { "publisher", "name" } } },
	{ "kms_key_expiry_timestamp_seconds", GAUGE, "When a host key ends", KNOWN_KEYS, "key",
	    "not-after", AS_NUMBER,
	    { { "publisher", "publisher" }, { "key", "id" }, { "group", "group" } } },
	{ "kms_ledger_clients", GAUGE, "Clients that the ledger knows", KNOWN_STATUS, "ledger",
	    "clients", AS_NUMBER, { { 0 } } },
	{ "kms_ledger_last_batch", GAUGE, "Number of the newest batch", KNOWN_STATUS, "ledger",
	    "last-batch", AS_NUMBER, { { 0 } } },
	{ "kms_ledger_journal_bytes", GAUGE, "Size of the journal", KNOWN_STATUS, "ledger",
	    "journal-octets", AS_NUMBER, { { 0 } } },
	{ "kms_ledger_index_bytes", GAUGE, "Size of the index", KNOWN_STATUS, "ledger",
	    "index-octets", AS_NUMBER, { { 0 } } },
	{ "kms_ledger_failing", GAUGE, "1 while the ledger cannot be written", KNOWN_STATUS,
	    "ledger", "failing-since", PRESENT, { { 0 } } },
	{ "kms_ledger_failures", COUNTER, "Batches that could not be written", KNOWN_STATUS,
	    "service", "ledger-failures", AS_NUMBER, { { 0 } } },
	{ "kms_ledger_entries", COUNTER, "Entries written", KNOWN_STATUS, "service", "entries",
	    AS_NUMBER, { { 0 } } },
	{ "kms_ledger_batches", COUNTER, "Batches written", KNOWN_STATUS, "service", "batches",
	    AS_NUMBER, { { 0 } } },
	{ "kms_ledger_witnesses", GAUGE, "Clients whose lease the journal does not have",
	    KNOWN_STATUS, "ledger", "witnesses-contradiction", AS_NUMBER,
	    { { "grade", "=contradiction" } } },
	{ "kms_ledger_witnesses", GAUGE, NULL, KNOWN_STATUS, "ledger", "witnesses-unexplained",
	    AS_NUMBER, { { "grade", "=unexplained" } } },
	{ "kms_ledger_witnesses", GAUGE, NULL, KNOWN_STATUS, "ledger", "witnesses-note", AS_NUMBER,
	    { { "grade", "=note" } } },
	{ "kms_ledger_clock_back_timestamp_seconds", GAUGE, "When the clock last went back",
	    KNOWN_STATUS, "ledger", "clock-back", AS_NUMBER, { { 0 } } },
	{ "kms_front_ready", GAUGE, "1 when a network process serves", KNOWN_STATUS, "front",
	    "ready", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_connections", GAUGE, "Open connections", KNOWN_STATUS, "front", "open",
	    AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_connections_accepted", COUNTER, "Connections accepted", KNOWN_STATUS, "front",
	    "accepted", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_connections_refused", COUNTER, "Connections that a limit refused",
	    KNOWN_STATUS, "front", "refused-connections", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_connections_evicted", COUNTER, "Connections closed for new ones", KNOWN_STATUS,
	    "front", "evicted-connections", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_frames_refused", COUNTER, "Frames that were malformed or too long",
	    KNOWN_STATUS, "front", "refused-frames", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_timeouts", COUNTER, "Connections that were too slow", KNOWN_STATUS, "front",
	    "timeouts", AS_NUMBER, { { "front", "number" } } },
	{ "kms_front_unanswered", GAUGE, "Requests that wait for an answer", KNOWN_STATUS, "front",
	    "in-flight", AS_NUMBER, { { "front", "number" } } },
	{ "kms_sandbox_incomplete", GAUGE, "1 when a layer of a process's sandbox is not in force",
	    KNOWN_STATUS, "sandbox", "missing", PRESENT, { { "process", "process" } } },
	{ "kms_relay_configured", GAUGE, "1 when Windows clients are relayed", KNOWN_RELAY, "relay",
	    "configured", AS_NUMBER, { { 0 } } },
#define OUTCOME(help, what)                                                                        \
	{                                                                                          \
		"kms_relay_requests", COUNTER, help, KNOWN_RELAY, "relay", what, AS_NUMBER,        \
		{                                                                                  \
			{                                                                          \
				"outcome", "=" what                                                \
			}                                                                          \
		}                                                                                  \
	}
	OUTCOME("Relayed exchanges by how they ended", "answered"),
	OUTCOME(NULL, "faults"),
	OUTCOME(NULL, "lost"),
	OUTCOME(NULL, "late"),
	OUTCOME(NULL, "no-host"),
	OUTCOME(NULL, "refused"),
#undef OUTCOME
#define OUTCOME(help, what)                                                                        \
	{                                                                                          \
		"kms_relay_host_requests", COUNTER, help, KNOWN_RELAY, "relay-host", what,         \
		    AS_NUMBER,                                                                     \
		{                                                                                  \
			{ "host", "name" }, { "address", "address" },                              \
			{                                                                          \
				"outcome", "=" what                                                \
			}                                                                          \
		}                                                                                  \
	}
	OUTCOME("Relayed exchanges of a KMS host by how they ended", "answered"),
	OUTCOME(NULL, "faults"),
	OUTCOME(NULL, "lost"),
	OUTCOME(NULL, "late"),
	OUTCOME(NULL, "refused"),
#undef OUTCOME
	{ "kms_relay_host_latency_mean_seconds", GAUGE, "How long a KMS host takes", KNOWN_RELAY,
	    "relay-host", "latency-mean", AS_SECONDS,
	    { { "host", "name" }, { "address", "address" } } },
	{ "kms_relay_host_last_timestamp_seconds", GAUGE, "When a KMS host was last asked",
	    KNOWN_RELAY, "relay-host", "last", AS_NUMBER,
	    { { "host", "name" }, { "address", "address" } } },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))
#define LABELS (sizeof(samples[0].labels) / sizeof(samples[0].labels[0]))

static void
write_head(struct evbuffer *out, const char *name, const char *type, const char *help, bool open)
{
	const char *tail = !open && strcmp(type, "counter") == 0 ? "_total" : "";

	evbuffer_add_printf(
	    out, "# HELP %s%s %s.\n# TYPE %s%s %s\n", name, tail, help, name, tail, type);
}

/* Backslash, quote and line feed are escaped, as both formats want it. */
static void
write_text(struct evbuffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*text == '\\' || *text == '"')
			evbuffer_add_printf(out, "\\%c", *text);
		else
			evbuffer_add(out, text, 1);
	}
}

static void
write_label(struct evbuffer *out, const struct label *l, const struct reply_row *row, bool first)
{
	const struct reply_field *f = reply_field(row, l->field);

	evbuffer_add_printf(out, "%s%s=\"", first ? "{" : ",", l->name);
	if (l->field[0] == '=')
		write_text(out, l->field + 1);
	else if (f != NULL && f->type == 'u')
		evbuffer_add_printf(out, "%" PRIu64, f->number);
	else if (f != NULL)
		write_text(out, f->text);
	evbuffer_add(out, "\"", 1);
}

static void
write_labels(struct evbuffer *out, const struct label labels[LABELS], const struct reply_row *row)
{
	unsigned i;

	for (i = 0; i < LABELS && labels[i].name != NULL; i++)
		write_label(out, &labels[i], row, i == 0);
	if (i > 0)
		evbuffer_add(out, "}", 1);
}

static void
write_seconds(struct evbuffer *out, uint64_t us)
{
	evbuffer_add_printf(out, " %" PRIu64 ".%06" PRIu64 "\n", us / MICRO, us % MICRO);
}

/* False: this row gives no sample. */
static bool
read_sample(const struct sample *s, const struct reply_row *row, uint64_t *value)
{
	const struct reply_field *f = s->field != NULL ? reply_field(row, s->field) : NULL;
	uint64_t refusal;

	*value = f != NULL && f->type == 'u' ? f->number : 0;
	switch (s->reading) {
	case ONE:
		*value = 1;
		return true;
	case PRESENT:
		*value = f != NULL && (f->type == 'u' ? f->number != 0 : f->text[0] != '\0');
		return true;
	case IF_ANY:
		return *value != 0;
	case REFUSALS:
		return reply_number(row, "refusal", &refusal) && refusal != 0;
	default:
		return f != NULL && f->type == 'u';
	}
}

static void
write_sample(struct evbuffer *out, const struct sample *s, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	uint64_t value;

	while ((row = reply_next(reply, s->row, row)) != NULL) {
		if (!read_sample(s, row, &value))
			continue;
		evbuffer_add_printf(out, "%s%s", s->name, s->kind == COUNTER ? "_total" : "");
		write_labels(out, s->labels, row);
		if (s->reading == AS_SECONDS)
			write_seconds(out, value);
		else
			evbuffer_add_printf(out, " %" PRIu64 "\n", value);
	}
}

/* How many clients a pool needs, so that each of its covered products is activated. */
static uint64_t
threshold(const struct reply *status, const char *publisher, const char *pool)
{
	const struct reply_row *row = NULL;
	uint64_t most = 0, n, covered;

	while ((row = reply_next(status, "product", row)) != NULL) {
		const char *p = reply_text(row, "publisher"), *of = reply_text(row, "pool");

		if (p != NULL && of != NULL && strcmp(p, publisher) == 0 && strcmp(of, pool) == 0 &&
		    reply_number(row, "covered", &covered) && covered != 0 &&
		    reply_number(row, "required", &n) && n > most)
			most = n;
	}
	return most;
}

static void
write_thresholds(struct evbuffer *out, const struct reply *status, bool open)
{
	static const struct label labels[LABELS] = { { "publisher", "publisher" },
		{ "pool", "name" } };
	const struct reply_row *row = NULL;

	write_head(out, "kms_pool_threshold", "gauge",
	    "Clients that must be counted so that every covered product of the pool is activated",
	    open);
	while ((row = reply_next(status, "pool", row)) != NULL) {
		const char *publisher = reply_text(row, "publisher"),
			   *pool = reply_text(row, "name");

		if (publisher == NULL || pool == NULL)
			continue;
		evbuffer_add_printf(out, "kms_pool_threshold");
		write_labels(out, labels, row);
		evbuffer_add_printf(out, " %" PRIu64 "\n", threshold(status, publisher, pool));
	}
}

static void
write_commits(struct evbuffer *out, const struct reply *metrics, bool open)
{
	const struct reply_row *row = NULL, *all = reply_next(metrics, "commits", NULL);
	uint64_t us = 0, count = 0;

	write_head(out, "kms_commit_seconds", "histogram",
	    "How long a batch takes until it is signed and on disk", open);
	while ((row = reply_next(metrics, "commits-within", row)) != NULL) {
		reply_number(row, "microseconds", &us);
		reply_number(row, "count", &count);
		evbuffer_add_printf(out,
		    "kms_commit_seconds_bucket{le=\"%" PRIu64 ".%06" PRIu64 "\"} %" PRIu64 "\n",
		    us / MICRO, us % MICRO, count);
	}
	us = count = 0;
	reply_number(all, "microseconds", &us);
	reply_number(all, "count", &count);
	evbuffer_add_printf(out, "kms_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", count);
	evbuffer_add_printf(out, "kms_commit_seconds_sum");
	write_seconds(out, us);
	evbuffer_add_printf(out, "kms_commit_seconds_count %" PRIu64 "\n", count);
}

void
metrics_write(struct evbuffer *out, const struct known *k, bool open)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];

		if (s->help != NULL)
			write_head(
			    out, s->name, s->kind == COUNTER ? "counter" : "gauge", s->help, open);
		write_sample(out, s, known_reply(k, s->from));
	}
	write_thresholds(out, known_reply(k, KNOWN_STATUS), open);
	write_commits(out, known_reply(k, KNOWN_METRICS), open);
	if (open)
		evbuffer_add_printf(out, "# EOF\n");
}

int
metrics_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body)
{
	const char *accept = evhttp_find_header(evhttp_request_get_input_headers(r), "Accept");
	bool open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;

	if (rc != KMS_OK) {
		evbuffer_add_printf(body, "the activation process does not answer\n");
		return 503;
	}
	evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type",
	    open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		 : "text/plain; version=0.0.4; charset=utf-8");
	metrics_write(body, k, open);
	return 200;
}
