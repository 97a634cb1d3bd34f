/*
 * made_lease.c - with its three commitments, as kmsd makes them. See made_lease.h.
 */
#include "t/bench/made_lease.h"

#include <stdio.h>
#include <string.h>

#include "libkms/core/message.h"

#define VALIDITY (180 * UINT64_C(86400))

void
made_lease(struct made_lease *out, const struct made_client *c)
{
	struct aside aside = { .salt = { 1 }, .address = { [15] = 1 } };
	struct entry_client e = { .kind = ENTRY_LEASE,
		.time = c->time,
		.pool = c->pool,
		.operation = MESSAGE_RENEW,
		.sequence = c->sequence,
		.count = 25,
		.required = 25,
		.expires = c->time + VALIDITY,
		.width = entry_slot_width(c->window),
		.until = entry_counts_until(c->time, c->window) };

	memcpy(e.cmid, c->cmid, sizeof(e.cmid));
	memcpy(e.publisher, c->publisher, sizeof(e.publisher));
	memcpy(e.product, c->product, sizeof(e.product));
	memcpy(e.request_id, &c->sequence, sizeof(c->sequence));
	snprintf(aside.name, sizeof(aside.name), "%s", c->name);
	aside_commit(&e.commitments, &aside);
	out->item = (struct item){ .entry = out->entry, .aside = out->aside };
	out->item.entry_len = entry_client_encode(out->entry, sizeof(out->entry), &e);
	out->item.aside_len = aside_encode(out->aside, sizeof(out->aside), &aside);
}
