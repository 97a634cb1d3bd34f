/*
 * standin.c - a small host for tests of the client's transport and checks:
 * answers well, or wrongly in one named way. Not kmsd and no model for one.
 *
 *	standin [-6] [-s SEED] [-n HIGHEST] [-e SECONDS] [-c CUSTOMER] [-o WHAT=NUMBER]
 *	    MODE[:WHAT=NUMBER...][,MODE...]
 *
 * Listens on a free port of 127.0.0.1 (-6: ::1), prints "PORT KEY", serves one
 * connection after the other until standard input ends. The n-th connection is
 * served in the n-th mode, all later ones in the last. SEED makes the host's
 * keys, HIGHEST is the sequence number it has seen, SECONDS from now its
 * certificate ends, CUSTOMER is the certificate's, and WHAT it tells is NUMBER
 * (rows of told), in all connections or in that one: a host that is hostile, and
 * whose seals are good.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/core/seal.h"
#include "libkms/kms_error.h"
#include "t/lib/testhost.h"

#define YEAR (365 * 24 * 3600ull)

struct told {
	bool set;
	uint64_t number;
};

struct standin {
	struct says {
		struct told status, interval, renewal, retry, count, time, life, renew;
		struct told batch;     /* number of the lease's batch; not told: microseconds */
		struct told show;      /* of the header that it wants */
		struct told challenge; /* its octets, with KMS_E_SEQUENCE */
		struct told ahead;     /* seconds by which the lease is dated ahead */
	} says, always;                /* in this connection, in all */
	struct testhost host;
	struct testhost liar; /* other keys, same certificate fields */
	const char *mode;
	uint64_t highest;
	uint8_t last_id[16];
	uint8_t challenge[MESSAGE_ECHO_SIZE];
	uint8_t request[FRAME_HEADER + FRAME_MAX_REQUEST];
	size_t request_len;
	uint8_t answer[FRAME_HEADER + FRAME_MAX_REPLY + 64];
	size_t answer_len;
	uint8_t bundle[LEASE_MAX];
};

static uint64_t
tell(const struct told *t, uint64_t otherwise)
{
	return t->set ? t->number : otherwise;
}

/* A record that never goes back, also over the lives of several stand-ins. */
static uint64_t
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool
is(const struct standin *s, const char *mode)
{
	return strcmp(s->mode, mode) == 0;
}

static bool
read_exactly(int fd, uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, out, len);

		if (n <= 0)
			return false;
		out += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
read_request(struct standin *s, int fd, struct frame *f)
{
	if (!read_exactly(fd, s->request, FRAME_HEADER) ||
	    frame_decode(f, s->request, FRAME_MAX_REQUEST) != KMS_OK ||
	    !read_exactly(fd, s->request + FRAME_HEADER, f->length))
		return false;
	s->request_len = FRAME_HEADER + f->length;
	return true;
}

static void
clear_error(struct standin *s, uint32_t status, uint32_t retry_after)
{
	struct frame_error e = {
		.status = status, .retry_after = retry_after, .time = (uint64_t)time(NULL)
	};

	frame_error_encode(s->answer, &e);
	s->answer_len = FRAME_ERROR_SIZE;
}

static void
hello(struct standin *s)
{
	struct message_hello_reply m = { .time = (uint64_t)time(NULL) };
	struct testhost *h = is(s, "wrong-certificate") ? &s->liar : &s->host;
	size_t n;

	m.exchange = h->statement;
	m.certificate = h->certificate;
	m.certificate_len = h->certificate_len;
	n = message_hello_reply_encode(s->answer + FRAME_HEADER, FRAME_MAX_REPLY, &m);
	frame_encode(s->answer, FRAME_HELLO_REPLY, (uint32_t)n);
	s->answer_len = FRAME_HEADER + n;
}

static void
spoil_entry(const struct standin *s, struct entry_client *e)
{
	if (is(s, "other-client"))
		e->cmid[0] ^= 1;
	if (is(s, "other-product"))
		uuid_parse(e->product, TESTHOST_OTHER);
	if (is(s, "other-request"))
		e->request_id[0] ^= 1;
	if (is(s, "other-sequence"))
		e->sequence++;
	if (is(s, "not-a-lease")) {
		e->kind = ENTRY_SEEN;
		e->status = KMS_E_COUNT_TOO_LOW;
		e->renew_after = 0;
	}
	if (is(s, "does-not-count"))
		e->until = 0;
	if (is(s, "early-lease"))
		e->time -= 4 * 3600 + 60;
	if (is(s, "late-lease")) {
		e->time += 4 * 3600 + 60;
		e->until += 1440;
	}
	if (s->says.ahead.set) {
		e->time += s->says.ahead.number;
		e->until = entry_counts_until(e->time, 30 * 1440);
		e->expires += s->says.ahead.number;
		e->renew_after += s->says.ahead.number;
	}
	if (is(s, "expired")) {
		e->time -= 7200;
		e->expires = e->time + 60;
		e->renew_after = e->time + 30;
	}
	e->expires = s->says.life.set ? e->time + s->says.life.number : e->expires;
	e->renew_after = s->says.renew.set ? e->time + s->says.renew.number : e->renew_after;
	if (is(s, "outlives-certificate"))
		e->expires = s->host.cert.not_after + 1;
}

static void
give_lease(struct standin *s, const struct message_request *m, const uint8_t *pk,
    struct message_reply *reply)
{
	struct testhost *h = is(s, "wrong-signature") ? &s->liar : &s->host;
	struct aside names = { 0 };
	struct entry_client e;
	struct lease l;

	memcpy(names.salt, m->salt, sizeof(names.salt));
	snprintf(names.name, sizeof(names.name), "%s", is(s, "other-name") ? "other" : m->name);
	testhost_entry(h, &e, &names, pk, (uint64_t)time(NULL), is(s, "long") ? 14400 : 1440);
	memcpy(e.request_id, m->request_id, sizeof(e.request_id));
	e.sequence = m->sequence;
	spoil_entry(s, &e);
	reply->bundle = s->bundle;
	h->batch = tell(&s->says.batch, microseconds());
	if (is(s, "wrong-names"))
		names.address[15] ^= 1;
	reply->bundle_len =
	    testhost_bundle(h, s->bundle, sizeof(s->bundle), &e, is(s, "no-names") ? NULL : &names);
	if (is(s, "wrong-proof") && lease_decode(&l, s->bundle, reply->bundle_len) == KMS_OK)
		s->bundle[l.proof - s->bundle] ^= 1;
	if (is(s, "cut-lease"))
		reply->bundle_len--;
}

static uint32_t
status_of(struct standin *s, const struct message_request *m)
{
	static const struct {
		const char *mode;
		uint32_t status;
	} table[] = {
		{ "count", KMS_E_COUNT_TOO_LOW },
		{ "skew", KMS_E_TIME_SKEW },
		{ "vm", KMS_E_VM_REFUSED },
		{ "ledger", KMS_E_LEDGER },
		{ "capacity", KMS_E_CAPACITY },
		{ "unknown-client", KMS_E_UNKNOWN_CLIENT },
		{ "revoked", KMS_E_REVOKED },
		{ "bad-request", KMS_E_BAD_REQUEST },
	};
	size_t i;

	if (is(s, "sequence"))
		return KMS_E_SEQUENCE;
	if (m->sequence < s->highest ||
	    (m->sequence == s->highest && memcmp(m->request_id, s->last_id, 16) != 0))
		return KMS_E_SEQUENCE;
	s->highest = m->sequence;
	memcpy(s->last_id, m->request_id, sizeof(s->last_id));
	if (s->says.status.set)
		return (uint32_t)s->says.status.number;
	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (is(s, table[i].mode))
			return table[i].status;
	return KMS_OK;
}

static void
answer_text(struct standin *s, const struct message_request *m, const uint8_t *pk,
    struct message_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	memcpy(reply->request_id, m->request_id, sizeof(reply->request_id));
	reply->status = status_of(s, m);
	reply->time =
	    tell(&s->says.time, (uint64_t)time(NULL) + (is(s, "skew") ? 5 * 3600 + 180 : 0));
	reply->count = (uint32_t)tell(&s->says.count, is(s, "count") ? 7 : 25);
	reply->required = (uint32_t)tell(&s->says.count, 25);
	reply->activation_interval = (uint32_t)tell(&s->says.interval, 120);
	reply->renewal_interval = (uint32_t)tell(&s->says.renewal, 10080);
	reply->show = tell(&s->says.show, 0);
	if (reply->status == KMS_E_SEQUENCE) {
		reply->highest_sequence = is(s, "sequence") ? m->sequence + 5 : s->highest;
		memset(s->challenge, (int)tell(&s->says.challenge, 0), sizeof(s->challenge));
		reply->challenge = s->says.challenge.set ? s->challenge : NULL;
	}
	if (is(s, "ledger"))
		reply->retry_after = 60;
	reply->retry_after = (uint32_t)tell(&s->says.retry, reply->retry_after);
	if (is(s, "bad-request"))
		memset(reply->request_id, 0, sizeof(reply->request_id));
	if (is(s, "replayed"))
		reply->request_id[3] ^= 1;
	if (reply->status == KMS_OK && m->operation != MESSAGE_RELEASE && !is(s, "no-lease"))
		give_lease(s, m, pk, reply);
}

static void
note_tlv(const char *what, const uint8_t *octets, size_t len)
{
	char hex[2 * MESSAGE_HEADER_SIZE + 1];

	if (octets == NULL)
		return;
	hex_format(hex, octets, len);
	printf(" %s %s", what, hex);
}

/* Prints what it was asked: the test sees requests repeated or made anew. */
static void
note(const struct message_request *m)
{
	char id[UUID_TEXT];

	uuid_format(id, m->request_id);
	printf("request %d sequence %llu id %s name %s flags %u state %u", m->operation,
	    (unsigned long long)m->sequence, id, m->name, m->flags, m->state);
	if (m->user[0] != '\0')
		printf(" user %s", m->user);
	if (m->borrow != 0)
		printf(" borrow %u", m->borrow);
	note_tlv("witness", m->witness, MESSAGE_WITNESS_SIZE);
	note_tlv("header", m->header, MESSAGE_HEADER_SIZE);
	note_tlv("echo", m->echo, MESSAGE_ECHO_SIZE);
	note_tlv("binding", m->binding, MESSAGE_BINDING_SIZE);
	note_tlv("after", m->after, (size_t)16 * m->after_count);
	putchar('\n');
	fflush(stdout);
}

static bool
request(struct standin *s)
{
	struct seal_request_view v;
	struct seal_keys keys;
	struct message_request m;
	struct message_reply reply;
	uint8_t text[FRAME_MAX_REPLY];
	size_t len;

	if (seal_request_parse(&v, s->request, s->request_len) != KMS_OK)
		return false;
	if (is(s, "wrong-certificate") || is(s, "unknown-host") ||
	    memcmp(v.host_id, s->host.cert.host_id, 16) != 0) {
		clear_error(s, KMS_E_UNKNOWN_HOST, 0);
		return true;
	}
	if (seal_host_keys(&keys, s->host.exchange.pk, s->host.kx_sk, v.client_pk) != KMS_OK ||
	    seal_open_request(text, sizeof(text), &len, &keys, s->request, s->request_len) !=
		KMS_OK ||
	    message_request_decode(&m, text, len) != KMS_OK)
		return false;
	note(&m);
	if (is(s, "drop-echo") && m.echo != NULL)
		return false;
	answer_text(s, &m, v.client_pk, &reply);
	len = message_reply_encode(text, sizeof(text), &reply);
	s->answer_len = seal_reply(s->answer, sizeof(s->answer), &keys, NULL, text, len);
	if (is(s, "bad-seal"))
		s->answer[s->answer_len - 1] ^= 1;
	return s->answer_len > 0;
}

/* Modes that answer a request with something that is no sealed reply. */
static bool
break_answer(struct standin *s)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
	static const struct {
		const char *mode;
		uint32_t status, retry;
	} errors[] = {
		{ "overload", KMS_E_OVERLOAD, 7 },
		{ "not-confirmed", KMS_E_NOT_CONFIRMED, 0 },
		{ "clear-ok", KMS_OK, 0 },
		{ "clear-count", KMS_E_COUNT_TOO_LOW, 0 },
		{ "clear-revoked", KMS_E_REVOKED, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (is(s, errors[i].mode)) {
			clear_error(
			    s, errors[i].status, (uint32_t)tell(&s->says.retry, errors[i].retry));
			return true;
		}
	}
	if (is(s, "garbage")) {
		memcpy(s->answer, http, sizeof(http));
		s->answer_len = sizeof(http) - 1;
		return true;
	}
	if (is(s, "oversize") || is(s, "wrong-type") || is(s, "wrong-version")) {
		frame_encode(s->answer, is(s, "wrong-type") ? FRAME_REQUEST : FRAME_REPLY,
		    is(s, "oversize") ? FRAME_MAX_REPLY + 1 : 40);
		memset(s->answer + FRAME_HEADER, 'x', 40);
		if (is(s, "wrong-version"))
			s->answer[4] = 9;
		s->answer_len = FRAME_HEADER + 40;
		return true;
	}
	return false;
}

static bool
wait_closed(int fd)
{
	uint8_t sink[256];

	while (read(fd, sink, sizeof(sink)) > 0)
		;
	return false;
}

static bool
deliver(struct standin *s, int fd)
{
	size_t i, len = is(s, "half") ? s->answer_len / 2 : s->answer_len;
	bool drip = is(s, "drip") || is(s, "drip-slow");

	if (!drip)
		return send(fd, s->answer, len, MSG_NOSIGNAL) == (ssize_t)len && !is(s, "half");
	for (i = 0; i < len; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (send(fd, s->answer + i, 1, MSG_NOSIGNAL) != 1)
			return false;
		/* The pace is the mode itself, and a client that hangs up ends it. */
		if (is(s, "drip-slow") && poll(&p, 1, 100) != 0)
			return false;
	}
	return true;
}

static void
serve(struct standin *s, int fd)
{
	struct frame f;

	if (is(s, "close"))
		return;
	if (is(s, "silent") && !wait_closed(fd))
		return;
	while (read_request(s, fd, &f)) {
		if (is(s, "close-after-request"))
			return;
		if (!break_answer(s)) {
			if (f.type == FRAME_HELLO)
				hello(s);
			else if (f.type != FRAME_REQUEST || !request(s))
				return;
		}
		if (!deliver(s, fd))
			return;
	}
}

static int
listen_on(bool six, uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *at = six ? (struct sockaddr *)&b : (struct sockaddr *)&a;
	socklen_t len = six ? sizeof(b) : sizeof(a);
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, at, len) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, at, &len) != 0) {
		perror("standin: listen");
		exit(1);
	}
	*port = ntohs(six ? b.sin6_port : a.sin_port);
	return fd;
}

static bool
take_told(struct says *says, const char *text)
{
	static const struct {
		const char *what;
		size_t offset;
	} rows[] = {
#define ROW(what) { #what, offsetof(struct says, what) }
		ROW(status),
		ROW(interval),
		ROW(renewal),
		ROW(retry),
		ROW(count),
		ROW(time),
		ROW(life),
		ROW(renew),
		ROW(batch),
		ROW(show),
		ROW(challenge),
		ROW(ahead),
	};
	size_t len = strcspn(text, "=");

	for (size_t i = 0; text[len] == '=' && i < sizeof(rows) / sizeof(*rows); i++)
		if (strlen(rows[i].what) == len && memcmp(rows[i].what, text, len) == 0) {
			struct told *t = (struct told *)((char *)says + rows[i].offset);

			*t = (struct told){ true, strtoull(text + len + 1, NULL, 10) };
			return true;
		}
	return false;
}

/* MODE:WHAT=NUMBER... of one connection. */
static void
take_mode(struct standin *s, char *text)
{
	char *next = NULL, *what;

	s->says = s->always;
	s->mode = strtok_r(text, ":", &next);
	while ((what = strtok_r(NULL, ":", &next)) != NULL)
		if (!take_told(&s->says, what)) {
			fprintf(stderr, "standin: %s\n", what);
			exit(2);
		}
}

static void
loop(struct standin *s, int listener, char *modes)
{
	struct pollfd p[2] = { { .fd = listener, .events = POLLIN },
		{ .fd = 0, .events = POLLIN } };
	char *next = NULL;

	take_mode(s, strtok_r(modes, ",", &next));
	for (;;) {
		char *following;
		int fd, one = 1;

		if (poll(p, 2, -1) < 0 || p[1].revents != 0)
			return;
		if ((fd = accept(listener, NULL, NULL)) < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve(s, fd);
		close(fd);
		if ((following = strtok_r(NULL, ",", &next)) != NULL)
			take_mode(s, following);
	}
}

int
main(int argc, char **argv)
{
	static struct standin s;
	uint64_t now = (uint64_t)time(NULL);
	uint64_t ends = now + YEAR;
	uint8_t seed = 1;
	const char *customer = NULL;
	bool six = false;
	uint16_t port;
	int opt, listener;

	while ((opt = getopt(argc, argv, "6s:n:e:c:o:")) != -1) {
		if (opt == '6')
			six = true;
		else if (opt == 's')
			seed = (uint8_t)atoi(optarg);
		else if (opt == 'n')
			s.highest = strtoull(optarg, NULL, 10);
		else if (opt == 'e')
			ends = now + (uint64_t)strtoll(optarg, NULL, 10);
		else if (opt == 'c')
			customer = optarg;
		else if (opt != 'o' || !take_told(&s.always, optarg))
			return 2;
	}
	if (optind + 1 != argc || sodium_init() < 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	testhost_init(&s.host, 0x50, seed, now - YEAR, ends);
	/* Another customer bought another host key. */
	if (customer != NULL) {
		snprintf(s.host.cert.customer, sizeof(s.host.cert.customer), "%s", customer);
		memset(s.host.cert.host_key_id, 0x78, sizeof(s.host.cert.host_key_id));
		testhost_certify(&s.host);
	}
	/* Another signing key, but the same host id and publisher id in every field. */
	testhost_init(&s.liar, 0x51, 0xee, now - YEAR, now + YEAR);
	s.liar.publisher = s.host.publisher;
	s.liar.cert = s.host.cert;
	testhost_certify(&s.liar);
	listener = listen_on(six, &port);
	printf("%u %s\n", port, s.host.publisher_text);
	fflush(stdout);
	loop(&s, listener, argv[optind]);
	return 0;
}
