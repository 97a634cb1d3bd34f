/*
 * listener.c - accept. Many at a time, but bounded, so that clients that are already connected are
 * served in between.
 */
#include "kmsd/front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/front/evict.h"
#include "kmsd/front/front.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define ACCEPT_BURST 64

static void
refuse_connection(struct front *f, int fd)
{
	connection_turn_away(fd);
	close(fd);
	f->stats.refused_connections++;
}

static void
take_connection(struct front *f, int fd, const struct sockaddr_storage *from)
{
	uint8_t address[16];
	uint16_t port;

	address_take(address, &port, (const struct sockaddr *)from);
	if (f->throttle.connections != 0 && f->connections.open >= f->throttle.connections &&
	    !evict(f, NULL)) {
		log_limited(LOG_WARNING, "connection-limit",
		    "%u connections are open, which is the limit, and none is idle: [limits] connections",
		    f->connections.open);
		refuse_connection(f, fd);
		return;
	}
	if (connection_open(f, fd, address, port) != KMS_OK)
		refuse_connection(f, fd);
}

static void
listeners_pause(struct front *f)
{
	for (unsigned i = 0; i < f->listeners.count; i++)
		event_del(&f->listeners.at[i].event);
	f->listeners.paused = true;
	f->listeners.closed = f->stats.closed;
}

/*
 * No descriptor is left. An idle connection gives way; without one, close the reserve for a moment,
 * so that the client at the head of the queue is refused at once and does not hang. False: no
 * client is left, or that is impossible too; then accepting waits for a close or the next second.
 */
static bool
out_of_descriptors(struct front *f, int listener)
{
	struct listeners *l = &f->listeners;
	int fd = -1, why = EMFILE;

	if (evict(f, NULL))
		return true;

	if (l->reserve != -1) {
		close(l->reserve);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		why = errno;
	}
	/* accept(2) returns EMFILE before it looks for a client */
	if (fd != -1) {
		log_limited(LOG_ERR, "descriptor-limit",
		    "no descriptor for another connection (%u open): raise LimitNOFILE or lower [limits] connections",
		    f->connections.open);
		refuse_connection(f, fd);
	}
	l->reserve = fcntl(l->reserve_of, F_DUPFD_CLOEXEC, 0);
	if (l->reserve == -1 || (fd == -1 && why != EAGAIN))
		listeners_pause(f);
	return fd != -1;
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct front *f = arg;
	struct sockaddr_storage from;

	for (int i = 0; i < ACCEPT_BURST && !f->listeners.paused; i++) {
		socklen_t len = sizeof(from);
		int fd =
		    accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			take_connection(f, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE) {
			if (out_of_descriptors(f, listener))
				continue;
			return;
		}
		if (errno == ENOBUFS || errno == ENOMEM) {
			log_limited(LOG_ERR, "accept-failed", "%s", strerror(errno));
			listeners_pause(f);
		}
		if (errno == EINVAL) {
			/* It listens no more: kmsd makes it listen again, for the next front. */
			log_event(LOG_ERR, "accept-failed",
			    "a listening socket was shut down: kmsd starts another front");
			f->broken = true;
			return;
		}
		/* EAGAIN; or this one connection failed before we took it (accept(2)) */
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

int
listeners_add(struct front *f, int fd)
{
	struct listeners *l = &f->listeners;
	int on = 1;

	if (l->count == LISTENERS_MAX) {
		close(fd);
		return KMS_E_LIMIT;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* Linux copies this to every accepted connection, which saves a system call for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l->at[l->count].front = f;
	l->at[l->count].fd = fd;
	event_assign(&l->at[l->count].event, f->base, fd, EV_READ | EV_PERSIST, on_accept, f);
	l->count++;
	return KMS_OK;
}

int
listeners_prepare(struct front *f, int of)
{
	f->listeners.reserve_of = of;
	f->listeners.reserve = fcntl(of, F_DUPFD_CLOEXEC, 0);
	return f->listeners.reserve != -1 ? KMS_OK : KMS_E_IO;
}

static void
listeners_start(struct front *f)
{
	for (unsigned i = 0; i < f->listeners.count; i++)
		event_add(&f->listeners.at[i].event, NULL);
	f->listeners.accepting = true;
}

void
listeners_resume(struct front *f)
{
	struct listeners *l = &f->listeners;

	if (!l->paused || !l->accepting)
		return;
	l->paused = false;
	if (l->reserve == -1)
		l->reserve = fcntl(l->reserve_of, F_DUPFD_CLOEXEC, 0);
	listeners_start(f);
}

void
listeners_turn(struct front *f)
{
	struct listeners *l = &f->listeners;

	if (f->forward.welcome && !l->accepting && !f->stopping)
		listeners_start(f);
	else if (l->paused && l->closed != f->stats.closed)
		listeners_resume(f);
}

void
listeners_close(struct front *f)
{
	struct listeners *l = &f->listeners;

	for (unsigned i = 0; i < l->count; i++) {
		event_del(&l->at[i].event);
		close(l->at[i].fd);
	}
	l->count = 0;
	l->accepting = l->paused = false;
}
