/*
 * standin_activate.c - stands in for kmsd and kmsd-activate, so that kmsd-front
 * can be tested alone: starts it over a real PARENT channel with real sockets, answers its requests
 * with an echo, and does on command (one a line on standard input) what a real activate should
 * never do.
 *
 *   standin_activate [-c credits] [-n files] [-s reply payload] FRONT INI
 *
 * Prints one line an event: "port N", "ready LAYERS", "failed STATUS", "request COUNT", "exit
 * STATUS", "signal N", and one line for each command.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/config_wire.h"
#include "kmsd/ipc/channel.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/base/address.h"
#include "libkms/base/wire.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define HELD_MAX 65536

struct held {
	uint64_t token;
	uint32_t length;
	uint8_t body[IPC_MAX_TO_ACTIVATE];
};

struct standin {
	pid_t child;
	int parent;
	struct ipc_channel *channel;
	uint32_t credits;
	uint32_t reply_size; /* 0: as long as the request */
	uint8_t reply_flags;
	bool hold;
	struct held *held; /* not answered yet */
	size_t held_count;
	uint64_t last_token;
	uint8_t address[16]; /* of the last request */
	uint16_t port;
	uint64_t seen;
	size_t most_held;
	bool over; /* the front went past its credits */
};

static void
die(const char *what)
{
	fprintf(stderr, "standin_activate: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
say(const char *word, unsigned long long number)
{
	printf("%s %llu\n", word, number);
	fflush(stdout);
}

/* A front's values of an ini file; of one that is not valid, something else. */
static int
config_memory(const char *path)
{
	uint8_t bytes[CONFIG_WIRE_MAX] = "not a configuration";
	struct config c;
	size_t len = 19;
	int fd;

	if (config_load(&c, path, NULL, 0) == 0)
		len = config_encode(bytes, &c, CONFIG_FRONT);
	fd = ipc_memory_write("kms.config", bytes, len);
	if (fd == -1)
		die("memfd");
	return fd;
}

static int
listen_any(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, 4096) == -1 || getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		die("listen");
	say("port", ntohs(a.sin_port));
	return fd;
}

static void
send_parent(const struct standin *s, uint8_t verb, int fd)
{
	const struct ipc_parent m = { .verb = verb, .fd = fd };

	/* a front that has already ended is reported by its exit status */
	if (ipc_parent_send(s->parent, &m) != KMS_OK && errno != EPIPE && errno != ECONNRESET)
		die("PARENT");
	if (fd != -1)
		close(fd);
}

static pid_t
spawn(const char *path, int parent, rlim_t files)
{
	struct rlimit limit = { files, files };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (files != 0 && setrlimit(RLIMIT_NOFILE, &limit) == -1)
		_exit(126);
	if (dup2(parent, IPC_PARENT_FD) == -1)
		_exit(126);
	if (parent == IPC_PARENT_FD)
		fcntl(parent, F_SETFD, 0);
	execl(path, path, (char *)NULL);
	_exit(127);
}

static void
start(struct standin *s, const char *front, const char *ini, rlim_t files)
{
	int parent[2], channel[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == -1)
		die("socketpair");
	s->child = spawn(front, parent[1], files);
	if (s->child == -1)
		die("fork");
	close(parent[1]);
	s->parent = parent[0];
	s->channel = ipc_channel_new(channel[0], IPC_MAX_TO_ACTIVATE);
	s->held = malloc(HELD_MAX * sizeof(*s->held));
	if (s->channel == NULL || s->held == NULL)
		die("memory");
	send_parent(s, IPC_CONFIG, config_memory(ini));
	send_parent(s, IPC_LISTEN, listen_any());
	send_parent(s, IPC_CHANNEL, channel[1]);
	send_parent(s, IPC_START, -1);
}

static void
put(struct standin *s, uint8_t verb, uint64_t token, const void *body, uint32_t length)
{
	const struct ipc_frame f = { .verb = verb,
		.flags = verb == IPC_REPLY ? s->reply_flags : 0,
		.token = token,
		.length = length };

	if (ipc_channel_put(s->channel, &f, body) != KMS_OK)
		die("put");
}

/* The request's own payload comes back, cut or padded with zeros to the length wanted. */
static void
echo(struct standin *s, const struct held *h, uint64_t token)
{
	static uint8_t body[FRAME_HEADER + FRAME_MAX_REPLY];
	uint32_t payload = h->length - FRAME_HEADER;
	uint32_t size = s->reply_size != 0 ? s->reply_size : payload;

	memset(body, 0, sizeof(body));
	frame_encode(body, h->body[5] == FRAME_HELLO ? FRAME_HELLO_REPLY : FRAME_REPLY, size);
	memcpy(body + FRAME_HEADER, h->body + FRAME_HEADER, payload < size ? payload : size);
	put(s, IPC_REPLY, token, body, FRAME_HEADER + size);
}

static void
answer_held(struct standin *s)
{
	for (size_t i = 0; i < s->held_count; i++) {
		echo(s, &s->held[i], s->held[i].token);
		s->last_token = s->held[i].token;
	}
	s->held_count = 0;
}

static void
on_frame(struct standin *s, const struct ipc_frame *f, const uint8_t *body)
{
	uint8_t welcome[8];
	struct wire_writer w;
	struct ipc_front_stats t;

	if (f->verb == IPC_FRONT_READY) {
		wire_writer_init(&w, welcome, sizeof(welcome));
		wire_put_u32(&w, IPC_VERSION);
		wire_put_u32(&w, s->credits);
		put(s, IPC_WELCOME, 0, welcome, sizeof(welcome));
	} else if (f->verb == IPC_HELLO || f->verb == IPC_REQUEST) {
		struct held *h = &s->held[s->held_count++];

		h->token = f->token;
		h->length = f->length;
		memcpy(h->body, body, f->length);
		s->seen++;
		memcpy(s->address, f->address, 16);
		s->port = f->port;
		if (s->held_count > s->most_held)
			s->most_held = s->held_count;
		if (s->held_count > s->credits || s->held_count == HELD_MAX)
			s->over = true;
		if (s->hold)
			say("request", s->seen);
	} else if (f->verb == IPC_FRONT_STATS &&
		   ipc_front_stats_decode(&t, body, f->length) == KMS_OK) {
		printf(
		    "stats accepted=%llu closed=%llu open=%llu requests=%llu replies=%llu refused_frames=%llu timeouts=%llu refused_connections=%llu evicted=%llu\n",
		    (unsigned long long)t.accepted, (unsigned long long)t.closed,
		    (unsigned long long)t.open, (unsigned long long)t.requests,
		    (unsigned long long)t.replies, (unsigned long long)t.refused_frames,
		    (unsigned long long)t.timeouts, (unsigned long long)t.refused_connections,
		    (unsigned long long)t.evicted);
		fflush(stdout);
	} else {
		say("bad-verb", f->verb);
	}
}

static bool
on_channel(struct standin *s)
{
	struct ipc_frame f;
	const uint8_t *body;
	int n;

	if (ipc_channel_fill(s->channel) != KMS_OK)
		return false;
	while ((n = ipc_channel_next(s->channel, &f, &body)) > 0)
		on_frame(s, &f, body);
	if (n < 0)
		die("malformed frame from the front");
	if (!s->hold)
		answer_held(s);
	return true;
}

/* Replies that no honest activate sends. */
static void
wrong_tokens(struct standin *s)
{
	uint64_t right = s->held_count > 0 ? s->held[0].token : s->last_token;
	struct held lie = { .length = FRAME_HEADER + 4 };

	frame_encode(lie.body, FRAME_REQUEST, 4);
	memcpy(lie.body + FRAME_HEADER, "LIE!", 4);
	echo(s, &lie, right + (UINT64_C(1) << 32)); /* a later client in this slot */
	echo(s, &lie, right | 0xffffff00u);         /* no such slot */
	echo(s, &lie, (uint32_t)right);             /* generation 0 */
}

static void
on_command(struct standin *s, char *line)
{
	char *word = strtok(line, " "), *arg = strtok(NULL, " ");

	if (word == NULL)
		return;
	if (strcmp(word, "hold") == 0) {
		s->hold = true;
	} else if (strcmp(word, "answer") == 0) {
		s->hold = false;
		answer_held(s);
	} else if (strcmp(word, "size") == 0 && arg != NULL) {
		s->reply_size = (uint32_t)atoi(arg);
	} else if (strcmp(word, "close") == 0 && arg != NULL) {
		s->reply_flags = atoi(arg) ? IPC_CLOSE : 0;
	} else if (strcmp(word, "wrong-tokens") == 0) {
		wrong_tokens(s);
	} else if (strcmp(word, "not-a-frame") == 0 && s->held_count > 0) {
		put(s, IPC_REPLY, s->held[--s->held_count].token, "HTTP/1.1 200 OK\r\n", 17);
	} else if (strcmp(word, "bad-verb") == 0) {
		put(s, IPC_REQUEST, 0, NULL, 0);
	} else if (strcmp(word, "stats") == 0) {
		put(s, IPC_STATS_ASK, 0, NULL, 0);
	} else if (strcmp(word, "reload") == 0 && arg != NULL) {
		send_parent(s, IPC_RELOAD, config_memory(arg));
	} else if (strcmp(word, "stop") == 0) {
		send_parent(s, IPC_STOP, -1);
	} else if (strcmp(word, "hang-up") == 0) {
		shutdown(ipc_channel_fd(s->channel), SHUT_RDWR);
	} else if (strcmp(word, "pid") == 0) {
		say("pid", (unsigned long long)s->child);
		return;
	} else if (strcmp(word, "address") == 0) {
		char text[ADDRESS_TEXT];

		printf("address %s %u\n", address_text(text, s->address), s->port);
		fflush(stdout);
		return;
	} else if (strcmp(word, "count") == 0) {
		printf("count seen=%llu most=%zu over=%d\n", (unsigned long long)s->seen,
		    s->most_held, s->over);
		fflush(stdout);
		return;
	} else {
		say("unknown-command", 0);
		return;
	}
	printf("ok %s\n", word);
	fflush(stdout);
}

/* Whole lines from standard input; false at its end. */
static bool
on_stdin(struct standin *s)
{
	static char buffer[4096];
	static size_t have;
	ssize_t n = read(STDIN_FILENO, buffer + have, sizeof(buffer) - have - 1);
	char *end;

	if (n <= 0)
		return false;
	have += (size_t)n;
	while ((end = memchr(buffer, '\n', have)) != NULL) {
		size_t used = (size_t)(end - buffer) + 1;

		*end = '\0';
		on_command(s, buffer);
		have -= used;
		memmove(buffer, end + 1, have);
	}
	return true;
}

/* False: the front has closed its end. */
static bool
on_parent(struct standin *s)
{
	struct ipc_parent m;

	if (ipc_parent_recv(s->parent, &m) != KMS_OK)
		return false;
	say(m.verb == IPC_CHILD_READY ? "ready" : "failed", m.value);
	return true;
}

static void
report_exit(const struct standin *s)
{
	int status;

	if (waitpid(s->child, &status, 0) != s->child)
		die("waitpid");
	if (WIFSIGNALED(status))
		say("signal", (unsigned)WTERMSIG(status));
	else
		say("exit", (unsigned)WEXITSTATUS(status));
}

static void
run(struct standin *s)
{
	struct pollfd p[3] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = s->parent, .events = POLLIN },
		{ .fd = ipc_channel_fd(s->channel), .events = POLLIN },
	};

	for (;;) {
		p[2].events = POLLIN | (ipc_channel_pending(s->channel) ? POLLOUT : 0);
		if (poll(p, 3, -1) == -1 && errno != EINTR)
			die("poll");
		if (p[2].fd != -1 && (p[2].revents & (POLLIN | POLLHUP)) && !on_channel(s))
			p[2].fd = -1;
		if ((p[1].revents & (POLLIN | POLLHUP)) && !on_parent(s))
			break;
		if ((p[0].revents & (POLLIN | POLLHUP)) && !on_stdin(s)) {
			kill(s->child, SIGKILL);
			break;
		}
		if (p[2].fd != -1 && ipc_channel_flush(s->channel) != KMS_OK)
			p[2].fd = -1;
	}
	report_exit(s);
}

int
main(int argc, char **argv)
{
	struct standin s = { .credits = 64 };
	rlim_t files = 0;
	int c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "c:n:s:")) != -1) {
		if (c == 'c')
			s.credits = (uint32_t)atoi(optarg);
		else if (c == 'n')
			files = (rlim_t)atoi(optarg);
		else if (c == 's')
			s.reply_size = (uint32_t)atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr,
		    "usage: standin_activate [-c credits] [-n files] [-s size] FRONT INI\n");
		return 2;
	}
	start(&s, argv[optind], argv[optind + 1], files);
	run(&s);
	ipc_channel_free(s.channel);
	free(s.held);
	return 0;
}
