/*
 * top_screen.h - what kmsctl top shows, for a person and for a program: seats, how much is asked,
 * who is refused, why, how often, and what to do.
 */
#ifndef KMSCTL_REPORT_TOP_SCREEN_H
#define KMSCTL_REPORT_TOP_SCREEN_H

#include "kmsctl/report/top_sample.h"

struct top_rows {
	unsigned pools, causes, clients; /* at most */
};

/* before: the sample that rates are from; when it is not comparable, there are none. */
void top_show(struct ctl *ctl, struct output *o, const struct top_sample *before,
    const struct top_sample *now, const struct top_who *who, const struct top_rows *most);

#endif
