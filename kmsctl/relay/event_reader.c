/*
 * event_reader.c - see event_reader.h.
 */
#include "kmsctl/relay/event_reader.h"

#include <ctype.h>
#include <string.h>

#define RECORD_MAX 16384               /* bytes in which another date is looked for */
#define SAME_ROW ((uint64_t)36 * 3600) /* between the dates of one record */
#define ZONES ((uint64_t)14 * 3600)
#define QUARTER 900 /* zones differ by multiples of it */

static const char ambiguous[] = "its date is ambiguous: day and month cannot be told apart";

size_t
event_reader_line(struct event_reader *r, const char *where)
{
	for (; r->counted < where; r->counted++)
		r->line +=
		    *r->counted == '\n' || (*r->counted == '\r' && r->counted + 1 < r->end &&
					       r->counted[1] != '\n' && r->counted[1] != '\r');
	return r->line;
}

static void
name_problem(struct event_log *log, size_t line, const char *why)
{
	if (log->named_count == EVENT_LOG_NAMED)
		return;
	log->named[log->named_count].line = line;
	log->named[log->named_count].number = log->events + log->unread;
	log->named[log->named_count++].why = why;
}

void
event_reader_broken(struct event_reader *r, size_t line, const char *why)
{
	r->log->unread++;
	name_problem(r->log, line, why);
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static bool
same_time(uint64_t a, uint64_t b, bool zones)
{
	uint64_t d = apart(a, b);

	return d < 60 || (zones && d < ZONES + 60 && (d + 59) % QUARTER < 119);
}

bool
event_same(const struct event_fields *a, const struct event_fields *b)
{
	/* A column in local time has seconds, and the message has none. */
	bool zones = a->date.seconds != b->date.seconds;

	return a->status == b->status && a->count == b->count && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->cmid, b->cmid, 16) == 0 &&
	       (same_time(a->date.dmy, b->date.dmy, zones) ||
		   same_time(a->date.dmy, b->date.mdy, zones) ||
		   same_time(a->date.mdy, b->date.dmy, zones));
}

/* Another date of the record, which leaves no choice, is near to one of the two readings. */
static uint64_t
choose_by_record(const struct event_date *d, const char *text, size_t len)
{
	const char *end = text + len, *next;
	struct event_date other;

	/* A line of a million events is no record. */
	if (len > RECORD_MAX)
		return 0;
	for (const char *p = text; p < end; p = next) {
		next = event_date_read(p, end, &other);
		if (next != NULL && other.dmy == other.mdy) {
			bool dmy = apart(other.dmy, d->dmy) < SAME_ROW;

			if (dmy != (apart(other.dmy, d->mdy) < SAME_ROW))
				return dmy ? d->dmy : d->mdy;
		}
		if (next != NULL)
			continue;
		/* Not in the middle of a number. */
		for (next = p + 1;
		     next < end && isdigit((unsigned char)*p) && isdigit((unsigned char)*next);)
			next++;
	}
	return 0;
}

void
event_reader_found(struct event_reader *r, const struct event_fields *e, size_t line,
    const char *record, size_t len)
{
	struct event_12290 event = { .status = e->status, .count = e->count };

	memcpy(event.name, e->name, sizeof(event.name));
	memcpy(event.cmid, e->cmid, sizeof(event.cmid));
	event.time = event_date_choose(&e->date, r->given);
	if (event.time == 0)
		event.time = choose_by_record(&e->date, record, len);
	if (event.time == 0)
		event.time = event_date_choose(&e->date, r->seen);
	r->log->events++;
	/* When the host refused does not matter. */
	if (event.time == 0 && event.status == 0) {
		r->log->ambiguous++;
		name_problem(r->log, line, ambiguous);
	}
	r->last = *e;
	r->have_last = true;
	if (r->fn(&event, r->arg) != 0)
		r->stop = true;
}

void
event_reader_flush(struct event_reader *r)
{
	if (r->pending != 0)
		event_reader_broken(r, r->pending, "its fields are missing");
	r->pending = 0;
	r->loose = false;
}
