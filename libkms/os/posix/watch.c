/*
 * watch.c - see watch.h.
 */
#include "libkms/client/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "libkms/base/clock.h"

struct watch {
	int epoll, timer;
	struct wait wait; /* what is in the set */
};

static void
set_timer(struct watch *w, int64_t ms)
{
	struct itimerspec t = { 0 };

	if (ms >= 0) {
		t.it_value.tv_sec = (time_t)(ms / 1000);
		t.it_value.tv_nsec = (long)(ms % 1000) * 1000000;
		if (ms == 0)
			t.it_value.tv_nsec = 1; /* zero would stop it */
	}
	(void)timerfd_settime(w->timer, 0, &t, NULL);
}

struct watch *
watch_open(void)
{
	struct epoll_event timer = { .events = EPOLLIN };
	struct watch *w = calloc(1, sizeof(*w));
	int error;

	if (w == NULL)
		return NULL;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->epoll >= 0 && w->timer >= 0 &&
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->timer, &timer) == 0)
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
	if (w->epoll >= 0)
		close(w->epoll);
	if (w->timer >= 0)
		close(w->timer);
	free(w);
}

int
watch_fd(const struct watch *w)
{
	return w->epoll;
}

void
watch_clear(struct watch *w)
{
	struct epoll_event none = { 0 };

	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->wait.count; i++)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->wait.fds[i].fd, &none);
	w->wait.count = 0;
	set_timer(w, -1);
}

static uint32_t
events_of(short events)
{
	return (events & POLLIN ? (uint32_t)EPOLLIN : 0) |
	       (events & POLLOUT ? (uint32_t)EPOLLOUT : 0);
}

void
watch_set(struct watch *w, const struct wait *what)
{
	int64_t left;

	if (w == NULL)
		return;
	watch_clear(w);
	for (unsigned i = 0; i < what->count; i++) {
		struct epoll_event e = { .events = events_of(what->fds[i].events) };

		/* One that cannot be watched is looked at when the time has come. */
		(void)epoll_ctl(w->epoll, EPOLL_CTL_ADD, what->fds[i].fd, &e);
	}
	w->wait = *what;
	left = what->until - clock_ms();
	set_timer(w, left > 0 ? left : 0);
}
