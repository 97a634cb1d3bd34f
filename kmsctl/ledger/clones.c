/*
 * clones.c - the index knows which clients collided, the journal which machines they were. Two
 * machines are told apart by name, user and address: a copied image has its name copied too.
 */
#include "kmsctl/ledger/clones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/ledger/recent.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define CLONES_MAX 4096 /* clients */
#define MACHINES_MAX 8  /* of each client: those heard last */

struct machine {
	struct commitments told; /* tell machines apart also when names are erased */
	char name[MESSAGE_NAME + 1];
	uint8_t address[16];
	uint64_t first, last; /* seconds; last 0: none */
	uint64_t requests, collisions;
};
struct shared {
	uint8_t cmid[16], product[16];
	uint64_t last;       /* collision; 0: none was marked */
	uint64_t held_until; /* seconds; 0: not held */
	struct machine machines[MACHINES_MAX];
	unsigned count;
	uint64_t more; /* machines that were dropped */
};
struct clones {
	struct ctl *ctl;
	const struct clones_wanted *wanted;
	const struct products *products;
	struct shared *list; /* ascending by CMID */
	unsigned count, most;
	bool cut; /* there are more than the limit */
	bool by_product;
	uint8_t product[16];
};

static int
find_shared(const struct kmsdb_client *c, const struct kmsdb_cold *h, void *arg)
{
	struct clones *l = arg;
	struct shared *s;
	bool held = (c->flags & KMSDB_HELD) != 0;

	if ((h->last_clone == 0 && !held) ||
	    (l->by_product && memcmp(c->product, l->product, 16) != 0))
		return 0;
	if (l->count == l->most) {
		l->cut = true;
		return 1;
	}
	if ((l->count & (l->count - 1)) == 0) { /* 0, 1, 2, 4, ...: full */
		s = realloc(l->list, (l->count == 0 ? 1 : 2 * (size_t)l->count) * sizeof(*s));
		if (s == NULL)
			return KMS_E_NO_MEMORY;
		l->list = s;
	}
	s = &l->list[l->count++];
	memset(s, 0, sizeof(*s));
	memcpy(s->cmid, c->cmid, 16);
	memcpy(s->product, c->product, 16);
	s->last = h->last_clone;
	s->held_until = held ? h->hold_end : 0;
	return 0;
}

static int
by_cmid(const void *key, const void *row)
{
	return memcmp(key, ((const struct shared *)row)->cmid, 16);
}

/* The machine's row, or a new one: a free row, or that of the machine that was silent longest. */
static struct machine *
machine_of(struct shared *s, const struct entry_client *e, const struct aside *names)
{
	struct machine *m, *oldest = &s->machines[0];

	for (unsigned i = 0; i < s->count; i++) {
		m = &s->machines[i];
		if (memcmp(&m->told, &e->commitments, sizeof(m->told)) == 0)
			return m;
		if (m->last < oldest->last)
			oldest = m;
	}
	if (s->count < MACHINES_MAX)
		oldest = &s->machines[s->count++];
	else
		s->more++;
	memset(oldest, 0, sizeof(*oldest));
	oldest->told = e->commitments;
	memcpy(oldest->name, names->name, sizeof(oldest->name));
	memcpy(oldest->address, names->address, 16);
	oldest->first = e->time;
	return oldest;
}

static void
heard(const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg)
{
	struct clones *l = arg;
	struct shared *s;
	struct machine *m;

	s = bsearch(e->cmid, l->list, l->count, sizeof(*l->list), by_cmid);
	if (s == NULL)
		return;
	m = machine_of(s, e, names);
	m->last = e->time;
	m->requests++;
	m->collisions += (e->flags & ENTRY_CLONE) != 0;
}

static void
print_machine(struct clones *l, const struct shared *s, const struct machine *m)
{
	struct output *o = l->ctl->out;
	char cmid[33], id[37];
	const char *product = products_name(l->products, s->product);
	bool program = l->ctl->json || l->ctl->csv;

	hex_format(cmid, s->cmid, 16);
	if (!l->wanted->full && !program)
		cmid[CLIENT_SHORT_CMID] = '\0';
	uuid_format(id, s->product);
	output_row(o);
	output_text(o, "cmid", "CMID", cmid);
	output_text(o, "product_name", "Product", product != NULL || program ? product : id);
	output_text(o, "product", NULL, id);
	output_text(o, "name", "Machine", m->name[0] ? m->name : NULL);
	client_print_address(o, "Address", m->address);
	output_time(o, "first", "First heard", m->first);
	output_time(o, "last", "Last heard", m->last);
	output_number(o, "requests", "Requests", m->requests);
	output_number(o, "collisions", "Collisions", m->collisions);
}

static void
print_client(struct clones *l, const struct shared *s)
{
	char cmid[33];

	hex_format(cmid, s->cmid, 16);
	output_row(l->ctl->out);
	output_text(l->ctl->out, "cmid", NULL, cmid);
	output_number(l->ctl->out, "machines", NULL, s->count + s->more);
	output_time(l->ctl->out, "last_collision", NULL, s->last);
	if (s->held_until != 0)
		output_time(l->ctl->out, "held_until", NULL, s->held_until);
}

static void
print_remedy(struct ctl *ctl)
{
	static const char *const lines[] = {
		"Machines with the same CMID share one client key: one is a copy of the other, or both are copies of a disk image with a key in it.",
		"On all of them but one, stop the product, remove its client state file (kms.state(5)) and start it again.",
		"The product then creates its own key, and the machine is counted separately. Leave that file out of images.",
		"Then kmsctl client forget CMID clears the record, and ends a hold; the machine that keeps the key is recorded again when it next asks.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		output_line(ctl->out, OUTPUT_PLAIN, "%s", lines[i]);
}

static void
print_holds(struct clones *l)
{
	uint64_t now = (uint64_t)time(NULL);
	unsigned held = 0;

	for (unsigned i = 0; i < l->count; i++)
		held += l->list[i].held_until > now;
	if (held > 0)
		output_line(l->ctl->out, OUTPUT_BAD,
		    "%u of these keys %s held: no machine gets a lease with %s until the hold ends (kmsctl client show CMID), or until you forget the client.",
		    held, held == 1 ? "is" : "are", held == 1 ? "it" : "them");
}

static void
print_clones(struct clones *l, const struct recent *t)
{
	struct ctl *ctl = l->ctl;
	unsigned silent = 0;

	output_list(ctl->out, "machines", NULL);
	output_columns(
	    ctl->out, "cmid,product_name,product,name,address,first,last,requests,collisions");
	for (unsigned i = 0; i < l->count; i++) {
		silent += l->list[i].count == 0;
		for (unsigned k = 0; k < l->list[i].count; k++)
			print_machine(l, &l->list[i], &l->list[i].machines[k]);
	}
	output_end(ctl->out);
	if (ctl->json) {
		output_list(ctl->out, "clients", NULL);
		for (unsigned i = 0; i < l->count; i++)
			print_client(l, &l->list[i]);
		output_end(ctl->out);
	}
	output_number(ctl->out, "shown", NULL, l->count);
	output_bool(ctl->out, "complete", NULL, !l->cut);
	if (l->count == 0)
		output_line(
		    ctl->out, OUTPUT_GOOD, "No two machines were seen with one client key.");
	else
		print_remedy(ctl);
	print_holds(l);
	if (silent > 0)
		output_line(ctl->out, OUTPUT_WARN,
		    "The collisions of %u more client%s are older than the part of the journal that was read.",
		    silent, silent == 1 ? "" : "s");
	if (l->cut)
		output_line(
		    ctl->out, OUTPUT_WARN, "There are more than these %u: use --limit", l->count);
	if (l->count > 0)
		recent_print(ctl, t);
}

int
clones_list(struct ctl *ctl, const struct clones_wanted *w, const struct products *products)
{
	struct clones l = { .ctl = ctl, .wanted = w, .products = products, .most = CLONES_MAX };
	struct recent t;
	struct fault fault = { 0 };
	int code = CTL_OK, rc;

	if (w->limit != 0 && w->limit < CLONES_MAX)
		l.most = (unsigned)w->limit;
	if (w->product != NULL && !products_find(products, w->product, l.product))
		return fail(ctl, KMS_E_NOT_FOUND,
		    "no installed policy pack names the product \"%s\"", w->product);
	l.by_product = w->product != NULL;
	rc = ledger_each_client(ctl, find_shared, &l, &fault);
	if (rc != 0 && rc != 1)
		code = ledger_failed(ctl, rc, &fault);
	else if (l.count == 0 || (code = recent_read(ctl, &t, w->all, heard, &l)) == CTL_OK)
		print_clones(&l, &t);
	free(l.list);
	return code;
}
