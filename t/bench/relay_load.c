/*
 * relay_load - Windows clients as a network sees them: each connects, binds, asks once, and closes.
 *
 *   relay_load PORT CONNECTIONS EXCHANGES
 *
 * They come from SOURCES addresses of the loopback's, because what one source may write to the
 * ledger is limited. Prints exchanges=N seconds=S rate=R. Every answer has to be a bind_ack, then a
 * response.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 284
#define CONNECTIONS_MAX 4096
#define SOURCES 1000

struct client {
	int fd;
	int step; /* 0: connecting, 1: bind sent, 2: request sent */
	size_t len;
	uint8_t in[1024];
};

static const uint8_t bind_pdu[72] = { 5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xd0,
	0x16, 0xd0, 0x16, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84,
	0x50, 0x47, 0xb0, 0xd8, 0xec, 0x25, 0x55, 0x55, 0xbc, 0x06, 1, 0, 0, 0, 0x04, 0x5d, 0x88,
	0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0 };
static uint8_t request[REQUEST] = { 5, 0, 0, 3, 0x10, 0, 0, 0, REQUEST & 0xff, REQUEST >> 8, 0, 0,
	2, 0, 0, 0, (REQUEST - 24) & 0xff, (REQUEST - 24) >> 8, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0 };

static void
die(const char *what)
{
	fprintf(stderr, "relay_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
begin(int ep, struct client *c, uint16_t port, uint64_t number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
	struct linger now = { 1, 0 };
	int on = 1;

	from.sin_addr.s_addr = htonl(0x7f010001 + (uint32_t)(number % SOURCES));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->step = 0;
	c->len = 0;
	if (c->fd == -1)
		die("socket");
	/* No TIME_WAIT: a benchmark must not run out of ports. */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	/* The port is chosen when it is known where to. */
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == -1)
		die("bind");
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == -1)
		die("epoll_ctl");
}

static void
say(int ep, struct client *c, const uint8_t *pdu, size_t len)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	if (send(c->fd, pdu, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
	if (c->step++ == 0)
		epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
	c->len = 0;
}

/* 1: an exchange is done. */
static int
go_on(int ep, struct client *c)
{
	ssize_t n;

	if (c->step == 0) {
		say(ep, c, bind_pdu, sizeof(bind_pdu));
		return 0;
	}
	n = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, 0);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		die("closed early");
	c->len += (size_t)n;
	if (c->len < 16 || c->len < (size_t)(c->in[8] | c->in[9] << 8))
		return 0;
	if (c->in[2] != (c->step == 1 ? 12 : 2)) {
		errno = EPROTO;
		die("no answer but a refusal");
	}
	if (c->step == 2)
		return 1;
	say(ep, c, request, sizeof(request));
	return 0;
}

int
main(int argc, char **argv)
{
	static struct client clients[CONNECTIONS_MAX];
	struct epoll_event events[256];
	struct timespec from, to;
	uint64_t begun = 0, done = 0, wanted;
	unsigned connections;
	uint16_t port;
	double seconds;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 4)
		return 2;
	port = (uint16_t)atoi(argv[1]);
	connections = (unsigned)atoi(argv[2]);
	wanted = strtoull(argv[3], NULL, 10);
	if (connections == 0 || connections > CONNECTIONS_MAX)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < connections && begun < wanted; i++, begun++)
		begin(ep, &clients[i], port, begun);
	while (done < wanted) {
		int n = epoll_wait(ep, events, 256, 30000);

		if (n <= 0)
			die("nothing for 30 s");
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!go_on(ep, c))
				continue;
			close(c->fd);
			done++;
			if (begun++ < wanted)
				begin(ep, c, port, begun);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("exchanges=%llu seconds=%.3f rate=%.0f\n", (unsigned long long)done, seconds,
	    (double)done / seconds);
	return 0;
}
