/*
 * why.c - why a client was refused: its last refusals from the journal, what each means and
 * what to do, and what would refuse it now.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/pool_words.h"
#include "kmsctl/host/serving.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/ledger/recent.h"
#include "libkms/base/address.h"
#include "libkms/base/hex.h"
#include "libkms/base/seat_status.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define REFUSALS_MAX 1000
#define REFUSALS_SHOWN 10
#define OTHERS_MAX 8

struct why_options {
	uint64_t limit; /* 0: not given */
	bool all;
};

struct refusal {
	struct entry_client entry;
	struct aside names;
	uint64_t batch;
};
struct question {
	struct ctl *ctl;
	struct products products;
	bool by_address, by_name;
	uint8_t address[16], cmid[16];
	const char *name;              /* by_name: as the administrator wrote it */
	struct client_matches clients; /* by_name: of that name, maybe none */
	/* by_name: that asked under it, and now have another; the first ones */
	uint8_t others[OTHERS_MAX][16];
	unsigned other_count;
	/* the last ones, in a ring */
	struct refusal *ring;
	unsigned size;
	uint64_t count;   /* all that were found */
	uint64_t entries; /* of the client in question */
	struct entry_client last;
};

/* Of the clients of that name, or of one that asked under it: a copy has the original's CMID. */
static bool
is_named(struct question *q, const struct entry_client *e, const struct aside *names)
{
	unsigned i;

	for (i = 0; i < q->clients.count && i < CLIENT_MATCHES; i++)
		if (memcmp(e->cmid, q->clients.at[i].client.cmid, 16) == 0)
			return true;
	for (i = 0; i < q->other_count; i++)
		if (memcmp(e->cmid, q->others[i], 16) == 0)
			return true;
	if (!client_name_is(names->name, q->name, q->clients.kind == CLIENT_BY_NAME))
		return false;
	if (q->other_count < OTHERS_MAX)
		memcpy(q->others[q->other_count++], e->cmid, 16);
	return true;
}

static bool
is_asked_for(struct question *q, const struct entry_client *e, const struct aside *names)
{
	if (q->by_address)
		return memcmp(names->address, q->address, 16) == 0;
	return q->by_name ? is_named(q, e, names) : memcmp(e->cmid, q->cmid, 16) == 0;
}

/* What was found is of one client, and cmid is its CMID. */
static bool
one_client(const struct question *q)
{
	return !q->by_address && (!q->by_name || q->clients.count + q->other_count == 1);
}

static void
look(const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg)
{
	struct question *q = arg;

	if (!is_asked_for(q, e, names))
		return;
	q->entries++;
	q->last = *e;
	if (e->status == KMS_OK)
		return;
	q->ring[q->count % q->size] = (struct refusal){ *e, *names, batch };
	q->count++;
}

static void
print_refusal(struct question *q, const struct refusal *r)
{
	const struct kms_error *error = kms_error_find(r->entry.status);
	struct output *o = q->ctl->out;
	char cmid[33], id[37], code[11];
	const char *product = products_name(&q->products, r->entry.product);

	hex_format(cmid, r->entry.cmid, 16);
	uuid_format(id, r->entry.product);
	snprintf(code, sizeof(code), "0x%08" PRIX32, error->microsoft);
	output_row(o);
	output_time(o, "time", "Time", r->entry.time);
	output_text(o, "name", "Name", r->names.name[0] ? r->names.name : NULL);
	client_print_address(o, "Address", r->names.address);
	if (!q->ctl->json)
		cmid[CLIENT_SHORT_CMID] = '\0';
	output_text(o, "cmid", "CMID", cmid);
	output_text(o, "product_name", "Product", product != NULL || q->ctl->json ? product : id);
	output_text(o, "product", NULL, id);
	output_number(o, "status", NULL, r->entry.status);
	output_text(o, "symbol", "Refused with", error->symbol);
	output_text(o, "microsoft", "Microsoft", error->microsoft != 0 ? code : NULL);
	output_number(o, "count", NULL, r->entry.count);
	output_number(o, "required", NULL, r->entry.required);
	output_text(o, "meaning", NULL, error->meaning);
	output_text(o, "remedy", NULL, error->remedy);
	output_number(o, "batch", NULL, r->batch);
}

/* Each cause once, newest first. */
static void
print_causes(struct question *q, unsigned shown)
{
	uint32_t seen[32];
	unsigned count = 0, k;

	for (unsigned i = 0; i < shown; i++) {
		const struct entry_client *e = &q->ring[(q->count - 1 - i) % q->size].entry;
		const struct kms_error *error = kms_error_find(e->status);

		for (k = 0; k < count && seen[k] != e->status; k++)
			;
		if (k < count || count == sizeof(seen) / sizeof(*seen))
			continue;
		seen[count++] = e->status;
		if (e->status == KMS_E_COUNT_TOO_LOW)
			output_line(q->ctl->out, OUTPUT_PLAIN,
			    "%s: %s: %" PRIu32 " of %" PRIu32 " were counted. %s", error->symbol,
			    error->meaning, e->count, e->required, error->remedy);
		else
			output_line(q->ctl->out, OUTPUT_PLAIN, "%s: %s. %s", error->symbol,
			    error->meaning, error->remedy);
	}
}

static void
print_refusals(struct question *q)
{
	unsigned shown = q->count < q->size ? (unsigned)q->count : q->size;
	struct output *o = q->ctl->out;

	output_list(o, "refusals", NULL);
	for (unsigned i = 0; i < shown; i++)
		print_refusal(q, &q->ring[(q->count - 1 - i) % q->size]);
	output_end(o);
	output_number(o, "found", NULL, q->count);
	if (!q->ctl->json)
		print_causes(q, shown);
	if (q->count > shown)
		output_line(o, OUTPUT_PLAIN,
		    "%" PRIu64 " older refusals are not shown: use --limit", q->count - shown);
	if (q->count > 0)
		return;
	output_line(o, OUTPUT_PLAIN,
	    q->entries > 0
		? "No refusal was found in the searched part of the journal: the client was served each time."
		: "No entry was found in the searched part of the journal.");
	output_line(o, OUTPUT_PLAIN,
	    "The journal does not record these refusals (kmsd logs them): unauthenticated requests, requests for a publisher without");
	output_line(o, OUTPUT_PLAIN,
	    "a confirmed key, and further refusals of the same client within one minute.");
}

/* What happened since. */
static void
print_since(struct question *q)
{
	const struct entry_client *e = &q->last;
	struct output *o = q->ctl->out;
	bool served = q->entries > 0 && e->status == KMS_OK && q->count > 0;

	output_bool(o, "served_since", NULL, served);
	if (served)
		output_line(o, OUTPUT_GOOD, "%s last request %swas served%s.",
		    one_client(q) ? "The client's" : "The",
		    q->by_address    ? "from there "
		    : !one_client(q) ? "under that name "
				     : "",
		    e->kind == ENTRY_LEASE && e->expires > (uint64_t)time(NULL) ? ": it has a lease"
										: "");
}

/* A hold refuses whatever the client asks, until it ends. */
static void
print_hold(struct question *q, const char *cmid, uint64_t end)
{
	output_time(q->ctl->out, "held_until", NULL, end);
	client_tell_hold(q->ctl, cmid, end);
}

/* What an administrator did to the client, after all that the journal has of its requests. */
static void
print_state(struct question *q, const char *cmid, const struct kmsdb_client *row)
{
	struct output *o = q->ctl->out;
	bool revoked = (row->flags & KMSDB_REVOKED) != 0;

	output_text(o, "state", NULL, kmsdb_client_state(row, (uint64_t)time(NULL)));
	output_bool(o, "revoked", NULL, revoked);
	if (revoked)
		output_line(o, OUTPUT_BAD,
		    "The client is revoked: it gets KMS_E_REVOKED until kmsctl client unrevoke %s.",
		    cmid);
	else if ((row->flags & KMSDB_FORGOTTEN) != 0)
		output_line(o, OUTPUT_PLAIN,
		    "The client was forgotten: it is not counted until it asks again.");
	else if ((row->flags & KMSDB_RELEASED) != 0)
		output_line(o, OUTPUT_PLAIN, "The client gave its seat back.");
}

static void
print_client(struct question *q, const uint8_t id[16])
{
	struct kmsdb_client row;
	struct kmsdb_cold cold;
	char cmid[33];

	if (ledger_one_client(q->ctl, id, &row, &cold, NULL) != KMS_OK)
		return;
	hex_format(cmid, id, 16);
	print_state(q, cmid, &row);
	if ((row.flags & KMSDB_HELD) != 0)
		print_hold(q, cmid, cold.hold_end);
}

/* Several have the name: each, with what to type about it. */
static void
print_clients(struct question *q)
{
	struct ctl *ctl = q->ctl;
	struct kmsdb_cold none;
	unsigned i;

	output_list(
	    ctl->out, "clients", q->clients.count > 0 ? "Clients that have the name" : NULL);
	for (i = 0; i < q->clients.count && i < CLIENT_MATCHES; i++) {
		memset(&none, 0, sizeof(none));
		snprintf(none.name, sizeof(none.name), "%s", q->clients.at[i].name);
		output_row(ctl->out);
		client_print(ctl, &q->clients.at[i].client, &none, &q->products, CLIENT_ROW_FULL);
	}
	output_end(ctl->out);
	if (q->clients.count > CLIENT_MATCHES)
		output_line(ctl->out, OUTPUT_PLAIN, "There are %u of them: these are the first.",
		    q->clients.count);
	output_line(ctl->out, OUTPUT_PLAIN, "To see one of them: kmsctl why CMID");
}

static void
obstacle(struct ctl *ctl, uint32_t status, const char *publisher)
{
	const struct kms_error *e = kms_error_find(status);

	if (ctl->json)
		output_row(ctl->out);
	output_text(ctl->out, "publisher", NULL, publisher);
	output_text(ctl->out, "symbol", NULL, e->symbol);
	output_text(ctl->out, "remedy", NULL, e->remedy);
	output_line(ctl->out, OUTPUT_BAD, "Now all clients of publisher %s get %s: %s. %s",
	    publisher, e->symbol, e->meaning, e->remedy);
}

/* A limit refuses before anything is written: only its count and its last address are known. */
static void
print_limits(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	const char *name, *address;
	uint64_t refused, last;

	output_list(ctl->out, "limits", NULL);
	while ((row = reply_next(reply, "limit", row)) != NULL) {
		name = reply_text(row, "name");
		address = reply_text(row, "address");
		if (name == NULL || address == NULL || !reply_number(row, "refused", &refused) ||
		    !reply_number(row, "last", &last))
			continue;
		if (ctl->json)
			output_row(ctl->out);
		output_text(ctl->out, "name", NULL, name);
		output_number(ctl->out, "refused", NULL, refused);
		output_time(ctl->out, "last", NULL, last);
		output_text(ctl->out, "address", NULL, address);
		output_line(ctl->out, OUTPUT_WARN,
		    "Since kmsd started, the limit %s has refused %" PRIu64
		    " requests, which the journal does not record; the last one %" PRIu64
		    " s ago, from %s. See [limits] in kms.ini(5).",
		    name, refused, (uint64_t)time(NULL) - last, address);
	}
	output_end(ctl->out);
}

/* A connection that was refused is no request: nobody knows which client it was. */
static void
print_connections(struct ctl *ctl, const struct reply *reply)
{
	uint64_t sum = reply_sum(reply, "front", "refused-connections");

	output_number(ctl->out, "refused_connections", NULL, sum);
	if (sum > 0)
		output_line(ctl->out, OUTPUT_WARN,
		    "Since kmsd started, %" PRIu64
		    " connections were refused before the clients could name themselves: see connections_per_source in kms.ini(5).",
		    sum);
}

/* The class of the client that was refused last; NULL: it is of none. */
static const struct reply_row *
class_row(const struct question *q, const struct reply *reply, const struct reply_row *pool)
{
	const struct reply_row *row = NULL;
	const char *of, *publisher, *name = reply_text(pool, "name"),
				    *whose = reply_text(pool, "publisher");
	uint64_t number;

	if (name == NULL || whose == NULL)
		return NULL;
	while (q->last.class != 0 && (row = reply_next(reply, "class", row)) != NULL)
		if (reply_number(row, "number", &number) && number == q->last.class &&
		    (of = reply_text(row, "pool")) != NULL &&
		    (publisher = reply_text(row, "publisher")) != NULL && strcmp(of, name) == 0 &&
		    strcmp(publisher, whose) == 0)
			return row;
	return NULL;
}

static void
print_class(struct question *q, const struct reply_row *row)
{
	struct output *o = q->ctl->out;
	uint64_t counted = 0, limit = 0;

	output_object(o, "class", NULL);
	if (row != NULL && q->ctl->json)
		reply_print_fields(o, row);
	output_end(o);
	if (row != NULL && reply_number(row, "counted", &counted) &&
	    reply_number(row, "limit", &limit) && limit != 0 && counted >= limit)
		output_line(o, OUTPUT_WARN, "Class %s now: all of its %" PRIu64 " seats are taken.",
		    reply_text(row, "name"), limit);
}

/* The seats of the pool that refused last. */
static void
print_seats(struct question *q, const struct reply *reply)
{
	const struct entry_client *e = &q->last;
	const struct reply_row *row = q->entries > 0 && status_lacks_seat(e->status)
					  ? pool_row(reply, e->publisher, e->pool)
					  : NULL;
	struct output *o = q->ctl->out;
	struct pool_seats seats;
	char words[POOL_WORDS];

	output_object(o, "pool", NULL);
	if (row != NULL && q->ctl->json)
		reply_print_fields(o, row);
	output_end(o);
	print_class(q, row != NULL ? class_row(q, reply, row) : NULL);
	if (row == NULL)
		return;
	pool_seats(&seats, row);
	pool_words(words, &seats);
	output_line(o, OUTPUT_WARN, "Pool %s now: %s.", seats.name, words);
}

/* Reasons that refuse all clients of a publisher and leave no entry. */
static void
print_now(struct question *q)
{
	struct ctl *ctl = q->ctl;
	const struct reply_row *row = NULL;
	char why[SERVING_TEXT];
	struct reply reply;
	const char *name, *next;
	uint32_t status;

	if (ask_quietly(ctl, CONTROL_STATUS, NULL, &reply, NULL) != KMS_OK)
		return;
	output_list(ctl->out, "now", NULL);
	while ((row = reply_next(&reply, "publisher", row)) != NULL) {
		name = reply_text(row, "name");
		status = serving_refuses(why, &next, row, (uint64_t)time(NULL));
		if (name != NULL && status != KMS_OK)
			obstacle(ctl, status, name);
	}
	output_end(ctl->out);
	print_seats(q, &reply);
	print_limits(ctl, &reply);
	print_connections(ctl, &reply);
	reply_free(&reply);
}

static int
answer(struct question *q)
{
	struct ctl *ctl = q->ctl;
	const struct why_options *o = ctl->options;
	struct recent t;
	int code = recent_read(ctl, &t, o->all, look, q);
	char cmid[33], address[ADDRESS_TEXT];

	if (code != CTL_OK)
		return code;
	if (q->by_name && q->clients.count == 0 && q->other_count == 1)
		memcpy(q->cmid, q->others[0], 16);
	hex_format(cmid, q->cmid, 16);
	if (q->by_name && q->clients.count == 0 && q->entries == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "no client has the name or CMID \"%s\", and the %s of the journal has no request from it (kmsctl clients lists all clients)",
		    q->name, t.whole ? "whole" : "newest part");
	output_text(ctl->out, "cmid", NULL, one_client(q) ? cmid : NULL);
	output_text(
	    ctl->out, "address", NULL, q->by_address ? address_text(address, q->address) : NULL);
	print_refusals(q);
	print_since(q);
	if (one_client(q))
		print_client(q, q->cmid);
	else if (q->by_name)
		print_clients(q);
	print_now(q);
	recent_print(ctl, &t);
	return CTL_OK;
}

/* A CMID or the beginning of one, else a name; one client of that name is asked for by its CMID. */
static int
find_clients(struct question *q)
{
	const char *text = q->ctl->args[0];
	char name[MESSAGE_NAME + 1];
	int code;

	q->name = text;
	if (hex_parse(q->cmid, 16, text))
		return CTL_OK;
	if ((code = client_search(q->ctl, text, &q->clients)) != CTL_OK)
		return code;
	if (q->clients.kind == CLIENT_BY_CMID)
		return client_find(q->ctl, text, q->cmid, name);
	if (q->clients.count == 1)
		memcpy(q->cmid, q->clients.at[0].client.cmid, 16);
	q->by_name = true;
	return CTL_OK;
}

static int
run_why(struct ctl *ctl)
{
	const struct why_options *o = ctl->options;
	struct question q = { .ctl = ctl, .size = REFUSALS_SHOWN };
	int code = CTL_OK;
	bool running = clients_checkpoint(ctl);

	output_bool(ctl->out, "running", NULL, running);
	q.by_address = address_parse(q.address, ctl->args[0]);
	if (!q.by_address)
		code = find_clients(&q);
	if (code != CTL_OK)
		return code;
	if (o->limit != 0)
		q.size = o->limit < REFUSALS_MAX ? (unsigned)o->limit : REFUSALS_MAX;
	if ((q.ring = calloc(q.size, sizeof(*q.ring))) == NULL)
		return fail(ctl, KMS_E_NO_MEMORY, "no memory for %u refusals", q.size);
	if (running)
		products_ask(ctl, &q.products);
	code = answer(&q);
	products_free(&q.products);
	free(q.ring);
	return code;
}

static const struct option_row why_rows[] = {
	{ "limit", 0, "N", "show at most N rows", .offset = offsetof(struct why_options, limit),
	    .read = option_count, .takes = "a number from 1" },
	{ "all", 0, NULL, "read the whole journal", .offset = offsetof(struct why_options, all) },
	{ 0 },
};

const struct ctl_command cmd_why = {
	.line.noun = "why",
	.line.args = "CMID|NAME|ADDRESS",
	.line.summary = "show why a client was refused, and what to do",
	.line.min = 1,
	.line.max = 1,
	.line.options = why_rows,
	.line.values = sizeof(struct why_options),
	.paged = true,
	.run = run_why,
};
