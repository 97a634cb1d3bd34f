/*
 * clients.c - clients in the ledger: state, names of products, finding one.
 */
#include "kmsctl/ledger/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/address.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define PREFIX_MIN 4 /* digits that may be the beginning of a CMID */
#define MATCHES_SHOWN 8

static void
take_text(char out[65], const struct reply_row *row, const char *field)
{
	const char *text = reply_text(row, field);

	snprintf(out, 65, "%.64s", text != NULL ? text : "");
}

static void
take_products(struct products *p, const struct reply *reply)
{
	const struct reply_row *row = NULL;

	while (p->list != NULL && (row = reply_next(reply, "product", row)) != NULL) {
		struct product_name *at = &p->list[p->count];
		const char *id = reply_text(row, "id");

		if (id == NULL || !uuid_parse_loose(at->id, id, strlen(id)) ||
		    reply_text(row, "name") == NULL)
			continue;
		take_text(at->name, row, "name");
		take_text(at->publisher, row, "publisher");
		p->count++;
	}
}

static void
take_pools(struct products *p, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	uint64_t number;

	while (p->pools != NULL && (row = reply_next(reply, "pool", row)) != NULL) {
		struct pool_name *at = &p->pools[p->pool_count];

		if (!reply_number(row, "number", &number) || reply_text(row, "name") == NULL)
			continue;
		at->number = (uint16_t)number;
		take_text(at->name, row, "name");
		take_text(at->publisher, row, "publisher");
		p->pool_count++;
	}
}

void
products_ask(struct ctl *ctl, struct products *p)
{
	struct reply reply;

	memset(p, 0, sizeof(*p));
	if (ask_quietly(ctl, CONTROL_POLICY_SHOW, NULL, &reply, NULL) != KMS_OK)
		return;
	p->list = calloc(reply.count + 1, sizeof(*p->list));
	p->pools = calloc(reply.count + 1, sizeof(*p->pools));
	take_products(p, &reply);
	take_pools(p, &reply);
	reply_free(&reply);
}

void
products_free(struct products *p)
{
	free(p->list);
	free(p->pools);
	memset(p, 0, sizeof(*p));
}

const char *
products_name(const struct products *p, const uint8_t id[16])
{
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (memcmp(p->list[i].id, id, 16) == 0)
			return p->list[i].name;
	return NULL;
}

const struct pool_name *
products_pool(const struct products *p, const struct kmsdb_client *c)
{
	const struct pool_name *found = NULL;
	const char *publisher = NULL;

	for (unsigned i = 0; i < p->count && publisher == NULL; i++)
		if (memcmp(p->list[i].id, c->product, 16) == 0)
			publisher = p->list[i].publisher;
	for (unsigned i = 0; i < p->pool_count; i++) {
		const struct pool_name *pool = &p->pools[i];

		if (pool->number != c->pool ||
		    (publisher != NULL && strcmp(pool->publisher, publisher) != 0))
			continue;
		if (found != NULL && publisher == NULL)
			return NULL; /* a product of no pack, and two publishers */
		found = pool;
	}
	return found;
}

bool
products_find(const struct products *p, const char *text, uint8_t id[16])
{
	unsigned i;

	if (uuid_parse_loose(id, text, strlen(text)))
		return true;
	for (i = 0; i < p->count; i++)
		if (strcasecmp(p->list[i].name, text) == 0) {
			memcpy(id, p->list[i].id, 16);
			return true;
		}
	return false;
}

static enum output_style
state_style(const char *state)
{
	if (strcmp(state, "activated") == 0)
		return OUTPUT_GOOD;
	return strcmp(state, "released") == 0 ? OUTPUT_PLAIN : OUTPUT_WARN;
}

/* What few clients have: of one client only if it has it, in every row of a list. */
static void
print_rare(struct output *o, const struct kmsdb_client *c, const struct kmsdb_cold *cold, bool row)
{
	const struct {
		const char *key, *label;
		bool set;
	} rare[] = {
		{ "bound", "Bound to a machine", cold != NULL && cold->bound },
		{ "bound_other", "Machine changed", (c->flags & ENTRY_BOUND_OTHER) != 0 },
		{ "borrowed", "Borrowed", (c->flags & ENTRY_BORROWED) != 0 },
		{ "overdraft", "Overdraft", (c->flags & ENTRY_OVERDRAFT) != 0 },
		{ "stateless", "Stateless", (c->flags & (ENTRY_STATELESS | KMSDB_STATELESS)) != 0 },
	};
	bool held = cold != NULL && (c->flags & KMSDB_HELD) != 0;
	uint64_t caught_up = cold != NULL ? cold->caught_up * UINT64_C(60) : 0;

	if (row || caught_up != 0)
		output_time(o, "caught_up", row ? NULL : "Caught up", caught_up);
	if (row || held)
		output_time(o, "held_until", row ? NULL : "Held until", held ? cold->hold_end : 0);
	for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]); i++)
		if (row || rare[i].set)
			output_bool(o, rare[i].key, row ? NULL : rare[i].label, rare[i].set);
}

static void
print_more(struct output *o, const struct kmsdb_client *c, const struct kmsdb_cold *cold, bool row)
{
#define LABEL(text) (row ? NULL : (text))
	output_number(o, "status", NULL, c->status);
	output_number(o, "sequence", LABEL("Sequence number"), c->sequence);
	output_number(o, "batch", LABEL("In batch"), c->batch);
	output_number(o, "leaf", LABEL("Leaf"), c->leaf);
	output_time(o, "last_clone", LABEL("Last collision"), cold != NULL ? cold->last_clone : 0);
	output_bool(o, "revoked", LABEL("Revoked"), (c->flags & KMSDB_REVOKED) != 0);
#undef LABEL
	print_rare(o, c, cold, row);
}

/* Columns of a list that is too wide for the screen, in the order in which they are left out. */
enum { SPARE_SEEN = 1, SPARE_EXPIRES, SPARE_PRODUCT, SPARE_ADDRESS, SPARE_CMID, SPARE_VM };

static void
print_text(struct output *o, const char *key, const char *label, const char *text, uint8_t spare)
{
	output_put(o, &(struct output_field){ .key = key,
			  .label = label,
			  .type = OUTPUT_TEXT,
			  .text = text,
			  .none = text == NULL,
			  .spare = spare });
}

static void
print_time(struct output *o, const char *key, const char *label, uint64_t time, uint8_t spare)
{
	output_put(o,
	    &(struct output_field){
		.key = key, .label = label, .type = OUTPUT_TIME, .number = time, .spare = spare });
}

void
client_tell_hold(struct ctl *ctl, const char *cmid, uint64_t held_until)
{
	char when[OUTPUT_WHEN];

	if (held_until <= (uint64_t)time(NULL))
		return;
	output_line(ctl->out, OUTPUT_BAD,
	    "Two machines use this client's key in turn. Neither gets a lease until %s.",
	    output_when(when, held_until));
	output_line(ctl->out, OUTPUT_PLAIN,
	    "kmsctl clients --clones names them. On all but one, remove the client state file (kms.state(5)).");
	output_line(ctl->out, OUTPUT_PLAIN, "Then end the hold: kmsctl client forget %s", cmid);
}

void
client_print_address(struct output *o, const char *label, const uint8_t address[16])
{
	static const uint8_t none[16];
	char text[ADDRESS_TEXT];

	print_text(o, "address", label,
	    memcmp(address, none, 16) != 0 ? address_text(text, address) : NULL, SPARE_ADDRESS);
}

void
client_print(struct ctl *ctl, const struct kmsdb_client *c, const struct kmsdb_cold *h,
    const struct products *products, enum client_form form)
{
	bool row = form != CLIENT_ALL, program = ctl->json || ctl->csv, user;
	bool borrowed =
	    form == CLIENT_ROW_BORROWED || (form == CLIENT_ALL && (c->flags & ENTRY_BORROWED) != 0);
	const char *state = kmsdb_client_state(c, (uint64_t)time(NULL));
	char cmid[33], id[37], publisher[17];
	static const uint8_t none[16];
	const char *product = products_name(products, c->product);
	struct output *o = ctl->out;

	hex_format(cmid, c->cmid, 16);
	hex_format(publisher, c->publisher, 8);
	uuid_format(id, c->product);
	output_text(o, "name", "Name", h != NULL ? h->name : NULL);
	user = h != NULL && h->user[0] != '\0';
	if (row || user)
		output_text(o, "user", row ? NULL : "User", user ? h->user : NULL);
	if (form == CLIENT_ROW && !program)
		cmid[CLIENT_SHORT_CMID] = '\0';
	output_put(o, &(struct output_field){ .key = "cmid",
			  .label = "CMID",
			  .type = OUTPUT_TEXT,
			  .text = cmid,
			  .whole = true,
			  .spare = form == CLIENT_ROW_FULL ? 0 : SPARE_CMID });
	print_text(o, "product_name", "Product", product != NULL || program || !row ? product : id,
	    SPARE_PRODUCT);
	output_text(o, "product", row ? NULL : "Product id", id);
	output_text(o, "publisher", row ? NULL : "Publisher", publisher);
	output_number(o, "pool", row ? NULL : "Pool number", c->pool);
	if (row || c->class != 0)
		output_number(o, "class", row ? NULL : "Class number", c->class);
	client_print_address(o, "Address", h != NULL ? h->address : none);
	output_time(o, "first_seen", row ? NULL : "First seen", h != NULL ? h->first_seen : 0);
	print_time(o, "last_seen", "Last seen", c->last_seen, SPARE_SEEN);
	print_time(o, "expires", borrowed ? "Borrowed until" : "Lease until", c->expires,
	    form == CLIENT_ROW_BORROWED ? 0 : SPARE_EXPIRES);
	output_put(o, &(struct output_field){ .key = "vm",
			  .label = row ? "VM" : "Virtual machine",
			  .type = OUTPUT_BOOL,
			  .number = (c->flags & ENTRY_VM) != 0,
			  .spare = SPARE_VM });
	output_put(o, &(struct output_field){ .key = "state",
			  .label = "State",
			  .type = OUTPUT_TEXT,
			  .text = state,
			  .style = state_style(state) });
	print_more(o, c, h, row);
}

bool
clients_checkpoint(struct ctl *ctl)
{
	struct reply reply = { 0 };
	struct fault f = { 0 };
	int rc = ask_quietly(ctl, CONTROL_CHECKPOINT, NULL, &reply, &f);

	reply_free(&reply);
	if (rc == KMS_E_NOT_RUNNING)
		output_line(
		    ctl->out, OUTPUT_WARN, "kmsd is not running: this is the state of the ledger");
	else if (rc != KMS_OK)
		output_line(ctl->out, OUTPUT_WARN,
		    "Changes from the last minute may be missing: %s", f.text);
	if (rc != KMS_OK)
		output_text(ctl->out, "note", NULL, f.text);
	return rc != KMS_E_NOT_RUNNING;
}

bool
client_name_is(const char *name, const char *text, bool whole)
{
	size_t len = strlen(text);

	return len > 0 && strncasecmp(name, text, len) == 0 &&
	       (name[len] == '\0' || (!whole && name[len] == '.'));
}

struct search {
	const char *text;
	bool digits; /* text may begin a CMID */
	struct client_matches *out;
};

/* What is better than all before replaces them. */
static void
matched(struct client_matches *m, enum client_match_kind kind, const struct kmsdb_client *c,
    const struct kmsdb_cold *h)
{
	if (kind < m->kind)
		return;
	if (kind > m->kind)
		m->count = 0;
	m->kind = kind;
	if (m->count < CLIENT_MATCHES) {
		m->at[m->count].client = *c;
		snprintf(m->at[m->count].name, sizeof(m->at[0].name), "%s", h ? h->name : "");
	}
	m->count++;
}

static int
search_one(const struct kmsdb_client *c, const struct kmsdb_cold *h, void *arg)
{
	struct search *s = arg;
	char cmid[33];

	hex_format(cmid, c->cmid, 16);
	if (h != NULL && client_name_is(h->name, s->text, true))
		matched(s->out, CLIENT_BY_NAME, c, h);
	else if (h != NULL && client_name_is(h->name, s->text, false))
		matched(s->out, CLIENT_BY_SHORT_NAME, c, h);
	else if (s->digits && strncasecmp(cmid, s->text, strlen(s->text)) == 0)
		matched(s->out, CLIENT_BY_CMID, c, h);
	return 0;
}

int
client_search(struct ctl *ctl, const char *text, struct client_matches *out)
{
	struct search s = { .text = text, .out = out };
	struct reply reply = { 0 };
	struct fault fault = { 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	s.digits =
	    strlen(text) >= PREFIX_MIN && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
	if (ask_quietly(ctl, CONTROL_CHECKPOINT, NULL, &reply, NULL) == KMS_OK)
		reply_free(&reply);
	rc = ledger_each_client(ctl, search_one, &s, &fault);
	if (rc != KMS_OK)
		return ledger_failed(ctl, rc, &fault);
	return CTL_OK;
}

static int
several(struct ctl *ctl, const char *text, const struct client_matches *m)
{
	char list[MATCHES_SHOWN * 34 + 1] = "", cmid[33];
	size_t at = 0;

	if (m->kind == CLIENT_BY_CMID)
		return fail(ctl, KMS_E_ARGUMENT, "%u CMIDs begin with %s: give more digits",
		    m->count, text);
	for (unsigned i = 0; i < m->count && i < MATCHES_SHOWN; i++) {
		hex_format(cmid, m->at[i].client.cmid, 16);
		at += (size_t)snprintf(list + at, sizeof(list) - at, " %s", cmid);
	}
	return fail(ctl, KMS_E_ARGUMENT, "%u clients have the name \"%s\": use the CMID:%s%s",
	    m->count, text, list, m->count > MATCHES_SHOWN ? " ..." : "");
}

int
client_find(struct ctl *ctl, const char *text, uint8_t cmid[16], char name[MESSAGE_NAME + 1])
{
	struct client_matches m;
	int code;

	name[0] = '\0';
	if (hex_parse(cmid, 16, text))
		return CTL_OK;
	if ((code = client_search(ctl, text, &m)) != CTL_OK)
		return code;
	if (m.count > 1)
		return several(ctl, text, &m);
	if (m.count == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "no client has the name or CMID \"%s\" (kmsctl clients lists all)", text);
	memcpy(cmid, m.at[0].client.cmid, 16);
	snprintf(name, MESSAGE_NAME + 1, "%s", m.at[0].name);
	return CTL_OK;
}
