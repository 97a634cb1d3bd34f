/*
 * problems.c - see problems.h.
 */
#include "kmsd/web/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kmsd/common/alerts.h"
#include "kmsd/web/health.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define DAY 86400

struct list {
	struct problem *at;
	unsigned count;
};

static void __attribute__((format(printf, 4, 5)))
add(struct list *l, bool bad, const char *remedy, const char *fmt, ...)
{
	struct problem *p = &l->at[l->count];
	va_list ap;

	if (l->count == PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	/* A text that was cut within a character is no JSON. */
	p->text[wire_text_clean(p->text, strlen(p->text))] = '\0';
	p->bad = bad;
	p->remedy = remedy;
	l->count++;
}

static uint64_t
number(const struct reply_row *row, const char *name)
{
	uint64_t n = 0;

	reply_number(row, name, &n);
	return n;
}

static const char *
text(const struct reply_row *row, const char *name)
{
	const char *t = reply_text(row, name);

	return t != NULL ? t : "";
}

/* As kmsctl doctor has it: kmsctl/doctor/pools.c. */
static void
pool_seats(struct list *l, const struct reply_row *row, const struct config *c)
{
	static const char look[] = "kmsctl clients, to find those that are gone, or buy more seats";
	unsigned long long counted = number(row, "counted"), capacity = number(row, "capacity"),
			   overdraft = number(row, "overdraft");
	const char *pool = text(row, "name"), *publisher = text(row, "publisher");

	if (capacity == 0 || counted < alerts_pool_at(c, capacity))
		return;
	if (counted < capacity)
		add(l, false, look, "The pool %s of %s has %llu of %llu seats in use", pool,
		    publisher, counted, capacity);
	else if (counted - capacity < overdraft)
		add(l, false, look,
		    "The pool %s of %s has given %llu seats beyond its capacity of %llu; the publisher sees each of them",
		    pool, publisher, counted - capacity, capacity);
	else if (number(row, "longest-unseen") != 0)
		add(l, false, look,
		    "The pool %s of %s is full (%llu seats): a new client gets the seat of the client that was unseen for longest",
		    pool, publisher, capacity);
	else
		add(l, true,
		    "kmsctl clients, then kmsctl client forget for those that are gone, or buy more seats",
		    "The pool %s of %s is full: all %llu seats are in use", pool, publisher,
		    capacity);
}

static void
pools(struct list *l, const struct reply *status, const struct config *c)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(status, "pool", row)) != NULL) {
		unsigned long long seats = number(row, "borrow-seats");

		pool_seats(l, row, c);
		if (seats != 0 && number(row, "borrowed") >= seats)
			add(l, false,
			    "kmsctl clients --borrowed, then have unneeded seats returned",
			    "All %llu seats that the pool %s of %s may lend are lent", seats,
			    text(row, "name"), text(row, "publisher"));
	}
	while ((row = reply_next(status, "class", row)) != NULL)
		if (number(row, "limit") != 0 && number(row, "counted") >= number(row, "limit"))
			add(l, false, "kmsctl clients, or raise its limit in kms.ini",
			    "The class %s has all of its %llu seats of the pool %s",
			    text(row, "name"), (unsigned long long)number(row, "limit"),
			    text(row, "pool"));
}

/* The pool of a row of usage; NULL: no pack has it. */
static const struct reply_row *
pool_of(const struct reply *status, const struct reply_row *usage)
{
	const struct reply_row *pool = NULL, *p = NULL;

	while ((pool = reply_next(status, "pool", pool)) != NULL)
		while ((p = reply_next(status, "publisher", p)) != NULL)
			if (number(pool, "number") == number(usage, "pool") &&
			    strcmp(text(p, "name"), text(pool, "publisher")) == 0 &&
			    strcmp(text(p, "id"), text(usage, "publisher")) == 0)
				return pool;
	return NULL;
}

/* Who was refused today for want of a seat, even if there are seats again. */
static void
refused_today(struct list *l, const struct known *k, uint64_t now)
{
	const struct reply *status = known_reply(k, KNOWN_STATUS);
	const struct reply_row *row = NULL, *pool;

	while ((row = reply_next(known_reply(k, KNOWN_USAGE), "usage", row)) != NULL)
		if (number(row, "status") == KMS_E_CAPACITY &&
		    number(row, "day") == now - now % DAY && (pool = pool_of(status, row)) != NULL)
			add(l, true, "kmsctl report refusals --since 24h",
			    "The pool %s of %s was full today: %llu requests were refused",
			    text(pool, "name"), text(pool, "publisher"),
			    (unsigned long long)number(row, "refusals"));
}

static void
limits(struct list *l, const struct reply *status, uint64_t now)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(status, "limit", row)) != NULL)
		if (now < number(row, "last") + DAY)
			add(l, false, "kmsctl status has the address; see [limits] of kms.ini(5)",
			    "The limit %s has refused %llu requests, one of them today",
			    text(row, "name"), (unsigned long long)number(row, "refused"));
}

static void
products(struct list *l, const struct reply *status)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(status, "product", row)) != NULL)
		if (number(row, "covered") != 0 && number(row, "counted") < number(row, "required"))
			add(l, false,
			    "It is activated once enough clients have asked: nothing to do, or see kmsctl status.",
			    "%s of %s has %llu of the %llu clients that it needs",
			    text(row, "name"), text(row, "publisher"),
			    (unsigned long long)number(row, "counted"),
			    (unsigned long long)number(row, "required"));
}

static void
publishers(struct list *l, const struct reply *status, const struct config *c, uint64_t now)
{
	const struct reply_row *row = NULL;

	while ((row = reply_next(status, "publisher", row)) != NULL) {
		uint64_t end = number(row, "not-after");
		const char *name = text(row, "name");

		if (reply_text(row, "revoked") != NULL)
			add(l, true, "Ask the publisher.", "%s has revoked this host: %.100s", name,
			    text(row, "revoked"));
		else if (number(row, "installed") == 0)
			add(l, true, "kmsctl key install", "No host key of %s is installed", name);
		else if (number(row, "confirmed") == 0)
			add(l, true, "kmsctl key request, then kmsctl key confirm",
			    "%s has not confirmed this host", name);
		else if (end < now)
			add(l, true, "kmsctl key request, then kmsctl key confirm",
			    "The confirmation of %s has ended", name);
		else if (end - now < alerts_key_left(c))
			add(l, false, "kmsctl key request, then kmsctl key confirm",
			    "The confirmation of %s ends in %llu days", name,
			    (unsigned long long)((end - now) / DAY));
	}
}

static void
machine(struct list *l, const struct reply *status)
{
	const struct reply_row *row = NULL, *ledger = reply_next(status, "ledger", NULL);

	if (number(reply_next(status, "service", NULL), "locked") != 0)
		add(l, true, "kmsctl unlock", "The host is locked");
	if (number(ledger, "failing-since") != 0)
		add(l, true, "Free space on the disk, or repair the disk: kmsctl doctor",
		    "The ledger cannot be written");
	if (number(ledger, "witnesses-contradiction") + number(ledger, "witnesses-unexplained") > 0)
		add(l, true, "kmsctl doctor says what happened.",
		    "Clients have leases that the journal does not have: the ledger was set back");
	while ((row = reply_next(status, "front", row)) != NULL)
		if (number(row, "ready") == 0)
			add(l, false, "kmsctl status; journalctl -u kmsd",
			    "The network process %llu is not ready",
			    (unsigned long long)number(row, "number"));
	while ((row = reply_next(status, "sandbox", row)) != NULL)
		if (text(row, "missing")[0] != '\0')
			add(l, false, "kmsctl doctor", "The sandbox of %s is incomplete: %s",
			    text(row, "process"), text(row, "missing"));
}

/* Bad ones first, in the order in which they were found. */
static void
sort(struct list *l)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < l->count; i++) {
		struct problem p = l->at[i];

		if (!p.bad)
			continue;
		memmove(&l->at[bad + 1], &l->at[bad], (i - bad) * sizeof(p));
		l->at[bad++] = p;
	}
}

unsigned
problems_find(const struct known *k, uint64_t now, struct problem out[PROBLEMS_MAX])
{
	const struct reply *status = known_reply(k, KNOWN_STATUS);
	struct list l = { .at = out };

	machine(&l, status);
	publishers(&l, status, known_config(k), now);
	refused_today(&l, k, now);
	limits(&l, status, now);
	pools(&l, status, known_config(k));
	products(&l, status);
	if (l.count == 0 && health_why_not(status, now) != NULL)
		add(&l, true, "kmsctl setup", "%s", health_why_not(status, now));
	sort(&l);
	return l.count;
}
