/*
 * usage.c - how much each pool was used, day by day. A page looks at a bounded number of rows; days
 * that are not asked for are stepped over, not read.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"

#define STOP 1
#define STEP 2 /* the next row that is wanted is farther on */
#define DAY 86400

struct page {
	struct control_buf *out;
	struct kmsdb_usage from; /* where to go on */
	uint64_t first, last;    /* days */
	unsigned looked;
};

static void
add_row(struct control_buf *b, const struct kmsdb_usage *u)
{
	control_row(b, "usage");
	control_hex(b, "publisher", u->publisher, sizeof(u->publisher));
	control_number(b, "pool", u->pool);
	control_number(b, "day", (uint64_t)u->day * DAY);
	control_number(b, "status", u->status);
	if (u->status != 0) {
		control_number(b, "refusals", u->refusals);
		return;
	}
	control_number(b, "peak", u->peak);
	control_number(b, "end", u->end);
	control_number(b, "first", u->first);
	control_number(b, "renewals", u->renewals);
	control_number(b, "releases", u->releases);
	control_number(b, "clients", u->clients);
}

/* The first day of the next pool; false: there is none. */
static bool
next_pool(struct kmsdb_usage *at)
{
	int i = 7;

	if (++at->pool != 0)
		return true;
	while (i >= 0 && ++at->publisher[i] == 0)
		i--;
	return i >= 0;
}

static int
look(const struct kmsdb_usage *u, void *arg)
{
	struct page *p = arg;

	p->from = *u;
	if (p->looked++ == CONTROL_USAGE_ROWS)
		return STOP;
	if (u->day > p->last) {
		p->from.day = p->from.status = 0;
		return next_pool(&p->from) ? STEP : 0;
	}
	if (u->day < p->first) {
		p->from.day = (uint32_t)p->first;
		p->from.status = 0;
		return STEP;
	}
	add_row(p->out, u);
	return 0;
}

static void
cursor_write(struct control_buf *b, const struct kmsdb_usage *at)
{
	uint8_t octets[CONTROL_USAGE_CURSOR];
	struct wire_writer w;

	wire_writer_init(&w, octets, sizeof(octets));
	wire_put(&w, at->publisher, 8);
	wire_put_u16(&w, at->pool);
	wire_put_u32(&w, at->day);
	wire_put_u16(&w, at->status);
	control_octets(b, "next", octets, sizeof(octets));
}

static void
cursor_read(struct kmsdb_usage *at, const uint8_t *octets)
{
	struct wire_reader r;

	wire_reader_init(&r, octets, CONTROL_USAGE_CURSOR);
	wire_get(&r, at->publisher, 8);
	at->pool = wire_get_u16(&r);
	at->day = wire_get_u32(&r);
	at->status = wire_get_u16(&r);
}

int
control_usage(struct control_request *q)
{
	struct page p = { .out = q->out, .last = UINT32_MAX };
	struct activate *a = q->activate;
	struct control_field f;
	int rc;

	if (control_argument(q, 'u', "from", &f))
		p.first = f.number / DAY < UINT32_MAX ? f.number / DAY : UINT32_MAX;
	if (control_argument(q, 'u', "to", &f) && f.number / DAY < UINT32_MAX)
		p.last = f.number / DAY;
	if (control_argument(q, 'b', "after", &f)) {
		if (f.value_len != CONTROL_USAGE_CURSOR) {
			snprintf(q->why, CONTROL_WHY,
			    "the argument \"after\" must be the \"next\" of an earlier answer");
			return KMS_E_ARGUMENT;
		}
		cursor_read(&p.from, f.value);
	}
	/* What is staged may still fail. */
	pending_finish(a);
	do {
		struct kmsdb_usage from = p.from;

		rc = kmsdb_each_usage(a->db, &from, a->now, look, &p);
	} while (rc == STEP && p.looked < CONTROL_USAGE_ROWS);
	if (rc != KMS_OK && rc != STOP && rc != STEP)
		return rc;
	control_row(q->out, "page");
	if (rc != KMS_OK)
		cursor_write(q->out, &p.from);
	return KMS_OK;
}
