/*
 * status.c - status: is the host serving, how far is each product from its threshold, and which
 * sandbox layers are in force. When kmsd is not running, what is in the ledger.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/host/pool_words.h"
#include "kmsctl/host/port.h"
#include "kmsctl/host/serving.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/ledger/past.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"

#define POOLS_MAX 64
#define BRIEF 4 /* rows of each kind, without --all */

struct status_options {
	bool all;
};

/* Is all that is known to be shown? A program always gets it, a person gets it with --all. */
static bool
whole(const struct ctl *ctl)
{
	return ctl->json || ((const struct status_options *)ctl->options)->all;
}

static void
print_service_briefly(struct output *o, const struct reply_row *row)
{
	const char *sealed = reply_text(row, "key-sealed");
	uint64_t port = 0, started = 0, requests = 0, refused = 0;
	char text[128];

	reply_number(row, "port", &port);
	reply_number(row, "started", &started);
	reply_number(row, "requests", &requests);
	reply_number(row, "refused", &refused);
	output_text(o, NULL, "Host name", reply_text(row, "host-name"));
	output_number(o, NULL, "Port", port);
	output_time(o, NULL, "Started", started);
	snprintf(text, sizeof(text), "%" PRIu64 ", %" PRIu64 " of them refused", requests, refused);
	output_text(o, NULL, "Requests", text);
	if (sealed != NULL && strcmp(sealed, "no") != 0)
		output_text(o, NULL, "Keys sealed", sealed);
}

static void
print_service(struct ctl *ctl, const struct reply_row *row)
{
	const char *version = reply_text(row, "version");
	uint64_t pid = 0, locked = 0;

	reply_number(row, "pid", &pid);
	reply_number(row, "locked", &locked);
	output_line(ctl->out, OUTPUT_GOOD, "kmsd %s is running (process %" PRIu64 ")",
	    version ? version : "", pid);
	if (locked)
		output_line(ctl->out, OUTPUT_BAD,
		    "The host is locked and serves no client, because its keys need their passphrase: kmsctl unlock");
	output_object(ctl->out, "service", NULL);
	if (row != NULL && whole(ctl))
		reply_print_fields(ctl->out, row);
	else if (row != NULL)
		print_service_briefly(ctl->out, row);
	output_end(ctl->out);
}

/* "Example Writer: 24 of 25, 1 more client needed" */
static void
print_product_line(struct output *o, const struct reply_row *row, uint32_t refused, const char *why)
{
	const char *name = reply_text(row, "name"), *id = reply_text(row, "id");
	uint64_t counted = 0, required = 0, covered = 1;

	reply_number(row, "counted", &counted);
	reply_number(row, "required", &required);
	reply_number(row, "covered", &covered);
	name = name != NULL && *name ? name : id != NULL ? id : "?";
	if (refused != KMS_OK)
		output_line(o, OUTPUT_BAD,
		    "%s: %" PRIu64 " of %" PRIu64 " counted, but every client is refused: %s", name,
		    counted, required, why);
	else if (!covered)
		output_line(o, OUTPUT_WARN, "%s: not covered by an installed KMS host key", name);
	else if (counted < required)
		output_line(o, OUTPUT_WARN,
		    "%s: %" PRIu64 " of %" PRIu64 ", %" PRIu64 " more client%s needed", name,
		    counted, required, required - counted, required - counted == 1 ? "" : "s");
	else
		output_line(o, OUTPUT_GOOD, "%s: %" PRIu64 " of %" PRIu64 ", activating", name,
		    counted, required);
}

static void
print_product_row(struct output *o, const struct reply_row *row, uint32_t refused)
{
	uint64_t counted = 0, required = 0;

	reply_number(row, "counted", &counted);
	reply_number(row, "required", &required);
	output_row(o);
	reply_print_fields(o, row);
	output_number(o, "needed", NULL, counted < required ? required - counted : 0);
	output_text(
	    o, "refused_with", NULL, refused != KMS_OK ? kms_error_find(refused)->symbol : NULL);
}

static void
print_left(struct ctl *ctl, unsigned count, const char *what)
{
	if (count > 0)
		output_line(
		    ctl->out, OUTPUT_PLAIN, "and %u more %s: kmsctl status --all", count, what);
}

static void
print_products(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = reply_next(reply, "product", NULL);
	char why[SERVING_TEXT];
	const char *next;
	unsigned shown = 0;
	uint32_t refused;

	if (ctl->json)
		output_list(ctl->out, "products", NULL);
	else
		output_object(ctl->out, "products", "Clients counted");
	for (; row != NULL; row = reply_next(reply, "product", row)) {
		if (!whole(ctl) && shown++ >= BRIEF)
			continue;
		refused = serving_refuses(why, &next,
		    serving_publisher(reply, reply_text(row, "publisher")), (uint64_t)time(NULL));
		if (ctl->json)
			print_product_row(ctl->out, row, refused);
		else
			print_product_line(ctl->out, row, refused, why);
	}
	if (reply_next(reply, "product", NULL) == NULL)
		output_line(ctl->out, OUTPUT_WARN,
		    "no product is known: install a policy pack with kmsctl policy install FILE.kmspolicy");
	print_left(ctl, shown > BRIEF ? shown - BRIEF : 0, "products");
	output_end(ctl->out);
}

/* What the administrator still has to do, for each publisher. */
static void
print_next(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	char why[SERVING_TEXT];
	const char *name, *next;

	while ((row = reply_next(reply, "publisher", row)) != NULL) {
		name = reply_text(row, "name");
		if (serving_refuses(why, &next, row, (uint64_t)time(NULL)) != KMS_OK)
			output_line(
			    ctl->out, OUTPUT_BAD, "  %s: %s: %s", name ? name : "?", why, next);
	}
}

/* Of each pool that is full, or that gives more than it has, or lends. */
static void
print_seats(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	char words[POOL_WORDS];
	struct pool_seats seats;
	unsigned shown = 0;

	while ((row = reply_next(reply, "pool", row)) != NULL) {
		pool_seats(&seats, row);
		if (seats.borrowed == 0 && (seats.capacity == 0 || seats.counted < seats.capacity))
			continue;
		if (!whole(ctl) && shown++ >= BRIEF)
			break;
		pool_words(words, &seats);
		output_line(ctl->out,
		    pool_full(&seats) ? OUTPUT_BAD
		    : seats.over > 0  ? OUTPUT_WARN
				      : OUTPUT_PLAIN,
		    "  %s: %s", seats.name, words);
	}
}

static void
print_past(struct ctl *ctl, const struct kmsdb_history *h)
{
	struct past_line lines[PAST_LINES];
	unsigned count = past_lines(lines, h, (uint64_t)time(NULL));

	for (unsigned i = 0; i < count; i++)
		output_line(ctl->out, lines[i].bad ? OUTPUT_BAD : OUTPUT_WARN, "  %s: %s",
		    lines[i].text, lines[i].next);
}

/*
 * A client that is new and one that changed look alike until the index is written, some seconds
 * later.
 */
static void
print_clients(struct ctl *ctl, const struct reply_row *ledger)
{
	uint64_t indexed = 0, changed = 0;
	char text[96];

	reply_number(ledger, "clients", &indexed);
	reply_number(ledger, "overlay", &changed);
	if (ctl->json)
		return; /* both numbers are there */
	if (indexed == 0 || changed == 0)
		snprintf(text, sizeof(text), "%" PRIu64, indexed + changed);
	else
		snprintf(text, sizeof(text),
		    "%" PRIu64 ", and up to %" PRIu64 " new ones that are not in the index yet",
		    indexed, changed);
	output_text(ctl->out, "clients", "Clients", text);
}

/* A person is told of what is missing; a program gets the number. */
static void
print_begin(struct ctl *ctl, uint64_t first)
{
	if (first > 1 && !ctl->json)
		output_line(ctl->out, OUTPUT_PLAIN,
		    "  The journal begins with batch %" PRIu64
		    ": kmsd dropped the batches before it, which were older than [ledger] keep",
		    first);
}

static void
print_some(struct ctl *ctl, const struct reply *reply, const struct reply_some *some)
{
	print_left(ctl, reply_print_some(ctl->out, reply, some), some->key);
}

/* What a process lacks or does not say, and else nothing. */
static void
print_processes_briefly(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	const char *missing, *process, *answer;
	unsigned silent = 0;
	uint64_t ready;

	while ((row = reply_next(reply, "sandbox", row)) != NULL) {
		missing = reply_text(row, "missing");
		process = reply_text(row, "process");
		if (missing != NULL && *missing != '\0' && strcmp(missing, "none") != 0)
			output_line(ctl->out, OUTPUT_WARN, "Sandbox of %s: %s is missing",
			    process != NULL ? process : "?", missing);
	}
	while ((row = reply_next(reply, "front", row)) != NULL) {
		answer = reply_text(row, "answer");
		silent += (answer != NULL && strcmp(answer, "no answer") == 0) ||
			  (reply_number(row, "ready", &ready) && !ready);
	}
	if (silent > 0)
		output_line(ctl->out, OUTPUT_WARN,
		    "%u front%s did not answer in time: kmsctl status --all", silent,
		    silent == 1 ? "" : "s");
}

static void
print_ledger_briefly(struct ctl *ctl, const struct reply_row *ledger)
{
	uint64_t last = 0, octets = 0;

	reply_number(ledger, "last-batch", &last);
	reply_number(ledger, "journal-octets", &octets);
	print_clients(ctl, ledger);
	output_number(ctl->out, NULL, "Last batch", last);
	output_put(ctl->out,
	    &(struct output_field){ .label = "Journal", .type = OUTPUT_OCTETS, .number = octets });
}

/* The parts that a person seldom asks for. */
static void
print_whole_lists(struct ctl *ctl, const struct reply *reply)
{
	reply_print_list(ctl->out, reply, "publisher", "publishers", "Publishers");
	print_next(ctl, reply);
	reply_print_list(ctl->out, reply, "pool", "pools", "Counting pools");
	print_seats(ctl, reply);
	if (reply_next(reply, "class", NULL) != NULL)
		reply_print_list(ctl->out, reply, "class", "classes", "Classes");
	reply_print_list(ctl->out, reply, "sandbox", "sandbox", "Sandbox");
	reply_print_list(ctl->out, reply, "front", "fronts", "Fronts");
	reply_print_list(ctl->out, reply, "limit", "limits", "Limits that were reached");
}

static void
print_lists_briefly(struct ctl *ctl, const struct reply *reply)
{
	static const char *const publisher[] = { "name", "confirmed", "customer", "not-after",
		NULL };
	static const char *const pool[] = { "name", "counted", "capacity", NULL };
	const struct reply_some publishers = { "publisher", "publishers", "Publishers", publisher,
		BRIEF };
	const struct reply_some pools = { "pool", "pools", "Counting pools", pool, BRIEF };
	const struct reply_some classes = { "class", "classes", "Classes", NULL, BRIEF };
	const struct reply_some limits = { "limit", "limits", "Limits that were reached", NULL,
		BRIEF };

	print_some(ctl, reply, &publishers);
	print_next(ctl, reply);
	print_some(ctl, reply, &pools);
	print_seats(ctl, reply);
	if (reply_next(reply, "class", NULL) != NULL)
		print_some(ctl, reply, &classes);
	print_some(ctl, reply, &limits);
	print_processes_briefly(ctl, reply);
}

static int
status_running(struct ctl *ctl, const struct reply *reply)
{
	struct kmsdb_history past;
	const struct reply_row *ledger = reply_next(reply, "ledger", NULL);
	uint64_t first = 0;

	output_bool(ctl->out, "running", NULL, true);
	print_service(ctl, reply_next(reply, "service", NULL));
	print_products(ctl, reply);
	(whole(ctl) ? print_whole_lists : print_lists_briefly)(ctl, reply);
	output_object(ctl->out, "ledger", "Ledger");
	if (ledger != NULL && !whole(ctl))
		print_ledger_briefly(ctl, ledger);
	if (ledger != NULL && whole(ctl)) {
		print_clients(ctl, ledger);
		reply_print_fields(ctl->out, ledger);
	}
	if (ledger != NULL) {
		reply_number(ledger, "first-batch", &first);
		print_begin(ctl, first);
		past_of_reply(&past, ledger);
		print_past(ctl, &past);
	}
	output_end(ctl->out);
	return CTL_OK;
}

/* Sums of the day counters, pool by pool. */
struct pools {
	struct {
		uint8_t publisher[8];
		uint16_t number;
		uint64_t counted;
	} pool[POOLS_MAX];
	unsigned count;
	uint32_t now; /* minutes */
};

static int
add_count(const struct kmsdb_count *c, void *arg)
{
	struct pools *p = arg;
	unsigned i;

	if (c->until <= p->now)
		return 0;
	for (i = 0; i < p->count; i++)
		if (p->pool[i].number == c->pool &&
		    memcmp(p->pool[i].publisher, c->publisher, 8) == 0)
			break;
	if (i == POOLS_MAX)
		return 0;
	if (i == p->count) {
		memcpy(p->pool[i].publisher, c->publisher, 8);
		p->pool[i].number = c->pool;
		p->count++;
	}
	p->pool[i].counted += c->clients;
	return 0;
}

static void
print_ledger_pools(struct ctl *ctl, const struct pools *p)
{
	char id[17];
	unsigned i;

	output_list(ctl->out, "pools", p->count > 0 ? "Clients counted" : NULL);
	for (i = 0; i < p->count; i++) {
		hex_format(id, p->pool[i].publisher, 8);
		output_row(ctl->out);
		output_text(ctl->out, "publisher", "Publisher", id);
		output_number(ctl->out, "number", "Pool", p->pool[i].number);
		output_number(ctl->out, "counted", "Counted", p->pool[i].counted);
	}
	output_end(ctl->out);
}

/* As a running host's fields. */
static void
print_grades(struct ctl *ctl, const struct kmsdb_history *h)
{
	output_number(ctl->out, "witnesses_contradiction", NULL, h->grades[HISTORY_CONTRADICTION]);
	output_number(ctl->out, "witnesses_unexplained", NULL, h->grades[HISTORY_UNEXPLAINED]);
	output_number(ctl->out, "witnesses_note", NULL, h->grades[HISTORY_NOTE]);
	output_number(ctl->out, "restores", NULL, h->restores);
}

static void
print_ledger(struct ctl *ctl)
{
	struct pools pools = { .now = policy_minute((uint64_t)time(NULL)) };
	struct kmsdb_info info;
	struct kmsdb_history past;
	struct fault fault = { 0 };
	char hash[65];
	struct kmsdb *db;

	if (ledger_access_open(ctl, &db, &fault) != KMS_OK) {
		output_text(ctl->out, "ledger_problem", NULL, fault.text);
		output_line(ctl->out, OUTPUT_WARN, "The ledger cannot be read: %s", fault.text);
		return;
	}
	kmsdb_info(db, &info);
	if (kmsdb_each_count(db, add_count, &pools) == 0)
		print_ledger_pools(ctl, &pools);
	hex_format(hash, info.last_hash, sizeof(info.last_hash));
	output_object(ctl->out, "ledger", "Ledger");
	output_number(ctl->out, "clients", "Clients", info.clients);
	output_number(ctl->out, "first_batch", "First batch", info.first_batch);
	output_number(ctl->out, "last_batch", "Last batch", info.last_batch);
	output_number(ctl->out, "index_batch", "Indexed up to batch", info.index_batch);
	output_number(ctl->out, "segments", "Segments", info.segments);
	output_put(ctl->out, &(struct output_field){ .key = "journal_octets",
				 .label = "Journal",
				 .type = OUTPUT_OCTETS,
				 .number = info.journal_bytes });
	output_put(ctl->out, &(struct output_field){ .key = "index_octets",
				 .label = "Index",
				 .type = OUTPUT_OCTETS,
				 .number = info.index_bytes });
	output_number(ctl->out, "schema", "Schema", info.schema);
	output_text(ctl->out, "last_hash", NULL, hash);
	if (kmsdb_history(db, &past) == KMS_OK) {
		print_grades(ctl, &past);
		print_past(ctl, &past);
	}
	print_begin(ctl, info.first_batch);
	output_end(ctl->out);
	ledger_access_close(db, -1);
}

static int
run_status(struct ctl *ctl)
{
	struct reply reply;
	struct fault f = { 0 };
	struct fault ini = { 0 };
	unsigned errors;
	int rc, damaged = ini_load_damaged(ctl, &ini, &errors);

	if (damaged != KMS_OK && damaged != KMS_E_CONFIG)
		return fail(ctl, (uint32_t)damaged, "%s: %s", ctl->config_path, ini.text);
	if (damaged != KMS_OK)
		output_line(ctl->out, OUTPUT_BAD, "%s has %u error%s: %s: kmsctl config check",
		    ctl->config_path, errors, errors == 1 ? "" : "s", ini.text);
	output_text(ctl->out, "config_problem", NULL, damaged != KMS_OK ? ini.text : NULL);
	rc = ask_quietly(ctl, CONTROL_STATUS, NULL, &reply, &f);
	if (rc == KMS_OK) {
		port_fill(ctl, &reply);
		reply_sort(&reply, "front", "number");
		rc = status_running(ctl, &reply);
		reply_free(&reply);
		return rc;
	}
	if (rc == KMS_E_NOT_RUNNING) {
		output_bool(ctl->out, "running", NULL, false);
		output_line(ctl->out, OUTPUT_BAD, "kmsd is not running");
		print_ledger(ctl);
	}
	return fail_fault(ctl, &f);
}

static const struct option_row status_rows[] = {
	{ "all", 0, NULL, "show also the sandbox, the fronts and the whole ledger",
	    .offset = offsetof(struct status_options, all) },
	{ 0 },
};

const struct ctl_command cmd_status = {
	.line.noun = "status",
	.line.summary = "does the host serve? Counts, thresholds, publishers, ledger",
	.line.options = status_rows,
	.line.values = sizeof(struct status_options),
	.no_config = true,
	.paged = true,
	.run = run_status,
};
