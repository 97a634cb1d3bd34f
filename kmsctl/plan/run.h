/*
 * run.h - the plan as a whole: looking at every aspect in the order in which they depend on each
 * other, showing the differences, correcting them.
 */
#ifndef KMSCTL_PLAN_RUN_H
#define KMSCTL_PLAN_RUN_H

#include "kmsctl/plan/plan.h"

/* Without the machine's last aspect, what publishers sent: that needs a kmsd that runs. */
enum plan_part { PLAN_ALL, PLAN_MACHINE };

struct plan_result {
	unsigned done, failed;
};

/* Adds the differences of these aspects. */
void plan_look(struct plan *p, enum plan_part part);
/* Prints them as rows of the list that is open. */
void plan_show(const struct plan *p);
/* Looks at each aspect, corrects and prints what differs, and goes on to the next. */
void plan_mend(struct plan *p, enum plan_part part, struct plan_result *r);
unsigned plan_by_hand(const struct plan *p);

#endif
