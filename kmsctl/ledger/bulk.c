/*
 * bulk.c - see bulk.h.
 */
#include "kmsctl/ledger/bulk.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

struct choice {
	const struct client_filter *filter;
	struct bulk *out;
};

static int
choose(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	const struct choice *q = arg;
	struct bulk *b = q->out;
	struct bulk_client *more;

	if (!client_filter_has(q->filter, c, cold))
		return 0;
	if ((more = grow_list(b->at, b->count, &b->room, sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	b->at = more;
	b->at[b->count++] = (struct bulk_client){ *c, *cold };
	return 0;
}

int
bulk_choose(
    struct ctl *ctl, const struct client_filter *filter, struct bulk *out, struct fault *fault)
{
	struct choice q = { filter, out };

	memset(out, 0, sizeof(*out));
	return ledger_each_client(ctl, choose, &q, fault);
}

void
bulk_free(struct bulk *b)
{
	free(b->at);
	memset(b, 0, sizeof(*b));
}

struct order {
	enum bulk_order by;
	bool reverse;
	uint64_t now;
};

static int
in_time(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
compare(const void *left, const void *right, void *arg)
{
	const struct bulk_client *a = left, *b = right;
	const struct order *o = arg;
	int r = 0;

	switch (o->by) {
	case BULK_CMID:
		break;
	case BULK_NAME:
		r = strcasecmp(a->cold.name, b->cold.name);
		break;
	case BULK_SEEN:
		r = in_time(a->client.last_seen, b->client.last_seen);
		break;
	case BULK_FIRST:
		r = in_time(a->cold.first_seen, b->cold.first_seen);
		break;
	case BULK_EXPIRES:
		r = in_time(a->client.expires, b->client.expires);
		break;
	case BULK_STATE:
		r = strcmp(
		    kmsdb_client_state(&a->client, o->now), kmsdb_client_state(&b->client, o->now));
		break;
	}
	if (r == 0)
		r = memcmp(a->client.cmid, b->client.cmid, 16);
	return o->reverse ? -r : r;
}

void
bulk_sort(struct bulk *b, enum bulk_order order, bool reverse, uint64_t now)
{
	struct order o = { order, reverse, now };

	if (b->count > 0)
		qsort_r(b->at, b->count, sizeof(*b->at), compare, &o);
}
