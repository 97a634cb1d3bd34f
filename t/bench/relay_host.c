/*
 * relay_host - a stand-in for a KMS host in `make bench-relay`: any bind is accepted, any request
 * answered with as many arbitrary bytes as a KMS answer has. Prints its port.
 */
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STUB 236
#define ROOM 6000

struct client {
	struct event *event;
	size_t len;
	uint8_t in[ROOM];
};

static const uint8_t ack[60] = { 5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0, 0xd0, 0x16,
	0xd0, 0x16, 0x34, 0x12, 0, 0, 5, 0, '1', '6', '8', '8', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x04,
	0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2,
	0, 0, 0 };

static void
answer(int fd, const uint8_t *pdu)
{
	uint8_t out[24 + STUB] = { 5, 0, 2, 3, 0x10, 0, 0, 0, (uint8_t)(24 + STUB),
		(uint8_t)((24 + STUB) >> 8) };
	ssize_t n;

	if (pdu[2] == 11) {
		n = send(fd, ack, sizeof(ack), MSG_NOSIGNAL);
	} else {
		memcpy(out + 12, pdu + 12, 4);
		n = send(fd, out, sizeof(out), MSG_NOSIGNAL);
	}
	(void)n; /* a client that has gone is seen when it is read */
}

static void
on_client(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t n = recv(fd, c->in + c->len, ROOM - c->len, 0);
	size_t size;

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		event_free(c->event);
		close(fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	while (
	    c->len >= 16 && (size = (size_t)(c->in[8] | c->in[9] << 8)) >= 16 && c->len >= size) {
		answer(fd, c->in);
		memmove(c->in, c->in + size, c->len -= size);
	}
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct client *c = calloc(1, sizeof(*c));

		if (c == NULL)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->event = event_new(arg, fd, EV_READ | EV_PERSIST, on_client, c);
		event_add(c->event, NULL);
	}
}

int
main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct event_base *base = event_base_new();
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) == -1 || listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		return 1;
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	event_add(event_new(base, fd, EV_READ | EV_PERSIST, on_accept, base), NULL);
	event_base_dispatch(base);
	return 0;
}
