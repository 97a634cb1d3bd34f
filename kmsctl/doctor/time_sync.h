/*
 * time_sync.h - is this machine's clock synchronised, and how far off may it be?
 */
#ifndef KMSCTL_DOCTOR_TIME_SYNC_H
#define KMSCTL_DOCTOR_TIME_SYNC_H

#include <stdbool.h>
#include <sys/timex.h>

/*
 * What the kernel says (adjtimex(2)), in words. doubtful: seconds, below the 16 at which the kernel
 * itself calls its clock unsynchronised. True: the clock is right; otherwise *next is what
 * to type next.
 */
bool clock_judge(const struct timex *t, unsigned doubtful, char text[200], const char **next);

#endif
