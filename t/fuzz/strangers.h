/*
 * strangers.h - the clients of a process that listens, in a play: four that an input moves one by
 * one, and a crowd that does all the same at once. They come over a Unix socket, so that everything
 * arrives at once, and no port stays in TIME_WAIT.
 *
 *	0..3 that client writes; it connects first    a..d it disconnects    w..z it sends no more
 */
#ifndef KMS_T_FUZZ_STRANGERS_H
#define KMS_T_FUZZ_STRANGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"

#define STRANGERS_ALONE 4
#define STRANGERS_MAX 32
#define STRANGERS_CONNECTIONS 64 /* in one input */

struct stranger {
	int fd;       /* -1: not connected */
	uint8_t *got; /* what it has received; NULL: it never connected */
	size_t len;
};

struct strangers {
	struct sockaddr_un address;
	socklen_t address_len;
	struct stranger list[STRANGERS_MAX];
	unsigned count; /* STRANGERS_ALONE and the crowd */
	size_t room;    /* of got, bytes */
	unsigned connected;
	bool shut; /* nobody listens any more */
};

static inline void
send_some(int fd, const void *data, size_t len)
{
	if (fd >= 0 && len > 0)
		(void)!send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The socket to listen on; the caller's. */
static inline int
strangers_begin(struct strangers *s, unsigned crowd, size_t room)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	s->count = STRANGERS_ALONE + crowd;
	MUST(s->count <= STRANGERS_MAX);
	s->room = room;
	for (unsigned i = 0; i < s->count; i++)
		s->list[i].fd = -1;
	s->address.sun_family = AF_UNIX;
	/* An abstract name that the kernel chooses. */
	MUST(bind(fd, (struct sockaddr *)&s->address, sizeof(s->address.sun_family)) == 0);
	s->address_len = sizeof(s->address);
	MUST(getsockname(fd, (struct sockaddr *)&s->address, &s->address_len) == 0);
	MUST(listen(fd, STRANGERS_CONNECTIONS) == 0);
	return fd;
}

static inline void
stranger_connects(struct strangers *s, struct stranger *c)
{
	if (c->fd >= 0 || s->connected == STRANGERS_CONNECTIONS || s->shut)
		return;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	MUST(c->fd >= 0);
	MUST(connect(c->fd, (struct sockaddr *)&s->address, s->address_len) == 0);
	if (c->got == NULL)
		MUST((c->got = malloc(s->room)) != NULL);
	c->len = 0;
	s->connected++;
}

static inline void
stranger_writes(struct strangers *s, struct stranger *c, const struct step *step)
{
	stranger_connects(s, c);
	send_some(c->fd, step->data, step->len);
}

static inline void
stranger_closes(struct stranger *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static inline void
crowd_writes(struct strangers *s, const struct step *step)
{
	for (unsigned i = STRANGERS_ALONE; i < s->count; i++)
		stranger_writes(s, &s->list[i], step);
}

/* The steps named above; another one does nothing. */
static inline void
strangers_step(struct strangers *s, const struct step *step)
{
	uint8_t what = step->what;

	if (what >= '0' && what < '0' + STRANGERS_ALONE)
		stranger_writes(s, &s->list[what - '0'], step);
	else if (what >= 'a' && what < 'a' + STRANGERS_ALONE)
		stranger_closes(&s->list[what - 'a']);
	else if (what >= 'w' && what < 'w' + STRANGERS_ALONE && s->list[what - 'w'].fd >= 0)
		shutdown(s->list[what - 'w'].fd, SHUT_WR);
}

static inline void
strangers_end(struct strangers *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		stranger_closes(&s->list[i]);
		free(s->list[i].got);
	}
}

#endif
