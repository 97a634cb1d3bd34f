/*
 * fuzz_front.c - the whole front but main.c and its sandbox, over real sockets and the real event
 * loop. The input plays its neighbours: four clients, kmsd-activate, two KMS hosts, the
 * clock and the administrator. Whatever they do, clients get whole frames or PDUs only,
 * kmsd-activate gets only what the front may send, credits are kept, and nothing is left at the
 * end.
 *
 * Steps (steps.h):
 *   0..3  that client writes; it connects first    a..d  it disconnects   w..z  it sends no more
 *   r     all clients read
 *   A     kmsd-activate writes these bytes         X     it answers: which request, then the frame
 *   h, i  the host connected last writes, or the one before it            H, I  it disconnects
 *   t     that many seconds pass                   L     other limits     U     other hosts
 *   F     one turn with so many descriptors left, in which a client connects: how many, which
 *   Q     a crowd connects, and each of it writes these bytes               S     the front stops
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/front/front.h"
#include "libkms/base/clock.h"
#include "libkms/base/wire.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/fuzz/strangers.h"

#define HOSTS 2
#define CREDITS 2
#define STEPS 64         /* of one input */
#define CROWD 24         /* more than may wait for a credit */
#define CONVERSATIONS 64 /* with hosts in one input */
#define WAITING 64       /* requests that kmsd-activate has not answered */
#define GOT 16384        /* less than the longest frame or PDU of which a part has come */

struct play {
	struct front f;
	struct config config;
	struct strangers strangers;
	struct ipc_channel *activate;
	int activate_fd;
	uint64_t waiting[WAITING]; /* tokens */
	unsigned waiting_count;
	int host[HOSTS]; /* listening */
	uint16_t port[HOSTS];
	int conversation[CONVERSATIONS]; /* the host's ends */
	unsigned conversation_count;
};

/* The clock of the relay, instead of clock.c's: it moves with the input alone. */
static int64_t moment;

int64_t __wrap_clock_ms(void);
uint64_t __wrap_clock_us(void);

int64_t
__wrap_clock_ms(void)
{
	return moment;
}

uint64_t
__wrap_clock_us(void)
{
	return (uint64_t)moment * 1000;
}

/* With a reset: a normal close would leave a port in TIME_WAIT for each of many inputs. */
static void
reset(int *fd)
{
	const struct linger now = { .l_onoff = 1 };

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(*fd);
	*fd = -1;
}

/* -- what the neighbours see -- */

/* The length of the whole frame or PDU at the begin of data, 0: not all of it is there. */
static size_t
whole(const uint8_t *data, size_t len)
{
	struct frame frame;
	struct pdu p;

	if (data[0] == 5) {
		enum pdu_whole how = pdu_look(&p, data, len);

		MUST(how == PDU_WHOLE || how == PDU_MORE);
		return how == PDU_WHOLE ? p.length : 0;
	}
	if (len < FRAME_HEADER)
		return 0;
	MUST(frame_decode(&frame, data, FRAME_MAX_REPLY) == KMS_OK);
	MUST(frame.type == FRAME_HELLO_REPLY || frame.type == FRAME_REPLY ||
	     frame.type == FRAME_ERROR);
	return len >= FRAME_HEADER + frame.length ? FRAME_HEADER + frame.length : 0;
}

static void
client_reads(struct stranger *c)
{
	size_t at, n;
	ssize_t got;

	while (c->fd >= 0 && (got = recv(c->fd, c->got + c->len, GOT - c->len, MSG_DONTWAIT)) > 0) {
		c->len += (size_t)got;
		for (at = 0; at < c->len && (n = whole(c->got + at, c->len - at)) > 0; at += n)
			;
		memmove(c->got, c->got + at, c->len - at);
		c->len -= at;
		MUST(c->len < GOT);
	}
}

/* A frame of a client's, exactly as the verb says. */
static void
check_request(const struct ipc_frame *f, const uint8_t *body)
{
	struct frame frame;

	MUST(f->length >= FRAME_HEADER && f->flags == 0);
	MUST(frame_decode(&frame, body, FRAME_MAX_REQUEST) == KMS_OK);
	MUST(f->length == FRAME_HEADER + frame.length);
	MUST(frame.type == (f->verb == IPC_HELLO ? FRAME_HELLO : FRAME_REQUEST));
}

static void
activate_takes(struct play *p, const struct ipc_frame *f, const uint8_t *body)
{
	struct ipc_front_stats stats;
	struct ipc_relayed relayed;

	if (f->verb == IPC_HELLO || f->verb == IPC_REQUEST) {
		check_request(f, body);
		MUST(p->waiting_count < WAITING);
		p->waiting[p->waiting_count++] = f->token;
	} else if (f->verb == IPC_RELAYED) {
		MUST(ipc_relayed_decode(&relayed, body, f->length) == KMS_OK);
	} else {
		MUST(f->verb == IPC_FRONT_STATS || f->verb == IPC_FRONT_READY);
		MUST(f->verb != IPC_FRONT_STATS ||
		     ipc_front_stats_decode(&stats, body, f->length) == KMS_OK);
	}
}

static void
activate_reads(struct play *p)
{
	struct ipc_frame f;
	const uint8_t *body;
	int n = 0;

	while (ipc_channel_fill(p->activate) == KMS_OK) {
		bool some = false;

		while ((n = ipc_channel_next(p->activate, &f, &body)) > 0) {
			activate_takes(p, &f, body);
			some = true;
		}
		MUST(n == 0);
		if (!some)
			break;
	}
}

/* -- what they do -- */

/* Replies do not always leave in one piece. */
static void
make_narrow(struct front *f)
{
	struct connection *c;
	int small = 2048;

	for (uint32_t i = 0; (c = connections_at(&f->connections, i)) != NULL; i++)
		if (c->state != CONNECTION_FREE)
			setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

/* As main.c's serve(), until nothing moves any more. */
static void
turn(struct play *p)
{
	for (int i = 0; i < 4 && !p->f.broken; i++) {
		event_base_loop(p->f.base, EVLOOP_NONBLOCK);
		make_narrow(&p->f);
		forward_turn(&p->f);
		listeners_turn(&p->f);
	}
	for (int i = 0; i < HOSTS; i++) {
		int fd;

		while ((fd = accept4(p->host[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
			if (p->conversation_count == CONVERSATIONS)
				reset(&fd);
			else
				p->conversation[p->conversation_count++] = fd;
		}
	}
}

static void
activate_sends(struct play *p, const struct ipc_frame *f, const uint8_t *body)
{
	uint8_t header[IPC_HEADER];

	ipc_encode(header, f);
	send_some(p->activate_fd, header, sizeof(header));
	send_some(p->activate_fd, body, f->length);
}

/* First byte: which of the waiting requests, and whether the connection is closed after it. */
static void
activate_answers(struct play *p, const struct step *s)
{
	struct ipc_frame f = { .verb = IPC_REPLY, .length = (uint32_t)s->len - 1 };
	unsigned i;

	if (s->len < 1)
		return;
	i = s->data[0] & 0x3f;
	f.flags = s->data[0] & 0x80 ? IPC_CLOSE : 0;
	/* A token of nobody's, or one that was used already. */
	f.token = s->data[0] & 0x40 ? (uint64_t)1 << 32 | i : i;
	if (i < p->waiting_count) {
		f.token = p->waiting[i];
		if ((s->data[0] & 0x40) == 0)
			memmove(p->waiting + i, p->waiting + i + 1,
			    (--p->waiting_count - i) * sizeof(p->waiting[0]));
	}
	activate_sends(p, &f, s->data + 1);
}

/* The host's end of a conversation, counted from the newest. */
static int *
conversation(struct play *p, unsigned back)
{
	static int none = -1;

	return back < p->conversation_count ? &p->conversation[p->conversation_count - 1 - back]
					    : &none;
}

/* As on_tick of main.c. */
static void
time_passes(struct play *p, unsigned seconds)
{
	struct connection *late;

	p->f.now += seconds;
	moment += (int64_t)seconds * 1000;
	while ((late = deadline_expired(&p->f.deadlines, p->f.now)) != NULL)
		connection_expired(late);
	listeners_resume(&p->f);
	relay_tick(&p->f);
}

/* With no time, the real timers of a conversation are due at once. */
static void
new_limits(struct play *p, const struct step *s)
{
	struct config *c = &p->config;

	if (s->len < 1)
		return;
	c->relay_answer_timeout = s->data[0] & 0x01 ? 0 : 10;
	c->relay_connect_timeout = s->data[0] & 0x02 ? 0 : 2;
	c->relay_per_source = s->data[0] & 0x04 ? 1 : 0;
	c->relay_allow.count = s->data[0] & 0x08 ? 0 : 1;
	p->f.throttle.connections = s->data[0] & 0x10 ? 1 : 100;
	p->f.throttle.per_source = s->data[0] & 0x20 ? 2 : 0;
	relay_limits(&p->f, c);
}

/* Each byte is a host: one of the two, or a port that nobody listens on; priority and weight. */
static void
new_hosts(struct play *p, const uint8_t *data, size_t len)
{
	struct ipc_upstreams hosts = { .whole = true };
	int fd;

	for (size_t i = 0; i < len && i < IPC_UPSTREAMS_MAX; i++) {
		struct ipc_upstream *h = &hosts.at[hosts.count++];

		h->address[10] = h->address[11] = 0xff;
		h->address[12] = 127;
		h->address[15] = 1;
		h->port = data[i] % 3 < HOSTS ? p->port[data[i] % 3] : 1;
		h->priority = data[i] >> 6;
		h->weight = data[i] >> 4 & 3;
		snprintf(h->name, sizeof(h->name), "host%zu", i);
	}
	fd = ipc_upstreams_write(&hosts);
	MUST(fd >= 0);
	MUST(relay_hosts_changed(&p->f, fd) == KMS_OK);
	close(fd);
}

/* Only so many more descriptors can be opened during one turn. */
static void
few_descriptors(struct play *p, unsigned left, unsigned client)
{
	struct rlimit usual, few;
	int lowest;

	stranger_connects(&p->strangers, &p->strangers.list[client]);
	lowest = fcntl(p->activate_fd, F_DUPFD_CLOEXEC, 0);
	MUST(lowest >= 0 && getrlimit(RLIMIT_NOFILE, &usual) == 0);
	close(lowest);
	few = usual;
	few.rlim_cur = (rlim_t)lowest + left;
	MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
	event_base_loop(p->f.base, EVLOOP_NONBLOCK);
	MUST(setrlimit(RLIMIT_NOFILE, &usual) == 0);
}

/* As begin_stop and, the second time, on_linger of main.c. */
static void
stop(struct play *p)
{
	p->f.lingering = !p->f.stopping;
	p->f.stopping = true;
	listeners_close(&p->f);
	connections_stop(&p->f);
}

static void
play_step(struct play *p, const struct step *s)
{
	unsigned first = s->len > 0 ? s->data[0] : 0;

	p->strangers.shut = p->f.stopping;
	switch (s->what) {
	case 'r':
		for (unsigned i = 0; i < p->strangers.count; i++)
			client_reads(&p->strangers.list[i]);
		break;
	case 'A':
		send_some(p->activate_fd, s->data, s->len);
		break;
	case 'X':
		activate_answers(p, s);
		break;
	case 'h':
	case 'i':
		send_some(*conversation(p, s->what - 'h'), s->data, s->len);
		break;
	case 'H':
	case 'I':
		reset(conversation(p, s->what - 'H'));
		break;
	case 't':
		time_passes(p, first);
		break;
	case 'L':
		new_limits(p, s);
		break;
	case 'U':
		new_hosts(p, s->data, s->len);
		break;
	case 'F':
		few_descriptors(p, first % 4, s->len > 1 ? s->data[1] % STRANGERS_ALONE : 0);
		break;
	case 'Q':
		crowd_writes(&p->strangers, s);
		break;
	case 'S':
		stop(p);
		break;
	default:
		strangers_step(&p->strangers, s);
	}
}

/* -- beginning and end -- */

static void
open_host(struct play *p, unsigned i)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	p->host[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	MUST(p->host[i] >= 0 && bind(p->host[i], (struct sockaddr *)&at, sizeof(at)) == 0);
	MUST(listen(p->host[i], CONVERSATIONS) == 0);
	MUST(getsockname(p->host[i], (struct sockaddr *)&at, &len) == 0);
	p->port[i] = ntohs(at.sin_port);
}

static void
open_front(struct play *p)
{
	struct config *c = &p->config;
	int pair[2];

	MUST((p->f.base = loop_new()) != NULL);
	deadlines_init(&p->f.deadlines);
	connections_init(&p->f.connections);
	MUST(throttle_init(&p->f.throttle, 7) == KMS_OK);
	p->f.throttle.connections = 100;
	for (unsigned i = 1; i < DEADLINES; i++)
		p->f.deadlines.seconds[i] = 10;
	c->relay_upstream.count = 1;
	MUST(network_parse(&c->relay_allow.at[0], "::/0"));
	c->relay_allow.count = 1;
	c->relay_answer_timeout = c->relay_idle_timeout = 10;
	c->relay_connect_timeout = 2;
	c->relay_backoff = 1;
	MUST(relay_init(&p->f, c, 99) == KMS_OK);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	p->activate_fd = pair[1];
	MUST((p->activate = ipc_channel_new(pair[1], IPC_MAX_TO_ACTIVATE)) != NULL);
	MUST(forward_open(&p->f, pair[0], &connection_calls) == KMS_OK);
	MUST(listeners_prepare(&p->f, pair[0]) == KMS_OK);
	MUST(forward_ready(&p->f, 0) == KMS_OK);
}

static void
welcome(struct play *p)
{
	struct ipc_frame f = { .verb = IPC_WELCOME, .length = 8 };
	struct wire_writer w;
	uint8_t body[8];

	wire_writer_init(&w, body, sizeof(body));
	wire_put_u32(&w, IPC_VERSION);
	wire_put_u32(&w, CREDITS);
	activate_sends(p, &f, body);
	turn(p);
	MUST(p->f.forward.credits == CREDITS);
}

static struct play *
begin(void)
{
	struct play *p = calloc(1, sizeof(*p));

	MUST(p != NULL);
	moment = 1000000;
	p->f.now = 1000;
	for (unsigned i = 0; i < HOSTS; i++)
		open_host(p, i);
	open_front(p);
	MUST(listeners_add(&p->f, strangers_begin(&p->strangers, CROWD, GOT)) == KMS_OK);
	new_hosts(p, (const uint8_t[]){ 0, 1 }, HOSTS);
	welcome(p);
	return p;
}

/* As tear_down of main.c: whatever happened, nothing is left. */
static void
end(struct play *p)
{
	struct front *f = &p->f;
	struct connection *c;

	for (uint32_t i = 0; (c = connections_at(&f->connections, i)) != NULL; i++)
		if (c->state != CONNECTION_FREE)
			connection_close(c);
	MUST(f->connections.open == 0 && f->throttle.used == 0 && f->relay.throttle.used == 0);
	MUST(f->forward.waiting_count == 0 && f->stats.accepted == f->stats.closed);
	listeners_close(f);
	close(f->listeners.reserve);
	forward_close(f);
	connections_free(&f->connections);
	throttle_free(&f->throttle);
	relay_free(f);
	event_base_free(f->base);
	ipc_channel_free(p->activate);
	strangers_end(&p->strangers);
	for (unsigned i = 0; i < p->conversation_count; i++)
		reset(&p->conversation[i]);
	for (unsigned i = 0; i < HOSTS; i++)
		close(p->host[i]);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = { data, size, STEPS };
	struct play *p = begin();
	struct step s;

	log_level(-1);
	while (!p->f.broken && steps_next(&steps, &s)) {
		play_step(p, &s);
		turn(p);
		activate_reads(p);
		MUST(p->f.forward.asked + p->f.forward.credits == CREDITS || p->f.broken);
	}
	end(p);
	return 0;
}
