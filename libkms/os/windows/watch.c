/*
 * watch.c - see watch.h. A product can wait for a socket, and Windows has no set of sockets that is
 * one: a wait of the system's own pool of threads watches the set and the time, and says so through
 * a pair of sockets (wake.h).
 */
#include "libkms/client/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "libkms/base/clock.h"
#include "libkms/os/windows/wake.h"
#include "libkms/os/windows/win.h"

struct watch {
	struct wake wake;
	WSAEVENT ready; /* one of the set is, or was when it was put into it */
	HANDLE wait;    /* NULL: nobody waits */
	struct wait set;
};

struct watch *
watch_open(void)
{
	struct watch *w = calloc(1, sizeof(*w));
	int error;

	if (w == NULL)
		return NULL;
	if (wake_open(&w->wake) && (w->ready = CreateEventW(NULL, FALSE, FALSE, NULL)) != NULL)
		return w;
	error = errno;
	watch_close(w);
	errno = error;
	return NULL;
}

void
watch_close(struct watch *w)
{
	if (w == NULL)
		return;
	watch_clear(w);
	if (w->ready != NULL)
		CloseHandle(w->ready);
	wake_close(&w->wake);
	free(w);
}

int
watch_fd(const struct watch *w)
{
	return w->wake.heard;
}

static VOID CALLBACK
has_come(PVOID arg, BOOLEAN timed_out)
{
	const struct watch *w = arg;

	wake_tell(&w->wake);
}

/* Behind it no callback runs any more. */
void
watch_clear(struct watch *w)
{
	if (w == NULL)
		return;
	if (w->wait != NULL)
		(void)UnregisterWaitEx(w->wait, INVALID_HANDLE_VALUE);
	w->wait = NULL;
	for (unsigned i = 0; i < w->set.count; i++)
		(void)WSAEventSelect((SOCKET)w->set.fds[i].fd, NULL, 0);
	w->set.count = 0;
	if (w->ready != NULL)
		(void)ResetEvent(w->ready);
	if (w->wake.heard >= 0)
		wake_hear(&w->wake);
}

static long
events_of(short events)
{
	return FD_CLOSE | (events & POLLIN ? FD_READ : 0) |
	       (events & POLLOUT ? FD_WRITE | FD_CONNECT : 0);
}

void
watch_set(struct watch *w, const struct wait *what)
{
	int64_t left;

	if (w == NULL)
		return;
	watch_clear(w);
	w->set = *what;
	/* What is ready already is told too. One that cannot be watched is looked at when the time
	 * has come. */
	for (unsigned i = 0; i < what->count; i++)
		(void)WSAEventSelect(
		    (SOCKET)what->fds[i].fd, w->ready, events_of(what->fds[i].events));
	left = what->until - clock_ms();
	if (left <= 0)
		wake_tell(&w->wake);
	else if (!RegisterWaitForSingleObject(&w->wait, w->ready, has_come, w, (ULONG)left,
		     WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
		w->wait = NULL;
		wake_tell(&w->wake); /* nobody else will: looked at too often */
	}
}
