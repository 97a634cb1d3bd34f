/*
 * echo_server - the yardstick of `make bench`: what libevent's plain events
 * cost for messages of kmsd's sizes, with nothing in between.
 *
 *   echo_server [-p port] [-n processes] [-q request bytes] [-r reply bytes] [-f file]
 *
 * Reads one message of so many bytes and answers with so many; with -f, a record of
 * the request's size is appended to file and fdatasync'd before each answer. Processes share the
 * port (SO_REUSEPORT), as the fronts do. Prints "port N" once it listens, then "pids N ...".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
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

struct server {
	struct event_base *base;
	struct event accept;
	size_t request, reply;
	int file;
	uint8_t in[MESSAGE_MAX], out[MESSAGE_MAX];
};

/* Requests come whole on a loopback; what is missing is only counted, not kept. */
struct connection {
	struct event event;
	struct server *server;
	size_t got, unsent;
};

static void
hang_up(struct connection *c, int fd)
{
	event_del(&c->event);
	close(fd);
	free(c);
}

static void
record(struct server *s)
{
	if (s->file == -1)
		return;
	if (write(s->file, s->in, s->request) != (ssize_t)s->request || fdatasync(s->file) == -1) {
		perror("echo_server: file");
		exit(1);
	}
}

/* False: the connection is gone. */
static int
answer(struct connection *c, int fd)
{
	struct server *s = c->server;

	while (c->unsent > 0) {
		ssize_t n = send(fd, s->out + s->reply - c->unsent, c->unsent, MSG_NOSIGNAL);

		if (n == -1 && errno == EAGAIN)
			return 1;
		if (n <= 0) {
			hang_up(c, fd);
			return 0;
		}
		c->unsent -= (size_t)n;
	}
	return 1;
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;
	size_t waiting = c->unsent;
	ssize_t n;

	if (waiting > 0) {
		if (answer(c, fd) && c->unsent == 0) {
			event_del(&c->event);
			event_assign(&c->event, s->base, fd, EV_READ | EV_PERSIST, on_event, c);
			event_add(&c->event, NULL);
		}
		return;
	}
	n = recv(fd, s->in, s->request - c->got, 0);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			hang_up(c, fd);
		return;
	}
	c->got += (size_t)n;
	if (c->got < s->request)
		return;
	c->got = 0;
	c->unsent = s->reply;
	record(s);
	if (answer(c, fd) && c->unsent > 0) {
		event_del(&c->event);
		event_assign(&c->event, s->base, fd, EV_WRITE | EV_PERSIST, on_event, c);
		event_add(&c->event, NULL);
	}
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
	event_base_dispatch(s->base);
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

	while ((c = getopt(argc, argv, "p:n:q:r:f:")) != -1) {
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
		else
			return 2;
		if (c == 'f' && s.file == -1) {
			perror(optarg);
			return 1;
		}
	}
	if (optind != argc || processes < 1 || processes > PROCESSES_MAX) {
		fprintf(stderr,
		    "usage: echo_server [-p port] [-n processes] [-q request octets] [-r reply octets] [-f file]\n");
		return 2;
	}
	memset(s.out, 0x4b, sizeof(s.out));
	serve_all(&s, port, processes);
	return 0;
}
