/*
 * listing.c - all clients, and what they did lately, page by page: for the groups that may not open
 * the ledger's files. A page takes some milliseconds, between the requests of clients.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"

#define STOP 1
#define PAGE_ITEMS 4096          /* entries read for a page, whatever they are */
#define PAGE_OCTETS (400 * 1024) /* of rows, unless one batch has more */
#define ROW_OCTETS 64            /* what the fields add to the bytes in a row */

struct clients {
	struct control_buf *out;
	unsigned count;
};

static int
add_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	uint8_t octets[KMSDB_CLIENT_OCTETS];
	struct clients *l = arg;

	control_row(l->out, "stored");
	control_octets(l->out, "client", octets, kmsdb_client_encode(octets, c, cold));
	return ++l->count == CONTROL_CLIENTS ? STOP : 0;
}

int
control_client_list(struct control_request *q)
{
	struct clients l = { .out = q->out };
	struct control_field from;
	bool given = control_argument(q, 'b', "from", &from);
	int rc;

	if (given && from.value_len != 16) {
		snprintf(q->why, CONTROL_WHY, "from must be a CMID");
		return KMS_E_ARGUMENT;
	}
	rc = kmsdb_each_client_from(q->activate->db, given ? from.value : NULL, add_client, &l);
	return rc == STOP ? KMS_OK : rc;
}

struct page {
	struct control_buf *out;
	uint64_t floor; /* names up to then are erased */
	uint64_t from, from_time, to, next;
	unsigned items;
};

static size_t
size_of(const struct kmsdb_batch_view *b)
{
	size_t size = 0;

	for (uint32_t i = 0; i < b->header.size; i++)
		size += b->items[i].entry_len + b->items[i].aside_len + ROW_OCTETS;
	return size;
}

/* What clients did, and what ended their seats. */
static void
add_entry(struct page *p, const struct item *item, uint64_t batch)
{
	int kind = entry_kind(item->entry, item->entry_len);

	if (!entry_kind_is_client(kind) && !entry_about_ends_seat(kind))
		return;
	control_row(p->out, entry_kind_is_client(kind) ? "entry" : "ended");
	control_octets(p->out, "entry", item->entry, item->entry_len);
	if (entry_time(item->entry, item->entry_len) > p->floor && item->aside_len > 0)
		control_octets(p->out, "aside", item->aside, item->aside_len);
	control_number(p->out, "batch", batch);
}

static int
add_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct page *p = arg;

	if (p->items > 0 && (p->items >= PAGE_ITEMS || p->out->len + size_of(b) > PAGE_OCTETS)) {
		p->next = b->header.number;
		return STOP;
	}
	if (p->from == 0) {
		p->from = b->header.number;
		p->from_time = b->header.time;
	}
	p->to = b->header.number;
	p->items += 1 + b->header.size;
	for (uint32_t i = 0; i < b->header.size; i++)
		add_entry(p, &b->items[i], b->header.number);
	return 0;
}

int
control_journal(struct control_request *q)
{
	struct page p = { .out = q->out };
	struct control_field from, octets;
	struct fault f = { 0 };
	struct kmsdb_info info;
	uint64_t first;
	bool whole = false;
	int rc = KMS_OK;

	if (!control_argument(q, 'u', "from", &from) ||
	    !control_argument(q, 'u', "octets", &octets)) {
		snprintf(q->why, CONTROL_WHY,
		    "an argument is missing: where to begin, or how much to read");
		return KMS_E_ARGUMENT;
	}
	pending_finish(q->activate);
	kmsdb_info(q->activate->db, &info);
	p.floor = info.names_floor;
	first = from.number;
	if (first == 0)
		rc =
		    kmsdb_journal_newest(q->activate->state_dir, octets.number, &first, &whole, &f);
	if (rc == KMS_OK)
		rc = kmsdb_journal_from(q->activate->db, first, add_batch, &p, &f);
	if (rc != KMS_OK && rc != STOP) {
		snprintf(q->why, CONTROL_WHY, "%.200s", fault_text(&f, rc));
		return rc;
	}
	control_row(q->out, "page");
	control_number(q->out, "from", p.from);
	control_number(q->out, "from-time", p.from_time);
	control_number(q->out, "to", p.to);
	control_number(q->out, "next", p.next);
	control_number(q->out, "whole", whole);
	return KMS_OK;
}
