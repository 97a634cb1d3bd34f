/*
 * child_loop.c - see child_loop.h.
 */
#include "kmsd/common/child_loop.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "libkms/kms_error.h"

#define LOG_FLUSH_SECONDS 60

static void
on_parent(evutil_socket_t fd, short what, void *arg)
{
	struct child_loop *l = arg;
	struct ipc_parent m;
	int rc = ipc_parent_recv(fd, &m);

	if (rc == KMS_E_IO && (errno == EAGAIN || errno == EINTR))
		return;
	/* kmsd has ended: stop, as if it had asked for that. */
	if (rc != KMS_OK || m.verb == IPC_STOP)
		l->stopping = true;
	else if (m.verb == IPC_RELOAD && m.fd != -1)
		child_reload(l->role, l->config, m.fd);
	else if (m.verb == IPC_PING)
		child_pong(&m);
	if (rc == KMS_OK && m.fd != -1)
		close(m.fd);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct child_loop *l = arg;

	if (++l->ticks % LOG_FLUSH_SECONDS == 0)
		log_flush_limited();
}

int
child_loop_open(struct child_loop *l)
{
	evutil_make_socket_nonblocking(IPC_PARENT_FD);
	fcntl(IPC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	l->parent = event_new(l->base, IPC_PARENT_FD, EV_READ | EV_PERSIST, on_parent, l);
	l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	if (l->parent == NULL || l->tick == NULL || event_add(l->parent, NULL) != 0 ||
	    loop_timer(l->tick, SECOND_US) != 0)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

void
child_loop_close(struct child_loop *l)
{
	event_free(l->parent);
	event_free(l->tick);
}
