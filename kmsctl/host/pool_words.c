/*
 * pool_words.c - see pool_words.h.
 */
#include "kmsctl/host/pool_words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/output.h"
#include "libkms/base/hex.h"

void
pool_seats(struct pool_seats *out, const struct reply_row *row)
{
	memset(out, 0, sizeof(*out));
	out->name = reply_text(row, "name");
	if (out->name == NULL)
		out->name = "?";
	reply_number(row, "counted", &out->counted);
	reply_number(row, "capacity", &out->capacity);
	reply_number(row, "over", &out->over);
	reply_number(row, "overdraft", &out->overdraft);
	reply_number(row, "borrowed", &out->borrowed);
	reply_number(row, "borrow-seats", &out->borrow_seats);
	reply_number(row, "longest-unseen", &out->reclaim);
	reply_number(row, "next-seat", &out->next);
}

bool
pool_full(const struct pool_seats *s)
{
	return s->capacity != 0 && s->counted >= s->capacity &&
	       s->counted - s->capacity >= s->overdraft;
}

static void __attribute__((format(printf, 2, 3))) add(char out[POOL_WORDS], const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + used, POOL_WORDS - used, fmt, ap);
	va_end(ap);
}

void
pool_words(char out[POOL_WORDS], const struct pool_seats *s)
{
	char when[OUTPUT_WHEN];

	out[0] = '\0';
	if (s->capacity == 0)
		add(out, "%" PRIu64 " seats are taken, and there is no limit", s->counted);
	else if (s->counted < s->capacity)
		add(out, "%" PRIu64 " of %" PRIu64 " seats are taken", s->counted, s->capacity);
	else if (s->capacity == 1)
		add(out, "the only seat is taken");
	else
		add(out, "all %" PRIu64 " seats are taken", s->capacity);
	if (s->overdraft > 0 && s->counted >= s->capacity)
		add(out, ", and %" PRIu64 " of %" PRIu64 " beyond them", s->over, s->overdraft);
	else if (s->over > 0)
		add(out, ", and %" PRIu64 " beyond them", s->over);
	if (s->borrowed > 0 && s->borrow_seats > 0)
		add(out, "; %" PRIu64 " of the %" PRIu64 " seats that may be lent are lent",
		    s->borrowed, s->borrow_seats);
	else if (s->borrowed > 0)
		add(out, "; %" PRIu64 " %s lent", s->borrowed, s->borrowed == 1 ? "is" : "are");
	if (s->next != 0)
		add(out, "; the next one comes back at %s, if its client does not ask again",
		    output_when(when, s->next));
}

static const char *
publisher_name(const struct reply *status, const uint8_t publisher[8])
{
	const struct reply_row *row = NULL;
	const char *said;
	char id[17];

	hex_format(id, publisher, 8);
	while ((row = reply_next(status, "publisher", row)) != NULL)
		if ((said = reply_text(row, "id")) != NULL && strcasecmp(said, id) == 0)
			return reply_text(row, "name");
	return NULL;
}

bool
pool_is_named(const char *text, const char *publisher, const char *name)
{
	size_t len = strlen(publisher);

	return strcasecmp(text, name) == 0 ||
	       (strncasecmp(text, publisher, len) == 0 && text[len] == '/' &&
		   strcasecmp(text + len + 1, name) == 0);
}

const struct reply_row *
pool_row(const struct reply *status, const uint8_t publisher[8], uint16_t number)
{
	const char *name = publisher_name(status, publisher), *of;
	const struct reply_row *row = NULL;
	uint64_t n;

	while (name != NULL && (row = reply_next(status, "pool", row)) != NULL)
		if (reply_number(row, "number", &n) && n == number &&
		    (of = reply_text(row, "publisher")) != NULL && strcmp(of, name) == 0)
			return row;
	return NULL;
}
