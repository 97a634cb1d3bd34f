/*
 * wait.c - see wait.h.
 */
#include "libkms/client/wait.h"

#include "libkms/base/clock.h"

#define LONGEST 60000

void
wait_until(struct wait *w, int64_t until)
{
	w->count = 0;
	w->until = until;
}

void
wait_fd(struct wait *w, int fd, short events)
{
	if (w->count < WAIT_FDS)
		w->fds[w->count++] = (struct pollfd){ .fd = fd, .events = events };
}

void
wait_block(const struct wait *w)
{
	struct wait copy = *w;
	int64_t left = w->until - clock_ms();

	if (left > 0)
		(void)os_poll(copy.fds, copy.count, left > LONGEST ? LONGEST : (int)left);
}
