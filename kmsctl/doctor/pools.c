/*
 * pools.c - doctor's checks of the seats of each pool.
 */
#include <inttypes.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/class_check.h"
#include "kmsctl/host/pool_words.h"
#include "kmsd/common/alerts.h"

static void
look_at_pool(struct doctor *d, const struct pool_seats *s)
{
	static const char look[] = "kmsctl clients, to find those that are gone, or buy more seats";
	bool nearly = s->counted >= alerts_pool_at(&d->ctl->config, s->capacity);
	char words[POOL_WORDS];

	pool_words(words, s);
	if (pool_full(s) && s->reclaim != 0)
		doctor_find(d, "capacity", WARNING, look,
		    "%s: the pool is full. A new client gets the seat of the client that was unseen for longest, at least %" PRIu64
		    " minutes; if there is no such client, kmsd refuses the new one with KMS_E_CAPACITY: %s",
		    s->name, s->reclaim, words);
	else if (pool_full(s))
		doctor_find(d, "capacity", BAD,
		    "kmsctl clients, then kmsctl client forget CMID for those that are gone, or buy more seats",
		    "%s: the pool is full, and a new client is refused with KMS_E_CAPACITY: %s",
		    s->name, words);
	else if (s->counted >= s->capacity)
		doctor_find(d, "capacity", WARNING, look,
		    "%s: %s. The publisher sees each seat that is given beyond the capacity",
		    s->name, words);
	else
		doctor_find(d, "capacity", nearly ? WARNING : GOOD, nearly ? look : NULL, "%s: %s",
		    s->name, words);
	if (s->borrow_seats != 0 && s->borrowed >= s->borrow_seats)
		doctor_find(d, "borrowed", WARNING,
		    "kmsctl clients --borrowed, then have unneeded seats returned",
		    "%s: all %" PRIu64
		    " seats that the pool may lend are lent: a client that asks to borrow one is refused with KMS_E_BORROWED_OUT",
		    s->name, s->borrow_seats);
}

/* A class that is full is what its limit is for. The user who is refused may not know it. */
static void
look_at_classes(struct doctor *d)
{
	const struct reply_row *row = NULL;
	struct fault fault = { 0 };
	uint64_t counted, limit;
	const char *name, *pool;

	if (class_check(d->ctl, &fault) != KMS_OK)
		doctor_find(d, "class", BAD,
		    "correct the classes of kms.ini, then kmsctl config check", "%s", fault.text);
	while (d->running && !d->locked && (row = reply_next(&d->status, "class", row)) != NULL) {
		name = reply_text(row, "name");
		pool = reply_text(row, "pool");
		if (name != NULL && pool != NULL && reply_number(row, "counted", &counted) &&
		    reply_number(row, "limit", &limit) && limit != 0 && counted >= limit)
			doctor_find(d, "class", WARNING,
			    "kmsctl clients, or raise its limit in kms.ini",
			    "%s: class %s has all of its %" PRIu64
			    " seats: a client that asks for one more is refused with KMS_E_CLASS_FULL",
			    pool, name, limit);
	}
}

void
doctor_pools(struct doctor *d)
{
	const struct reply_row *row = NULL;
	struct pool_seats seats;

	look_at_classes(d);
	while (d->running && !d->locked && (row = reply_next(&d->status, "pool", row)) != NULL) {
		pool_seats(&seats, row);
		if (seats.capacity != 0)
			look_at_pool(d, &seats);
	}
}
