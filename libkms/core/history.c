/*
 * history.c - see history.h.
 */
#include "libkms/core/history.h"

enum history_grade
history_grade(uint64_t number, uint64_t header_time, bool differs,
    const struct history_restored *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (number > list[i].number && header_time <= list[i].time)
			return HISTORY_NOTE;
	return differs ? HISTORY_CONTRADICTION : HISTORY_UNEXPLAINED;
}

const char *
history_grade_word(enum history_grade grade)
{
	static const char *const words[HISTORY_GRADES] = {
		[HISTORY_NOTE] = "note",
		[HISTORY_UNEXPLAINED] = "unexplained",
		[HISTORY_CONTRADICTION] = "contradiction",
	};

	return words[grade];
}
