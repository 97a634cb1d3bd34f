/*
 * time_sync.h - is this machine's clock kept right, and how far off may it be?
 */
#ifndef KMSCTL_DOCTOR_TIME_SYNC_H
#define KMSCTL_DOCTOR_TIME_SYNC_H

#include <stdbool.h>
#include <sys/timex.h>

/*
 * What the kernel says (adjtimex(2)), in words. True: all is well; else what to type next is in
 * *next.
 */
bool clock_judge(const struct timex *t, char text[200], const char **next);

#endif
