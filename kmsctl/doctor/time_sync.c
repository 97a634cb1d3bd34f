/*
 * time_sync.c - the kernel knows whether its clock is synchronised, and how wrong it may be:
 * chrony, ntpd and systemd-timesyncd all tell it both.
 */
#include "kmsctl/doctor/time_sync.h"

#include <stdio.h>

bool
clock_judge(const struct timex *t, unsigned doubtful, char text[200], const char **next)
{
	double most = (double)t->maxerror / 1e6, estimate = (double)t->esterror / 1e6;

	*next = NULL;
	if ((t->status & STA_UNSYNC) != 0) {
		snprintf(text, 200,
		    "the clock is not synchronised, and clients whose clocks differ by more than four hours are refused");
		*next = "timedatectl set-ntp true";
	} else if (most > doubtful) {
		snprintf(text, 200,
		    "a time server answered earlier, but the clock may now be %.1f s off", most);
		*next = "timedatectl timesync-status, or chronyc tracking";
	} else if (t->esterror > 0 && t->esterror <= t->maxerror) {
		snprintf(
		    text, 200, "synchronised: about %.3f s off, at most %.3f s", estimate, most);
	} else {
		snprintf(text, 200, "synchronised: at most %.3f s off", most);
	}
	return *next == NULL;
}
