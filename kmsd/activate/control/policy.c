/*
 * policy.c - policy show: the packs in force, in the words of kms.policy(5).
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"

static const char *const rules[] = {
	[POLICY_ALLOW] = "allow", [POLICY_FLAG] = "flag", [POLICY_REFUSE] = "refuse"
};

static void
rows_group(struct control_buf *b, const struct publisher *p)
{
	const struct policy_pack *pack = p->pack;

	for (unsigned i = 0; i < pack->group_count; i++) {
		char covers[POLICY_GROUPS * 34] = "";
		size_t used = 0;

		for (unsigned k = 0; k < pack->group_count; k++) {
			if (k != i && (pack->groups[i].covers & 1u << k) != 0)
				used += (size_t)snprintf(covers + used, sizeof(covers) - used,
				    "%s%s", used > 0 ? " " : "", pack->groups[k].name);
		}
		control_row(b, "group");
		control_text(b, "publisher", p->name);
		control_text(b, "name", pack->groups[i].name);
		control_text(b, "covers", covers);
	}
}

static void
rows_pool(struct control_buf *b, const struct publisher *p)
{
	for (unsigned i = 0; i < p->pack->pool_count; i++) {
		const struct policy_pool *pool = &p->pack->pools[i];

		control_row(b, "pool");
		control_text(b, "publisher", p->name);
		control_number(b, "number", pool->number);
		control_text(b, "name", pool->name);
		control_number(b, "capacity", pool->capacity);
		control_number(b, "window-minutes", pool->window);
		control_text(b, "stateless", pool->stateless_refuse ? "refuse" : "allow");
		if (pool->borrow != 0) {
			control_number(b, "borrow", pool->borrow);
			control_number(b, "borrow-seats", pool->borrow_seats);
		}
		if (pool->overdraft != 0)
			control_number(b, "overdraft-percent", pool->overdraft);
		if (pool->reclaim != 0)
			control_number(b, "longest-unseen", pool->reclaim);
	}
}

static void
rows_product(struct control_buf *b, const struct publisher *p)
{
	for (unsigned i = 0; i < p->pack->product_count; i++) {
		const struct policy_product *product = &p->pack->products[i];

		control_row(b, "product");
		control_text(b, "publisher", p->name);
		control_uuid(b, "id", product->id);
		control_text(b, "name", product->name);
		control_text(b, "group", p->pack->groups[product->group].name);
		control_text(b, "pool", p->pack->pools[product->pool].name);
		control_number(b, "threshold", product->threshold);
		control_number(b, "activation-interval", product->activation_interval);
		control_number(b, "renewal-interval", product->renewal_interval);
		control_number(b, "validity", product->validity);
		control_number(b, "grace", product->grace);
		control_text(b, "vm", rules[product->vm]);
		control_text(b, "clones", rules[product->clones]);
		control_number(b, "clone-hold", product->clone_hold);
		control_text(b, "bind", product->bind ? "machine" : "no");
		if (product->bind)
			control_text(b, "bind-change", product->bind_refuse ? "refuse" : "mark");
		control_number(b, "covered", p->confirmed && p->covered[i]);
	}
}

void
control_contacts(struct control_buf *b, const struct publisher *p)
{
	for (unsigned i = 0; p->pack != NULL && i < p->pack->contact_count; i++) {
		control_row(b, "contact");
		control_text(b, "publisher", p->name);
		control_text(b, "country", p->pack->contacts[i].country);
		control_text(b, "text", p->pack->contacts[i].text);
	}
}

int
control_policy_show(struct control_request *q)
{
	const struct publishers *s = &q->activate->publishers;

	for (unsigned i = 0; i < s->count; i++) {
		const struct publisher *p = &s->list[i];

		if (p->pack == NULL)
			continue;
		control_row(q->out, "pack");
		control_text(q->out, "publisher", p->name);
		control_text(q->out, "id", p->pack->id);
		control_text(q->out, "title", p->pack->title);
		control_textf(q->out, "version", "%u.%u", p->pack->major, p->pack->minor);
		control_number(q->out, "issued", p->pack->issued);
		rows_group(q->out, p);
		rows_pool(q->out, p);
		rows_product(q->out, p);
		control_contacts(q->out, p);
	}
	return KMS_OK;
}
