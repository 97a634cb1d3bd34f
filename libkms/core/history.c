/*
 * history.c - see history.h.
 */
#include "libkms/core/history.h"

enum history_grade
history_grade(const struct history_header *h, const struct history_mark *marks, size_t count)
{
	bool set_back = false;

	for (size_t i = 0; i < count; i++) {
		const struct history_mark *m = &marks[i];

		if (h->time > m->time)
			continue;
		if (m->restored && h->number > m->number && (m->limit == 0 || h->time <= m->limit))
			return HISTORY_NOTE;
		if (h->number > m->number || (m->restored && h->time > m->since))
			set_back = set_back || m->number < h->seen;
	}
	return h->differs && !set_back ? HISTORY_CONTRADICTION : HISTORY_UNEXPLAINED;
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
