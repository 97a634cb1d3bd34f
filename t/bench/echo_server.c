/*
 * echo_server - the yardstick of `make bench`: what libevent's plain events
 * cost for messages of kmsd's sizes, with nothing in between.
 *
 *   echo_server [-p port] [-n processes] [-q request bytes] [-r reply bytes] [-f file | -d file]
 *
 * Reads one message of so many bytes and answers with so many. Processes share the
 * port (SO_REUSEPORT), as the fronts do. Prints "port N" once it listens, then "pids N ...".
 *	-f	a record of the request's size is appended to file and synced before each answer
 *	-d	the durable echo: once in each turn of the event loop, what came is written to the
 *		file, which was filled with zeros in advance, and synced once; then all are
 *answered. That is the least that any server does which answers nothing before it is on disk.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_MAX 65536
#define ACCEPT_BURST 64
#define PROCESSES_MAX 32
#define TURN_MAX 1024 /* requests that are synced together, as in a batch of kmsd */
#define FILL_MAX                                                                                   \
	(64ll << 20) /* bytes of the file of -d: a segment of the journal; then from its start */

struct connection;

/* What came in one turn of the event loop of the durable echo. */
struct turn {
	bool on; /* -d */
	off_t at;
	size_t count;
	struct connection *of[TURN_MAX];
	uint8_t record[(size_t)TURN_MAX * 1024];
};

struct server {
	struct event_base *base;
	struct event accept;
	size_t request, reply;
	int file;
	uint8_t in[MESSAGE_MAX], out[MESSAGE_MAX];
	struct turn turn;
};

/* Requests come whole on a loopback; what is missing is only counted, not kept. */
struct connection {
	struct event event;
	struct server *server;
	int fd;
	size_t got, unsent;
};

static void
hang_up(struct connection *c)
{
	event_del(&c->event);
	close(c->fd);
	free(c);
}

static void
file_failed(void)
{
	perror("echo_server: file");
	exit(1);
}

static void
record(struct server *s)
{
	if (s->file == -1)
		return;
	if (write(s->file, s->in, s->request) != (ssize_t)s->request || fdatasync(s->file) == -1)
		file_failed();
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static void
wait_for(struct connection *c, short what)
{
	event_del(&c->event);
	event_assign(&c->event, c->server->base, c->fd, what | EV_PERSIST, on_event, c);
	event_add(&c->event, NULL);
}

/* Sends what is left of the reply. */
static void
answer(struct connection *c)
{
	struct server *s = c->server;

	while (c->unsent > 0) {
		ssize_t n = send(c->fd, s->out + s->reply - c->unsent, c->unsent, MSG_NOSIGNAL);

		if (n == -1 && errno == EAGAIN) {
			wait_for(c, EV_WRITE);
			return;
		}
		if (n <= 0) {
			hang_up(c);
			return;
		}
		c->unsent -= (size_t)n;
	}
}

/* The end of a turn: one write, one sync, then all answers. */
static void
settle(struct server *s)
{
	struct turn *t = &s->turn;
	size_t len = t->count * s->request;

	if (t->count == 0)
		return;
	if (t->at + (off_t)len > FILL_MAX)
		t->at = 0;
	if (pwrite(s->file, t->record, len, t->at) != (ssize_t)len || fdatasync(s->file) == -1)
		file_failed();
	t->at += (off_t)len;
	for (size_t i = 0; i < t->count; i++)
		answer(t->of[i]);
	t->count = 0;
}

static void
on_request(struct connection *c)
{
	struct server *s = c->server;
	struct turn *t = &s->turn;

	c->unsent = s->reply;
	if (!t->on) {
		record(s);
		answer(c);
		return;
	}
	memcpy(t->record + t->count * s->request, s->in, s->request);
	t->of[t->count++] = c;
	if (t->count == TURN_MAX)
		settle(s);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n;

	if (what & EV_WRITE) {
		wait_for(c, EV_READ);
		answer(c);
		return;
	}
	if (c->unsent > 0)
		return; /* its request waits for the end of the turn */
	n = recv(fd, c->server->in, c->server->request - c->got, 0);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			hang_up(c);
		return;
	}
	c->got += (size_t)n;
	if (c->got < c->server->request)
		return;
	c->got = 0;
	on_request(c);
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct server *s = arg;

	for (int i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c = fd != -1 ? calloc(1, sizeof(*c)) : NULL;

		if (c == NULL) {
			if (fd != -1)
				close(fd);
			return;
		}
		c->server = s;
		c->fd = fd;
		event_assign(&c->event, s->base, fd, EV_READ | EV_PERSIST, on_event, c);
		event_add(&c->event, NULL);
	}
}

static int
listen_on(uint16_t *port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(*port),
	};
	socklen_t len = sizeof(a);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 || listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1) {
		perror("echo_server: listen");
		exit(1);
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static void
serve(struct server *s, int listener)
{
	s->base = event_base_new();
	if (s->base == NULL)
		exit(1);
	event_assign(&s->accept, s->base, listener, EV_READ | EV_PERSIST, on_accept, s);
	event_add(&s->accept, NULL);
	while (event_base_loop(s->base, EVLOOP_ONCE) == 0)
		settle(s);
}

/* Written, not allocated: a sync of such a file writes no metadata. */
static int
filled(const char *path)
{
	static const uint8_t zeros[1 << 20];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	for (off_t at = 0; at < FILL_MAX; at += (off_t)sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) != (ssize_t)sizeof(zeros))
			return -1;
	return fsync(fd) == 0 ? fd : -1;
}

/* Every process has its own socket, bound before the first line is printed. */
static void
serve_all(struct server *s, uint16_t port, int processes)
{
	int listeners[PROCESSES_MAX];

	setvbuf(stdout, NULL, _IONBF, 0); /* nothing for a child to print again */
	for (int i = 0; i < processes; i++)
		listeners[i] = listen_on(&port);
	printf("port %u\npids", port);
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			/* does not outlive the benchmark, however that ends */
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			for (int j = 0; j < processes; j++)
				if (j != i)
					close(listeners[j]);
			serve(s, listeners[i]);
			_exit(1);
		}
		if (pid == -1) {
			perror("echo_server: fork");
			exit(1);
		}
		printf(" %d", (int)pid);
	}
	printf("\n");
	for (int i = 0; i < processes; i++)
		close(listeners[i]);
	while (wait(NULL) > 0)
		;
}

static size_t
size_of(const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (n == 0 || n > MESSAGE_MAX) {
		fprintf(stderr, "echo_server: a size is 1 to %d octets\n", MESSAGE_MAX);
		exit(2);
	}
	return n;
}

int
main(int argc, char **argv)
{
	static struct server s = { .request = 256, .reply = 256, .file = -1 };
	uint16_t port = 0;
	int c, processes = 1;

	while ((c = getopt(argc, argv, "p:n:q:r:f:d:")) != -1) {
		if (c == 'p')
			port = (uint16_t)atoi(optarg);
		else if (c == 'n')
			processes = atoi(optarg);
		else if (c == 'q')
			s.request = size_of(optarg);
		else if (c == 'r')
			s.reply = size_of(optarg);
		else if (c == 'f')
			s.file = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		else if (c == 'd')
			s.file = filled(optarg);
		else
			return 2;
		s.turn.on |= c == 'd';
		if ((c == 'f' || c == 'd') && s.file == -1) {
			perror(optarg);
			return 1;
		}
	}
	if (optind != argc || processes < 1 || processes > PROCESSES_MAX ||
	    (s.turn.on && (processes > 1 || s.request > sizeof(s.turn.record) / TURN_MAX))) {
		fprintf(stderr,
		    "usage: echo_server [-p port] [-n processes] [-q request octets] [-r reply octets] [-f file | -d file]\n");
		return 2;
	}
	memset(s.out, 0x4b, sizeof(s.out));
	serve_all(&s, port, processes);
	return 0;
}
