/*
 * period.c - see period.h.
 */
#include "kmsctl/report/period.h"

#include <string.h>
#include <time.h>

static void
date_of(struct tm *tm, uint32_t day)
{
	time_t seconds = (time_t)day * 86400;

	if (gmtime_r(&seconds, tm) == NULL)
		memset(tm, 0, sizeof(*tm));
}

uint32_t
period_begin(uint32_t day, enum period_by by)
{
	struct tm tm;

	if (by == PERIOD_WEEK) /* 1970 began on a Thursday */
		return day < 4 ? 0 : day - (day + 3) % 7;
	if (by != PERIOD_MONTH)
		return day;
	date_of(&tm, day);
	return tm.tm_mday > 0 ? day - (uint32_t)(tm.tm_mday - 1) : day;
}

const char *
period_title(enum period_by by)
{
	static const char *const titles[] = { "Day", "Week of", "Month" };

	return titles[by];
}

void
period_text(char out[PERIOD_TEXT], uint32_t day, enum period_by by)
{
	struct tm tm;

	date_of(&tm, period_begin(day, by));
	if (strftime(out, PERIOD_TEXT, by == PERIOD_MONTH ? "%Y-%m" : "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}
