/*
 * siege - clients that do not give up, for the kill tests.
 *
 * --clients pretend clients, each on a connection of its own, activate and renew as fast as they
 * are answered until the host goes away; then siege exits 0. Each lease that verifies is
 * appended to --acks (u32 length, bundle): that is what the host has acknowledged.
 * Keys, sequence numbers and the request that was in flight are kept in --state, so
 * that the next siege begins, as a product would, by asking the same question again.
 *
 * --churn: a new connection for every request, until SIGTERM; a connection that is refused, or ends
 * before it was answered, is counted as dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"
#include "t/lib/player.h"

#define MAX_CLIENTS 256
#define IDLE_MS 20000

/* One client in the state file. */
struct slot {
	struct player player;
	uint8_t made;
	uint8_t pending; /* frame was sent and not answered */
	uint8_t frame[PLAYER_REQUEST];
};

struct conn {
	int fd;
	size_t got;
	uint8_t reply[PLAYER_REPLY];
};

struct siege {
	struct player_host host;
	uint8_t product[16];
	struct slot *slot;
	struct conn conn[MAX_CLIENTS];
	unsigned clients;
	int acks;
	uint64_t acknowledged, repeated, refused, dropped;
	bool churn;
};

static void
append_ack(struct siege *s, const uint8_t *bundle, size_t len)
{
	uint8_t record[4 + FRAME_MAX_REPLY];
	struct wire_writer w;

	wire_writer_init(&w, record, sizeof(record));
	wire_put_u32(&w, (uint32_t)len);
	wire_put(&w, bundle, len);
	if (w.bad || write(s->acks, record, wire_written(&w)) != (ssize_t)wire_written(&w))
		player_die("acks");
	s->acknowledged++;
}

/* False when the host is gone. */
static bool
ask(struct siege *s, unsigned i)
{
	struct slot *sl = &s->slot[i];
	struct message_request m = { .operation = MESSAGE_RENEW, .state = MESSAGE_ACTIVATED };

	s->conn[i].got = 0;
	if (sl->pending)
		s->repeated++;
	else {
		if (sl->player.sequence == 0)
			m.operation = MESSAGE_ACTIVATE;
		player_seal(sl->frame, &sl->player, &s->host, &m, s->product, i);
		sl->pending = 1;
	}
	return send(s->conn[i].fd, sl->frame, PLAYER_REQUEST, MSG_NOSIGNAL) == PLAYER_REQUEST;
}

static void
answered(struct siege *s, unsigned i, size_t len)
{
	struct slot *sl = &s->slot[i];
	uint8_t text[FRAME_MAX_REPLY];
	const uint8_t *bundle;
	size_t bundle_len;
	int rc;

	if (s->conn[i].reply[5] == FRAME_ERROR) {
		s->refused++;
		return; /* overload and the like: asked again as it was */
	}
	rc = player_open(
	    &sl->player, &s->host, s->product, s->conn[i].reply, len, text, &bundle, &bundle_len);
	if (rc >= KMS_E_LOCAL)
		player_die(kms_strerror((uint32_t)rc));
	if (rc == KMS_OK)
		append_ack(s, bundle, bundle_len);
	else if (rc == KMS_E_LEDGER || rc == KMS_E_OVERLOAD) {
		s->refused++;
		return;
	} else if (rc != KMS_E_COUNT_TOO_LOW) {
		fprintf(stderr, "siege: client %u: %s\n", i, kms_strerror((uint32_t)rc));
		exit(1);
	}
	sl->pending = 0;
}

/* 1: a whole answer; 0: not yet; -1: the host is gone. */
static int
hear(struct siege *s, unsigned i)
{
	struct conn *c = &s->conn[i];
	ssize_t n = recv(c->fd, c->reply + c->got, sizeof(c->reply) - c->got, 0);
	struct frame f;

	if (n <= 0)
		return -1;
	c->got += (size_t)n;
	if (c->got < FRAME_HEADER)
		return 0;
	if (frame_decode(&f, c->reply, FRAME_MAX_REPLY) != KMS_OK)
		player_die("reply frame");
	if (c->got < FRAME_HEADER + f.length)
		return 0;
	answered(s, i, FRAME_HEADER + f.length);
	return 1;
}

/* False when the host is gone. */
static bool
readable(struct siege *s, unsigned i)
{
	int n = hear(s, i);

	return n == 0 || (n > 0 && ask(s, i));
}

static void
attack(struct siege *s)
{
	struct pollfd p[MAX_CLIENTS];

	for (unsigned i = 0; i < s->clients; i++) {
		if ((s->conn[i].fd = player_connect(&s->host)) == -1 || !ask(s, i))
			return;
		p[i] = (struct pollfd){ .fd = s->conn[i].fd, .events = POLLIN };
	}
	for (;;) {
		int n = poll(p, s->clients, IDLE_MS);

		if (n == 0)
			player_die("the host is there but does not answer");
		for (unsigned i = 0; i < s->clients; i++)
			if (p[i].revents && !readable(s, i))
				return;
	}
}

static volatile sig_atomic_t ended;

static void
on_term(int number)
{
	ended = number;
}

/* Each client for itself: connect, ask, hear, close, again. Nothing asked is left unanswered at the
 * end. */
static void
churn(struct siege *s)
{
	struct pollfd p[MAX_CLIENTS];
	unsigned i, open_ones;
	int n;

	for (i = 0; i < s->clients; i++)
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	do {
		open_ones = 0;
		for (i = 0; i < s->clients; i++) {
			if (p[i].fd == -1 && !ended) {
				s->conn[i].fd = p[i].fd = player_connect(&s->host);
				if (p[i].fd == -1 || !ask(s, i))
					s->dropped++;
			}
			open_ones += p[i].fd != -1;
		}
		n = open_ones > 0 ? poll(p, s->clients, IDLE_MS) : 0;
		if (n == 0 && open_ones > 0)
			player_die("the host is there but does not answer");
		for (i = 0; n > 0 && i < s->clients; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			n = hear(s, i);
			if (n == 0)
				continue;
			if (n < 0)
				s->dropped++;
			close(p[i].fd);
			p[i].fd = -1;
			n = 1;
		}
	} while (!ended || open_ones > 0);
}

static void
map_state(struct siege *s, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	size_t size = sizeof(struct slot) * MAX_CLIENTS;

	if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
		player_die(path);
	s->slot = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->slot == MAP_FAILED)
		player_die("mmap");
	close(fd);
	for (unsigned i = 0; i < s->clients; i++)
		if (!s->slot[i].made) {
			player_make(&s->slot[i].player, &s->host, 7, i);
			s->slot[i].made = 1;
		}
}

int
main(int argc, char **argv)
{
	static struct siege s;
	static const struct option longs[] = { { "host", 1, NULL, 'h' }, { "port", 1, NULL, 'p' },
		{ "publisher", 1, NULL, 'k' }, { "product", 1, NULL, 'P' },
		{ "clients", 1, NULL, 'c' }, { "state", 1, NULL, 's' }, { "acks", 1, NULL, 'a' },
		{ "churn", 0, NULL, 'C' }, { NULL, 0, NULL, 0 } };
	const char *host = "127.0.0.1", *key = NULL, *state = NULL, *acks = NULL;
	uint16_t port = 0;
	int ch, rc;

	s.clients = 32;
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (ch) {
		case 'h':
			host = optarg;
			break;
		case 'p':
			port = (uint16_t)atoi(optarg);
			break;
		case 'k':
			key = optarg;
			break;
		case 'P':
			player_uuid(s.product, optarg);
			break;
		case 'c':
			s.clients = (unsigned)atoi(optarg);
			break;
		case 's':
			state = optarg;
			break;
		case 'a':
			acks = optarg;
			break;
		case 'C':
			s.churn = true;
			break;
		default:
			return 1;
		}
	if (!key || !state || !acks || port == 0 || s.clients > MAX_CLIENTS ||
	    sodium_init() == -1) {
		fprintf(stderr,
		    "usage: siege --port N --publisher KEY --product UUID --state FILE --acks FILE [--host ADDRESS] [--clients N] [--churn]\n");
		return 1;
	}
	player_host_set(&s.host, host, port, key);
	if ((rc = player_hello(&s.host)) != KMS_OK)
		player_die(kms_strerror((uint32_t)rc));
	map_state(&s, state);
	if ((s.acks = open(acks, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) == -1)
		player_die(acks);
	signal(SIGTERM, on_term);
	if (s.churn)
		churn(&s);
	else
		attack(&s);
	printf("acknowledged=%llu repeated=%llu refused=%llu dropped=%llu\n",
	    (unsigned long long)s.acknowledged, (unsigned long long)s.repeated,
	    (unsigned long long)s.refused, (unsigned long long)s.dropped);
	return 0;
}
