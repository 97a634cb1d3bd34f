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

#define SHORT_CMID 12 /* digits shown in a table */
#define PREFIX_MIN 4  /* digits that may be the beginning of a CMID */
#define MATCHES_SHOWN 8

void
products_ask(struct ctl *ctl, struct products *p)
{
	const struct reply_row *row = NULL;
	struct product_name *at;
	const char *id, *name;
	struct reply reply;

	memset(p, 0, sizeof(*p));
	if (ask_quietly(ctl, CONTROL_POLICY_SHOW, NULL, &reply, NULL) != KMS_OK)
		return;
	p->list = calloc(reply.count + 1, sizeof(*p->list));
	while (p->list != NULL && (row = reply_next(&reply, "product", row)) != NULL) {
		id = reply_text(row, "id");
		name = reply_text(row, "name");
		at = &p->list[p->count];
		if (id == NULL || name == NULL || !uuid_parse_loose(at->id, id, strlen(id)))
			continue;
		snprintf(at->name, sizeof(at->name), "%.64s", name);
		p->count++;
	}
	reply_free(&reply);
}

void
products_free(struct products *p)
{
	free(p->list);
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
	if (cold != NULL && cold->caught_up != 0)
		output_time(o, "caught_up", LABEL("Caught up"), cold->caught_up * UINT64_C(60));
	if (cold != NULL && (c->flags & KMSDB_HELD) != 0)
		output_time(o, "held_until", LABEL("Held until"), cold->hold_end);
	if (cold != NULL && cold->bound)
		output_bool(o, "bound", LABEL("Bound to a machine"), true);
	if ((c->flags & ENTRY_BOUND_OTHER) != 0)
		output_bool(o, "bound_other", LABEL("Machine changed"), true);
#undef LABEL
}

void
client_tell_hold(struct ctl *ctl, const char *cmid, uint64_t held_until)
{
	time_t end = (time_t)held_until;
	char when[32] = "";
	struct tm tm;

	if (held_until <= (uint64_t)time(NULL))
		return;
	if (localtime_r(&end, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	output_line(ctl->out, OUTPUT_BAD,
	    "Two holders alternate: two machines use this client's key in turn, and neither gets a lease until %s.",
	    when);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "kmsctl clients --clones names them. On all but one, remove the client state file (kms.state(5)).");
	output_line(ctl->out, OUTPUT_PLAIN, "Then end the hold: kmsctl client forget %s", cmid);
}

void
client_print_address(struct output *o, const char *label, const uint8_t address[16])
{
	static const uint8_t none[16];
	char text[ADDRESS_TEXT];

	output_text(o, "address", label,
	    memcmp(address, none, 16) != 0 ? address_text(text, address) : NULL);
}

void
client_print(struct ctl *ctl, const struct kmsdb_client *c, const struct kmsdb_cold *h,
    const struct products *products, enum client_form form)
{
	bool row = form != CLIENT_ALL;
	const char *state = kmsdb_client_state(c, (uint64_t)time(NULL));
	char cmid[33], id[37], publisher[17];
	static const uint8_t none[16];
	const char *product = products_name(products, c->product);
	struct output *o = ctl->out;

	hex_format(cmid, c->cmid, 16);
	hex_format(publisher, c->publisher, 8);
	uuid_format(id, c->product);
	output_text(o, "name", "Name", h != NULL ? h->name : NULL);
	if (h != NULL && h->user[0] != '\0')
		output_text(o, "user", row ? NULL : "User", h->user);
	if (form == CLIENT_ROW && !ctl->json)
		cmid[SHORT_CMID] = '\0';
	output_text(o, "cmid", "CMID", cmid);
	output_text(
	    o, "product_name", "Product", product != NULL || ctl->json || !row ? product : id);
	output_text(o, "product", row ? NULL : "Product id", id);
	output_text(o, "publisher", row ? NULL : "Publisher", publisher);
	output_number(o, "pool", row ? NULL : "Pool", c->pool);
	if (c->class != 0)
		output_number(o, "class", row ? NULL : "Class", c->class);
	client_print_address(o, "Address", h != NULL ? h->address : none);
	output_time(o, "first_seen", row ? NULL : "First seen", h != NULL ? h->first_seen : 0);
	output_time(o, "last_seen", "Last seen", c->last_seen);
	output_time(o, "expires", "Lease until", c->expires);
	output_bool(o, "vm", row ? "VM" : "Virtual machine", (c->flags & ENTRY_VM) != 0);
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

/* Looks for one client among all. A name takes precedence over digits that look like a CMID. */
struct search {
	const char *text;
	bool digits; /* text may begin a CMID */
	uint8_t cmid[16], by_prefix[16];
	char name[MESSAGE_NAME + 1], prefix_name[MESSAGE_NAME + 1];
	unsigned names, prefixes;
	char list[512]; /* those with the name */
};

static int
search_one(const struct kmsdb_client *c, const struct kmsdb_cold *h, void *arg)
{
	struct search *s = arg;
	size_t at = strlen(s->list);
	char cmid[33];

	hex_format(cmid, c->cmid, 16);
	if (h != NULL && strcasecmp(h->name, s->text) == 0) {
		memcpy(s->cmid, c->cmid, 16);
		snprintf(s->name, sizeof(s->name), "%s", h->name);
		if (s->names++ < MATCHES_SHOWN)
			snprintf(s->list + at, sizeof(s->list) - at, " %s", cmid);
	}
	if (s->digits && strncasecmp(cmid, s->text, strlen(s->text)) == 0) {
		memcpy(s->by_prefix, c->cmid, 16);
		snprintf(s->prefix_name, sizeof(s->prefix_name), "%s", h != NULL ? h->name : "");
		s->prefixes++;
	}
	return 0;
}

static int
search_result(
    struct ctl *ctl, const struct search *s, uint8_t cmid[16], char name[MESSAGE_NAME + 1])
{
	if (s->names > 1)
		return fail(ctl, KMS_E_ARGUMENT,
		    "%u clients have the name \"%s\": use the CMID:%s%s", s->names, s->text,
		    s->list, s->names > MATCHES_SHOWN ? " ..." : "");
	if (s->names == 0 && s->prefixes > 1)
		return fail(ctl, KMS_E_ARGUMENT, "%u CMIDs begin with %s: give more digits",
		    s->prefixes, s->text);
	if (s->names == 0 && s->prefixes == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "no client has the name or CMID \"%s\" (kmsctl clients lists all)", s->text);
	memcpy(cmid, s->names ? s->cmid : s->by_prefix, 16);
	snprintf(name, MESSAGE_NAME + 1, "%s", s->names ? s->name : s->prefix_name);
	return CTL_OK;
}

int
client_find(struct ctl *ctl, const char *text, uint8_t cmid[16], char name[MESSAGE_NAME + 1])
{
	struct search s = { .text = text };
	struct reply reply = { 0 };
	struct fault fault = { 0 };
	int rc;

	name[0] = '\0';
	if (hex_parse(cmid, 16, text))
		return CTL_OK;
	s.digits =
	    strlen(text) >= PREFIX_MIN && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
	if (ask_quietly(ctl, CONTROL_CHECKPOINT, NULL, &reply, NULL) == KMS_OK)
		reply_free(&reply);
	rc = ledger_each_client(ctl, search_one, &s, &fault);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault.text);
	return search_result(ctl, &s, cmid, name);
}
