/*
 * period.h - days, weeks from Monday on and months, in UTC as the ledger's days are.
 */
#ifndef KMSCTL_REPORT_PERIOD_H
#define KMSCTL_REPORT_PERIOD_H

#include <stddef.h>
#include <stdint.h>

enum period_by { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };

#define PERIOD_TEXT 16

/* The first day (since 1970) of the period that has this day. */
uint32_t period_begin(uint32_t day, enum period_by by);
/* What a column of periods is called: "Day", "Week of", "Month". */
const char *period_title(enum period_by by);
/* "2026-11-23", of a month "2026-11"; of a week its Monday. */
void period_text(char out[PERIOD_TEXT], uint32_t day, enum period_by by);

#endif
