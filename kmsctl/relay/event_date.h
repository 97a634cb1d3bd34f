/*
 * event_date.h - a date with its time, as the many programs and languages of Windows write it.
 *
 *	2026/1/5 9:05                   the event's own form
 *	2026-01-05T09:05:00.123+01:00   ISO 8601
 *	5.1.2026 9:05:00                day first
 *	1/5/2026 9:05:00 AM             which of the two is the month?
 *	/Date(1767600300000)/           JSON of PowerShell 5
 *
 * Without a zone it is taken as UTC.
 */
#ifndef KMSCTL_RELAY_EVENT_DATE_H
#define KMSCTL_RELAY_EVENT_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a date whose year is last. */
enum event_dates {
	EVENT_DATES_UNKNOWN,
	EVENT_DATES_DMY,   /* the day is first */
	EVENT_DATES_MDY,   /* the month is first */
	EVENT_DATES_MIXED, /* a file has both */
};

/*
 * Seconds since 1970, read with the day first and with the month first; equal: the text leaves no
 * choice. 0: this reading is impossible.
 */
struct event_date {
	uint64_t dmy, mdy;
	bool seconds; /* the text has them: it is not in the event's own form */
};

/* The date that begins at p. Returns its end; NULL: none begins there. */
const char *event_date_read(const char *p, const char *end, struct event_date *out);
/* What a text's own dates say: 23/11/2026 has its day first. */
enum event_dates event_dates_of(const char *text, size_t len);
/* 0: the order is not known, and both readings are possible. */
uint64_t event_date_choose(const struct event_date *d, enum event_dates order);

#endif
