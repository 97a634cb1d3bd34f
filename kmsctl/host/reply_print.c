/*
 * reply_print.c - what each field of a reply is, in one table, and printing rows by it.
 */
#include <string.h>

#include "kmsctl/host/reply.h"

#define UNKNOWN_MAX 16 /* columns that this kmsctl does not know */

/* Every field that control.h names, in the order of display. Without a label: in JSON only. */
static const struct known {
	const char *kind, *name;
	enum output_type type;
	const char *label;
} known[] = {
	{ "service", "version", OUTPUT_TEXT, "Version" },
	{ "service", "pid", OUTPUT_NUMBER, "Process id" },
	{ "service", "started", OUTPUT_TIME, "Started" },
	{ "service", "host-name", OUTPUT_TEXT, "Host name" },
	{ "service", "host-id", OUTPUT_TEXT, "Host id" },
	{ "service", "port", OUTPUT_NUMBER, "Port" },
	{ "service", "fronts", OUTPUT_NUMBER, "Fronts" },
	{ "service", "requests", OUTPUT_NUMBER, "Requests" },
	{ "service", "refused", OUTPUT_NUMBER, "Refused" },
	{ "service", "entries", OUTPUT_NUMBER, "Entries written" },
	{ "service", "batches", OUTPUT_NUMBER, "Batches" },
	{ "service", "largest-batch", OUTPUT_NUMBER, "Largest batch" },
	{ "service", "ledger-failures", OUTPUT_NUMBER, "Ledger failures" },
	{ "service", "sessions", OUTPUT_NUMBER, NULL },
	{ "service", "sessions-most", OUTPUT_NUMBER, NULL },
	{ "service", "session-octets", OUTPUT_NUMBER, NULL },
	{ "service", "session-hits", OUTPUT_NUMBER, NULL },
	{ "service", "session-misses", OUTPUT_NUMBER, NULL },
	{ "service", "key-sealed", OUTPUT_TEXT, "Keys sealed" },
	{ "service", "locked", OUTPUT_BOOL, NULL },
	{ "relay", "configured", OUTPUT_BOOL, "Relay" },
	{ "relay", "upstream", OUTPUT_TEXT, "Upstream" },
	{ "relay", "domain", OUTPUT_TEXT, "Domain" },
	{ "relay", "answered", OUTPUT_NUMBER, "Answered" },
	{ "relay", "faults", OUTPUT_NUMBER, "Faults" },
	{ "relay", "lost", OUTPUT_NUMBER, "Lost" },
	{ "relay", "late", OUTPUT_NUMBER, "Late" },
	{ "relay", "no-host", OUTPUT_NUMBER, "No host" },
	{ "relay", "refused", OUTPUT_NUMBER, "Refused" },
	{ "relay", "dropped", OUTPUT_NUMBER, "Not written: too many" },
	{ "relay", "unwritten", OUTPUT_NUMBER, "Not written: ledger" },
	{ "relay-host", "name", OUTPUT_TEXT, "KMS host" },
	{ "relay-host", "address", OUTPUT_TEXT, "Address" },
	{ "relay-host", "port", OUTPUT_NUMBER, "Port" },
	{ "relay-host", "answered", OUTPUT_NUMBER, "Answered" },
	{ "relay-host", "faults", OUTPUT_NUMBER, "Faults" },
	{ "relay-host", "lost", OUTPUT_NUMBER, "Lost" },
	{ "relay-host", "late", OUTPUT_NUMBER, "Late" },
	{ "relay-host", "no-host", OUTPUT_NUMBER, NULL },
	{ "relay-host", "refused", OUTPUT_NUMBER, "Refused" },
	{ "relay-host", "latency-mean", OUTPUT_NUMBER, "Mean us" },
	{ "relay-host", "latency-most", OUTPUT_NUMBER, "Most us" },
	{ "relay-host", "last", OUTPUT_TIME, "Last" },
	{ "relay-version", "major", OUTPUT_NUMBER, "Major" },
	{ "relay-version", "minor", OUTPUT_NUMBER, "Minor" },
	{ "relay-version", "requests", OUTPUT_NUMBER, "Requests" },
	{ "sandbox", "process", OUTPUT_TEXT, "Process" },
	{ "sandbox", "layers", OUTPUT_TEXT, "Layers in force" },
	{ "sandbox", "missing", OUTPUT_TEXT, "Missing" },
	{ "sandbox", "required", OUTPUT_BOOL, "Required" },
	{ "ledger", "clients", OUTPUT_NUMBER, "Clients in the index" },
	{ "ledger", "last-batch", OUTPUT_NUMBER, "Last batch" },
	{ "ledger", "index-batch", OUTPUT_NUMBER, "Indexed up to batch" },
	{ "ledger", "overlay", OUTPUT_NUMBER, "Waiting for the index" },
	{ "ledger", "segments", OUTPUT_NUMBER, "Segments" },
	{ "ledger", "journal-octets", OUTPUT_OCTETS, "Journal" },
	{ "ledger", "index-octets", OUTPUT_OCTETS, "Index" },
	{ "ledger", "map-octets", OUTPUT_OCTETS, "Index map" },
	{ "ledger", "checkpoints", OUTPUT_NUMBER, "Checkpoints" },
	{ "ledger", "schema", OUTPUT_NUMBER, "Schema" },
	{ "ledger", "last-hash", OUTPUT_TEXT, "Last batch's hash" },
	{ "publisher", "name", OUTPUT_TEXT, "Publisher" },
	{ "publisher", "id", OUTPUT_TEXT, "Id" },
	{ "publisher", "installed", OUTPUT_BOOL, "Key installed" },
	{ "publisher", "confirmed", OUTPUT_BOOL, "Confirmed" },
	{ "publisher", "key", OUTPUT_TEXT, NULL },
	{ "publisher", "customer", OUTPUT_TEXT, "Customer" },
	{ "publisher", "group", OUTPUT_TEXT, "Group" },
	{ "publisher", "not-before", OUTPUT_TIME, NULL },
	{ "publisher", "not-after", OUTPUT_TIME, "Valid until" },
	{ "publisher", "capacity", OUTPUT_LIMIT, NULL },
	{ "publisher", "other-key", OUTPUT_TEXT, "Other key" },
	{ "publisher", "both-from", OUTPUT_TIME, NULL },
	{ "publisher", "both-until", OUTPUT_TIME, "Old key until" },
	{ "publisher", "revocations", OUTPUT_NUMBER, "Revocation list" },
	{ "publisher", "revoked", OUTPUT_TEXT, "Revoked" },
	{ "pool", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "pool", "number", OUTPUT_NUMBER, "Pool" },
	{ "pool", "name", OUTPUT_TEXT, "Name" },
	{ "pool", "counted", OUTPUT_NUMBER, "Counted" },
	{ "pool", "capacity", OUTPUT_LIMIT, "Capacity" },
	{ "pool", "window-days", OUTPUT_NUMBER, "Window, days" },
	{ "front", "number", OUTPUT_NUMBER, "Front" },
	{ "front", "ready", OUTPUT_BOOL, "Ready" },
	{ "front", "in-flight", OUTPUT_NUMBER, NULL },
	{ "front", "credits", OUTPUT_NUMBER, NULL },
	{ "front", "answered", OUTPUT_NUMBER, NULL },
	{ "front", "open", OUTPUT_NUMBER, "Open" },
	{ "front", "accepted", OUTPUT_NUMBER, "Accepted" },
	{ "front", "closed", OUTPUT_NUMBER, NULL },
	{ "front", "requests", OUTPUT_NUMBER, "Requests" },
	{ "front", "replies", OUTPUT_NUMBER, "Replies" },
	{ "front", "refused-frames", OUTPUT_NUMBER, "Bad frames" },
	{ "front", "timeouts", OUTPUT_NUMBER, "Time-outs" },
	{ "front", "refused-connections", OUTPUT_NUMBER, "Refused" },
	{ "key", "id", OUTPUT_TEXT, "Key" },
	{ "key", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "key", "customer", OUTPUT_TEXT, "Customer" },
	{ "key", "group", OUTPUT_TEXT, "Group" },
	{ "key", "license", OUTPUT_TEXT, "License" },
	{ "key", "issued", OUTPUT_TIME, "Issued" },
	{ "key", "not-before", OUTPUT_TIME, "Valid from" },
	{ "key", "not-after", OUTPUT_TIME, "Valid until" },
	{ "key", "capacity", OUTPUT_LIMIT, "Capacity" },
	{ "key", "hosts", OUTPUT_NUMBER, "Hosts" },
	{ "key", "confirmations", OUTPUT_NUMBER, "Confirmations a host" },
	{ "key", "confirmed", OUTPUT_BOOL, "Confirmed" },
	{ "key", "confirmation", OUTPUT_NUMBER, "Confirmation number" },
	{ "key", "serial", OUTPUT_NUMBER, "Certificate serial" },
	{ "key", "confirmed-at", OUTPUT_TIME, "Confirmed at" },
	{ "key", "products", OUTPUT_NUMBER, "Products covered" },
	{ "key", "host-id", OUTPUT_TEXT, "Host id" },
	{ "key", "installation-id", OUTPUT_TEXT, "Installation id" },
	{ "request", "key", OUTPUT_TEXT, "Key" },
	{ "request", "installation-id", OUTPUT_TEXT, "Installation id" },
	{ "request", "text", OUTPUT_BLOCK, "Request" },
	{ "pack", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "pack", "id", OUTPUT_TEXT, "Pack" },
	{ "pack", "title", OUTPUT_TEXT, "Title" },
	{ "pack", "version", OUTPUT_TEXT, "Version" },
	{ "pack", "issued", OUTPUT_TIME, "Issued" },
	{ "product", "name", OUTPUT_TEXT, "Product" },
	{ "product", "id", OUTPUT_TEXT, "Id" },
	{ "product", "publisher", OUTPUT_TEXT, NULL },
	{ "product", "group", OUTPUT_TEXT, "Group" },
	{ "product", "pool", OUTPUT_TEXT, "Pool" },
	{ "product", "counted", OUTPUT_NUMBER, "Counted" },
	{ "product", "required", OUTPUT_NUMBER, "Required" },
	{ "product", "covered", OUTPUT_BOOL, "Covered" },
	{ "product", "threshold", OUTPUT_NUMBER, "Threshold" },
	{ "product", "activation-interval", OUTPUT_MINUTES, "Retry every" },
	{ "product", "renewal-interval", OUTPUT_MINUTES, "Renew every" },
	{ "product", "validity", OUTPUT_MINUTES, "Lease" },
	{ "product", "grace", OUTPUT_MINUTES, "Grace" },
	{ "product", "vm", OUTPUT_TEXT, "VM" },
	{ "product", "clones", OUTPUT_TEXT, "Clones" },
	{ "group", "publisher", OUTPUT_TEXT, NULL },
	{ "group", "name", OUTPUT_TEXT, "Group" },
	{ "group", "covers", OUTPUT_TEXT, "Covers" },
	{ "contact", "publisher", OUTPUT_TEXT, NULL },
	{ "contact", "country", OUTPUT_TEXT, "Country" },
	{ "contact", "text", OUTPUT_TEXT, "Contact" },
	{ "client", "cmid", OUTPUT_TEXT, "CMID" },
	{ "client", "name", OUTPUT_TEXT, "Name" },
	{ "client", "product", OUTPUT_TEXT, "Product id" },
	{ "client", "product-name", OUTPUT_TEXT, "Product" },
	{ "client", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "client", "pool", OUTPUT_NUMBER, "Pool" },
	{ "client", "address", OUTPUT_TEXT, "Address" },
	{ "client", "state", OUTPUT_TEXT, "State" },
	{ "client", "status", OUTPUT_NUMBER, NULL },
	{ "client", "counted", OUTPUT_BOOL, "Counted" },
	{ "client", "first-seen", OUTPUT_TIME, "First seen" },
	{ "client", "last-seen", OUTPUT_TIME, "Last seen" },
	{ "client", "expires", OUTPUT_TIME, "Lease until" },
	{ "client", "sequence", OUTPUT_NUMBER, "Sequence number" },
	{ "client", "batch", OUTPUT_NUMBER, "In batch" },
	{ "client", "leaf", OUTPUT_NUMBER, "Leaf" },
	{ "client", "entries", OUTPUT_NUMBER, "Entries" },
	{ "client", "clones", OUTPUT_NUMBER, "Clones seen" },
	{ "client", "revoked", OUTPUT_BOOL, "Revoked" },
	{ "client", "vm", OUTPUT_BOOL, "Virtual machine" },
	{ "installed", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "installed", "what", OUTPUT_TEXT, "What" },
	{ "removed", "publisher", OUTPUT_TEXT, "Publisher" },
	{ "removed", "what", OUTPUT_TEXT, "What" },
	{ "removed", "confirmed", OUTPUT_BOOL, "Confirmed" },
	{ "error", "message", OUTPUT_TEXT, "Message" },
};
#define KNOWN (sizeof(known) / sizeof(*known))

static const struct known *
known_find(const char *kind, const char *name)
{
	size_t i;

	for (i = 0; i < KNOWN; i++)
		if (strcmp(known[i].kind, kind) == 0 && strcmp(known[i].name, name) == 0)
			return &known[i];
	return NULL;
}

char
reply_known_type(const char *kind, const char *name)
{
	const struct known *k = known_find(kind, name);

	if (k == NULL)
		return 0;
	return k->type == OUTPUT_TEXT || k->type == OUTPUT_BLOCK ? 's' : 'u';
}

/* Names have hyphens on the wire and underscores in JSON, where jq wants them. */
static void
print_field(struct output *o, const char *name, const struct known *k, const struct reply_field *f)
{
	struct output_field out = { .label = k != NULL ? k->label : name };
	char key[256];
	size_t i;

	for (i = 0; name[i] != '\0' && i < sizeof(key) - 1; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[i] = '\0';
	out.key = key;
	if (k != NULL)
		out.type = k->type;
	else
		out.type = f != NULL && f->type == 'u' ? OUTPUT_NUMBER : OUTPUT_TEXT;
	if (f == NULL) {
		out.none = true;
	} else {
		out.text = f->text;
		out.number = f->number;
	}
	output_put(o, &out);
}

void
reply_print_fields(struct output *o, const struct reply_row *row)
{
	const struct reply_field *f;
	unsigned i;

	for (i = 0; i < KNOWN; i++)
		if (strcmp(known[i].kind, row->kind) == 0 &&
		    (f = reply_field(row, known[i].name)) != NULL)
			print_field(o, known[i].name, &known[i], f);
	for (i = 0; i < row->count; i++)
		if (known_find(row->kind, row->fields[i].name) == NULL)
			print_field(o, row->fields[i].name, NULL, &row->fields[i]);
}

/* Columns of a list: known fields that some row has, then names that are new to us. */
struct columns {
	const char *names[KNOWN + UNKNOWN_MAX];
	const struct known *known[KNOWN + UNKNOWN_MAX];
	unsigned count;
};

static bool
some_row_has(const struct reply *r, const char *kind, const char *name)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(r, kind, row)) != NULL)
		if (reply_field(row, name) != NULL)
			return true;
	return false;
}

static void
columns_add(struct columns *c, const char *name, const struct known *k)
{
	unsigned i;

	for (i = 0; i < c->count; i++)
		if (strcmp(c->names[i], name) == 0)
			return;
	if (c->count == sizeof(c->names) / sizeof(*c->names))
		return;
	c->names[c->count] = name;
	c->known[c->count++] = k;
}

static void
columns_find(struct columns *c, const struct reply *r, const char *kind)
{
	const struct reply_row *row = NULL;
	unsigned i;

	c->count = 0;
	for (i = 0; i < KNOWN; i++)
		if (strcmp(known[i].kind, kind) == 0 && some_row_has(r, kind, known[i].name))
			columns_add(c, known[i].name, &known[i]);
	while ((row = reply_next(r, kind, row)) != NULL)
		for (i = 0; i < row->count; i++)
			if (known_find(kind, row->fields[i].name) == NULL)
				columns_add(c, row->fields[i].name, NULL);
}

void
reply_print_list(
    struct output *o, const struct reply *r, const char *kind, const char *key, const char *heading)
{
	const struct reply_row *row = NULL;
	struct columns c;
	unsigned i;

	columns_find(&c, r, kind);
	output_list(o, key, c.count > 0 ? heading : NULL);
	while ((row = reply_next(r, kind, row)) != NULL) {
		output_row(o);
		for (i = 0; i < c.count; i++)
			print_field(o, c.names[i], c.known[i], reply_field(row, c.names[i]));
	}
	output_end(o);
}
