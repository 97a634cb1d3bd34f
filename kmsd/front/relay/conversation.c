/*
 * conversation.c - the sockets, buffers and clocks around exchange.c. A function that may end
 * the session returns false when it did; nothing of it may be touched then.
 */
#include "kmsd/front/relay/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/front/client_address.h"
#include "kmsd/front/front.h"
#include "kmsd/front/relay/exchange.h"
#include "kmsd/front/relay/report.h"
#include "libkms/kms_error.h"

#define HALF_ROOM (2 * PDU_MAX)
#define CLOCK_GRAIN 50 /* ms: connect_timeout may be as long as answer_timeout */

/* One direction's two ends: what has come and is not whole or not due, and what is not yet sent. */
struct half {
	int fd;
	uint8_t *in; /* HALF_ROOM */
	uint8_t *out;
	uint32_t in_len, out_at, out_len;
	bool ended; /* will send no more */
};

struct relayed {
	struct session *s;
	struct exchange x;
	struct half client, host;
	struct event host_event, timer;
	uint8_t host_watching;
	bool connecting;
	bool counted; /* in the relay's throttle */
	bool over_limit;
	uint32_t tried, closed, silent; /* bits of hosts, in the list of that generation */
	uint32_t generation;
	uint64_t answer_by, connect_by; /* ms; 0: none */
	uint64_t asked_at;              /* microseconds */
	struct ipc_upstream at;         /* the host, or the last one tried */
	uint8_t *bind;                  /* until it is answered */
	uint32_t bind_len;
};

static void on_host(evutil_socket_t fd, short what, void *arg);
static bool host_lost(struct relayed *r, bool late);
static bool client_octets(struct relayed *r, const uint8_t *data, size_t len);

static uint64_t
microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
half_drop_in(struct half *h)
{
	free(h->in);
	h->in = NULL;
	h->in_len = 0;
}

static void
half_drop_out(struct half *h)
{
	free(h->out);
	h->out = NULL;
	h->out_at = h->out_len = 0;
}

static bool
half_pending(const struct half *h)
{
	return h->out != NULL;
}

/* Keep len octets that could not be sent behind those that wait already. */
static int
half_keep_out(struct half *h, const uint8_t *data, size_t len)
{
	size_t left = h->out_len - h->out_at;
	uint8_t *out = malloc(left + len);

	if (out == NULL)
		return KMS_E_NO_MEMORY;
	if (left > 0)
		memcpy(out, h->out + h->out_at, left);
	memcpy(out + left, data, len);
	free(h->out);
	h->out = out;
	h->out_at = 0;
	h->out_len = (uint32_t)(left + len);
	return KMS_OK;
}

/* Send, keep what does not go at once. KMS_OK, KMS_E_IO (errno), KMS_E_NO_MEMORY. */
static int
half_send(struct half *h, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (h->out == NULL) {
		n = send(h->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == (ssize_t)len)
			return KMS_OK;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return KMS_E_IO;
		if (n < 0)
			n = 0;
	}
	return half_keep_out(h, data + n, len - (size_t)n);
}

static int
half_flush(struct half *h)
{
	ssize_t n;

	if (h->out == NULL)
		return KMS_OK;
	n = send(h->fd, h->out + h->out_at, h->out_len - h->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? KMS_OK : KMS_E_IO;
	h->out_at += (uint32_t)n;
	if (h->out_at == h->out_len)
		half_drop_out(h);
	return KMS_OK;
}

/* Octets that came and are not used yet; they may lie in the same buffer. */
static bool
half_keep_in(struct half *h, const uint8_t *data, size_t len)
{
	if (len == 0) {
		half_drop_in(h);
		return true;
	}
	if (h->in == NULL && (h->in = malloc(HALF_ROOM)) == NULL)
		return false;
	memmove(h->in, data, len);
	h->in_len = (uint32_t)len;
	return true;
}

static void
watch_host(struct relayed *r)
{
	short what = 0;

	if (r->host.fd == -1)
		return;
	if (r->connecting || half_pending(&r->host))
		what |= EV_WRITE;
	/* Back-pressure: nothing more for a client that does not take what it is sent. */
	if (!r->connecting && !half_pending(&r->client))
		what |= EV_READ;
	if (r->host_watching == what)
		return;
	if (r->host_watching != 0)
		event_del(&r->host_event);
	r->host_watching = (uint8_t)what;
	if (what == 0)
		return;
	event_assign(
	    &r->host_event, r->s->front->base, r->host.fd, (short)(what | EV_PERSIST), on_host, r);
	event_add(&r->host_event, NULL);
}

static void
watch_client(struct relayed *r)
{
	short what = 0;

	if (half_pending(&r->client))
		what |= EV_WRITE;
	if (!r->client.ended && r->client.in_len < HALF_ROOM)
		what |= EV_READ;
	session_watch(r->s, what);
}

/* The client's clock: it is only held to a time while it is its turn. */
static void
set_deadline(struct relayed *r)
{
	enum deadline kind = DEADLINE_RELAY_IDLE;

	if (half_pending(&r->client))
		kind = DEADLINE_SEND;
	else if (exchange_waits(&r->x))
		kind = DEADLINE_NONE;
	else if (r->client.in_len > 0 || r->x.state == EXCHANGE_REQUEST ||
		 r->x.state == EXCHANGE_SWALLOW)
		kind = DEADLINE_FRAME;
	else if (r->x.state == EXCHANGE_BIND)
		kind = DEADLINE_FIRST;
	if (r->s->deadline != kind)
		session_deadline(r->s, kind);
}

/* The host's clock, precise, since it is what the client is promised. */
static void
set_timer(struct relayed *r)
{
	uint64_t now, at = r->answer_by;
	struct timeval wait;

	if (!exchange_waits(&r->x)) {
		if (r->answer_by != 0)
			event_del(&r->timer);
		r->answer_by = r->connect_by = 0;
		return;
	}
	now = relay_now();
	if (at == 0)
		at = r->answer_by = now + r->s->front->relay.answer_timeout * UINT64_C(1000);
	if (r->connect_by != 0 && r->connect_by < at)
		at = r->connect_by;
	at = at > now ? at - now : 0;
	wait.tv_sec = (time_t)(at / 1000);
	wait.tv_usec = (suseconds_t)(at % 1000 * 1000);
	event_add(&r->timer, &wait);
}

/* After every turn. False when it was the last one. */
static bool
settle(struct relayed *r)
{
	struct front *f = r->s->front;

	if ((f->stopping || r->client.ended) && !relayed_busy(r->s)) {
		session_close(r->s);
		return false;
	}
	watch_client(r);
	watch_host(r);
	set_deadline(r);
	return true;
}

/*
 * By a reset: nothing is under way that somebody waits for, and whoever closes first otherwise
 * keeps the port for a minute, of which there are 28,000 towards one host. One client could use
 * them all up.
 */
static void
close_host(struct relayed *r)
{
	const struct linger reset = { .l_onoff = 1 };

	if (r->host.fd == -1)
		return;
	if (r->host_watching != 0)
		event_del(&r->host_event);
	r->host_watching = 0;
	setsockopt(r->host.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(r->host.fd);
	r->host.fd = -1;
	r->connecting = false;
	half_drop_in(&r->host);
	half_drop_out(&r->host);
}

void
relayed_free(struct session *s)
{
	struct relayed *r = s->relayed;

	if (r == NULL)
		return;
	close_host(r);
	if (r->answer_by != 0)
		event_del(&r->timer);
	if (r->counted)
		throttle_leave(&s->front->relay.throttle, s->address);
	half_drop_in(&r->client);
	half_drop_out(&r->client);
	free(r->bind);
	free(r);
	s->relayed = NULL;
}

bool
relayed_busy(const struct session *s)
{
	const struct relayed *r = s->relayed;

	return exchange_waits(&r->x) || half_pending(&r->client) || half_pending(&r->host);
}

static void
say(const struct relayed *r, int level, const char *event, const char *why)
{
	char peer[PEER_TEXT];

	log_limited(level, event, "%s: %s", peer_text(peer, r->s->address, r->s->port), why);
}

static void
report(struct relayed *r)
{
	struct exchange_call *c = &r->x.call;

	if (!c->ended)
		return;
	c->ended = false;
	relay_report(r->s, c, &r->at, (uint32_t)(microseconds() - r->asked_at));
}

/* The last word: the session sends it behind what the client still has to take, and waits for the
 * client to close. */
static bool
finish(struct relayed *r, const uint8_t *data, size_t len)
{
	struct session *s = r->s;
	size_t left = r->client.out_len - r->client.out_at;
	uint8_t *last = malloc(left + len);

	report(r);
	if (last == NULL) {
		session_close(s);
		return false;
	}
	if (left > 0)
		memcpy(last, r->client.out + r->client.out_at, left);
	memcpy(last + left, data, len);
	relayed_free(s);
	session_reply(s, last, left + len, true);
	free(last);
	return false;
}

static bool
close_conversation(struct relayed *r)
{
	report(r);
	session_close(r->s);
	return false;
}

/* The bind goes out, as far as it can. False: the session ended. */
static bool
send_bind(struct relayed *r)
{
	ssize_t n = send(r->host.fd, r->bind, r->bind_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
		r->connecting = true;
		return true;
	}
	if (n < 0)
		return host_lost(r, false);
	r->connecting = false;
	if (n < (ssize_t)r->bind_len &&
	    half_keep_out(&r->host, r->bind + n, r->bind_len - (size_t)n) != KMS_OK)
		return close_conversation(r);
	return true;
}

static bool
nobody_left(struct relayed *r)
{
	const char *why = r->over_limit ? "[relay] connections_per_source allows no more"
			  : r->s->front->relay.upstreams.count == 0
			      ? "no KMS host is known: see [relay] upstream and domain"
			      : "no KMS host can be reached";

	say(r, LOG_WARNING, r->over_limit ? "relay-source-limit" : "relay-no-host", why);
	memset(&r->at, 0, sizeof(r->at));
	if (exchange_lost(&r->x, false, r->over_limit ? PDU_NAK_LIMIT : PDU_NAK_CONGESTION) !=
	    EXCHANGE_ANSWER_CLOSE)
		return close_conversation(r);
	/* A limit is no outcome of a host's: the log says it, and a flood must not fill the ledger.
	 */
	r->x.call.ended = !r->over_limit;
	return finish(r, r->x.answer, r->x.answer_len);
}

static bool
connect_next(struct relayed *r)
{
	struct relay *relay = &r->s->front->relay;
	struct upstream *h = NULL;

	if (r->generation != relay->upstreams.generation)
		r->tried = r->closed = r->silent = 0;
	r->generation = relay->upstreams.generation;
	while (!r->over_limit && (h = upstreams_choose(&relay->upstreams, r->tried)) != NULL) {
		r->tried |= upstream_bit(h);
		r->at = h->host;
		if (upstream_connect(&h->host, &r->host.fd) == KMS_OK)
			break;
		if (errno == EMFILE || errno == ENFILE) {
			say(r, LOG_ERR, "descriptor-limit",
			    "no descriptor for a connection to the KMS host: raise LimitNOFILE");
			h = NULL;
			break;
		}
		if (errno == EADDRNOTAVAIL || errno == ENOBUFS || errno == ENOMEM ||
		    errno == EAGAIN)
			say(r, LOG_WARNING, "relay-no-host",
			    "this machine has no port or memory left for a connection to it");
		else
			upstream_failed(h, relay_now(), strerror(errno));
	}
	if (h == NULL)
		return nobody_left(r);
	r->connect_by = relay_now() + relay->connect_timeout * UINT64_C(1000);
	r->connecting = true;
	set_timer(r);
	return send_bind(r);
}

/* A bind came to nothing with this host. errno says how, or is 0. */
static void
blame(struct relayed *r, bool late)
{
	struct upstreams *u = &r->s->front->relay.upstreams;
	struct upstream *h = upstreams_find(u, &r->at);

	/* The client's time is over, and not the host's, which had less than is due to it. */
	if (h == NULL || (late && r->connect_by > r->answer_by + CLOCK_GRAIN))
		return;
	if (r->connecting)
		upstream_failed(h, relay_now(), late ? "does not answer" : strerror(errno));
	else if (r->generation != u->generation)
		return;
	else if (late)
		r->silent |= upstream_bit(h);
	else
		r->closed |= upstream_bit(h);
}

/* The host is gone. While it was binding, another one is asked; later the client is told. errno as
 * above. */
static bool
host_lost(struct relayed *r, bool late)
{
	char why[UPSTREAM_TEXT + 64], text[UPSTREAM_TEXT];
	enum exchange_do what;

	if (r->x.state == EXCHANGE_BINDING)
		blame(r, late);
	close_host(r);
	if (r->x.state == EXCHANGE_BINDING && (r->answer_by == 0 || relay_now() < r->answer_by))
		return connect_next(r);
	what = exchange_lost(&r->x, late, PDU_NAK_CONGESTION);
	if (what != EXCHANGE_ANSWER_CLOSE)
		return close_conversation(r);
	snprintf(why, sizeof(why), "%s %s", upstream_text(text, &r->at),
	    late ? "did not answer in time" : "went away within a call");
	say(r, LOG_WARNING, late ? "relay-late" : "relay-host-lost", why);
	return finish(r, r->x.answer, r->x.answer_len);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relayed *r = arg;

	errno = 0;
	if (host_lost(r, true))
		settle(r);
}

static bool
to_host(struct relayed *r, const uint8_t *data, size_t len)
{
	int status = half_send(&r->host, data, len);

	if (status == KMS_E_IO)
		return host_lost(r, false);
	return status == KMS_OK || close_conversation(r);
}

static bool
to_client(struct relayed *r, const uint8_t *data, size_t len)
{
	return half_send(&r->client, data, len) == KMS_OK || close_conversation(r);
}

static bool
begin_bind(struct relayed *r, const uint8_t *data, size_t len)
{
	r->bind = malloc(len);
	if (r->bind == NULL)
		return close_conversation(r);
	memcpy(r->bind, data, len);
	r->bind_len = (uint32_t)len;
	r->asked_at = microseconds();
	set_timer(r);
	return connect_next(r);
}

/* One whole fragment of the client's. *stop: it is not its turn. */
static bool
client_pdu(struct relayed *r, const uint8_t *data, size_t len, bool *stop)
{
	uint8_t state = r->x.state;
	enum exchange_do what = exchange_client(&r->x, data, len);

	switch (what) {
	case EXCHANGE_WAIT:
		*stop = true;
		return true;
	case EXCHANGE_CONNECT:
		return begin_bind(r, data, len);
	case EXCHANGE_PASS:
		if (state == EXCHANGE_BOUND)
			r->asked_at = microseconds();
		set_timer(r);
		return to_host(r, data, len);
	case EXCHANGE_DROP:
		return true;
	case EXCHANGE_ANSWER:
		say(r, LOG_NOTICE, r->x.event, r->x.why);
		r->s->front->stats.refused_frames++;
		return to_client(r, r->x.answer, r->x.answer_len);
	case EXCHANGE_ANSWER_CLOSE:
		say(r, LOG_NOTICE, r->x.event, r->x.why);
		r->s->front->stats.refused_frames++;
		return finish(r, r->x.answer, r->x.answer_len);
	default:
		say(r, LOG_NOTICE, r->x.event, r->x.why);
		r->s->front->stats.refused_frames++;
		return close_conversation(r);
	}
}

static bool
bad_octets(struct relayed *r, enum pdu_whole how, const uint8_t *data, size_t len)
{
	enum exchange_do what = EXCHANGE_CLOSE;

	if (how == PDU_OTHER_VERSION)
		what = exchange_version(&r->x, data, len);
	r->s->front->stats.refused_frames++;
	say(r, LOG_NOTICE, how == PDU_OTHER_VERSION ? r->x.event : "relay-bad-pdu",
	    how == PDU_OTHER_VERSION ? r->x.why : "not a PDU that a KMS client sends");
	if (what == EXCHANGE_ANSWER_CLOSE)
		return finish(r, r->x.answer, r->x.answer_len);
	return close_conversation(r);
}

static bool
client_octets(struct relayed *r, const uint8_t *data, size_t len)
{
	size_t at = 0;
	bool stop = false;
	struct pdu p;

	while (at < len && !stop) {
		enum pdu_whole how = pdu_look(&p, data + at, len - at);

		/* Nothing goes on before what is queued has been taken. */
		if (half_pending(&r->host) || half_pending(&r->client) || how == PDU_MORE)
			break;
		if (how != PDU_WHOLE)
			return bad_octets(r, how, data + at, len - at);
		if (!client_pdu(r, data + at, p.length, &stop))
			return false;
		if (!stop)
			at += p.length;
	}
	return half_keep_in(&r->client, data + at, len - at) || close_conversation(r);
}

/* Its turn again: what it sent meanwhile is here. */
static bool
client_resume(struct relayed *r)
{
	return r->client.in == NULL || client_octets(r, r->client.in, r->client.in_len);
}

static bool
host_pdu(struct relayed *r, const uint8_t *data, size_t len)
{
	uint8_t state = r->x.state;
	enum exchange_do what = exchange_host(&r->x, data, len);
	struct upstreams *u = &r->s->front->relay.upstreams;
	struct upstream *h;

	if (what == EXCHANGE_PASS_CLOSE)
		return finish(r, data, len);
	if (what != EXCHANGE_PASS) {
		char text[UPSTREAM_TEXT];

		log_limited(
		    LOG_WARNING, "relay-bad-host", "%s: %s", upstream_text(text, &r->at), r->x.why);
		errno = EPROTO;
		return host_lost(r, false);
	}
	if (state == EXCHANGE_BINDING) {
		free(r->bind);
		r->bind = NULL;
		if ((h = upstreams_find(u, &r->at)) != NULL)
			upstream_good(h);
		if (r->generation == u->generation)
			upstreams_outdone(u, r->closed, r->silent, relay_now());
	}
	r->connect_by = 0;
	set_timer(r);
	if (!to_client(r, data, len))
		return false;
	report(r);
	return true;
}

static bool
host_octets(struct relayed *r, const uint8_t *data, size_t len)
{
	size_t at = 0;
	struct pdu p;

	while (at < len) {
		enum pdu_whole how = pdu_look(&p, data + at, len - at);
		size_t size = how == PDU_WHOLE ? p.length : len - at;
		int fd = r->host.fd;

		if (how == PDU_MORE || half_pending(&r->client))
			break;
		/* What is no PDU is for exchange_host to refuse, too. */
		if (!host_pdu(r, data + at, size))
			return false;
		/* That host is given up and another one asked: what it said besides is nothing. */
		if (r->host.fd != fd || r->connecting || r->x.state == EXCHANGE_BINDING)
			return true;
		at += size;
	}
	return half_keep_in(&r->host, data + at, len - at) || close_conversation(r);
}

/* Receive behind what is kept, or into the front's scratch. n as recv(2); *from where it stands,
 * *len how much in all. */
static ssize_t
half_receive(struct half *h, uint8_t *scratch, uint8_t **from, size_t *len)
{
	ssize_t n;

	*from = h->in != NULL ? h->in : scratch;
	n = recv(h->fd, *from + h->in_len, HALF_ROOM - h->in_len, MSG_DONTWAIT);
	*len = h->in_len + (n > 0 ? (size_t)n : 0);
	return n;
}

static bool
host_read(struct relayed *r)
{
	uint8_t *from;
	size_t len;
	ssize_t n = half_receive(&r->host, r->s->front->relay.scratch, &from, &len);

	if (n > 0)
		return host_octets(r, from, len) && client_resume(r);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == 0)
		errno = 0;
	return host_lost(r, false);
}

static bool
host_connected(struct relayed *r)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(r->host.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
		return send_bind(r);
	errno = error;
	return host_lost(r, false);
}

static void
on_host(evutil_socket_t fd, short what, void *arg)
{
	struct relayed *r = arg;
	bool alive = true;

	if (r->connecting) {
		alive = host_connected(r);
	} else {
		if (what & EV_WRITE)
			alive = half_flush(&r->host) == KMS_OK
				    ? half_pending(&r->host) || client_resume(r)
				    : host_lost(r, false);
		/* The host may have been given up and another one asked meanwhile. */
		if (alive && (what & EV_READ) && r->host.fd == fd && !r->connecting)
			alive = host_read(r);
	}
	if (alive)
		settle(r);
}

static bool
client_read(struct relayed *r)
{
	uint8_t *from;
	size_t len;
	ssize_t n = half_receive(&r->client, r->s->front->relay.scratch, &from, &len);

	if (n > 0)
		return client_octets(r, from, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0)
		return close_conversation(r);
	/* It may have closed one direction only, and wait for its answer. */
	r->client.ended = true;
	return true;
}

static bool
client_flushed(struct relayed *r)
{
	if (half_flush(&r->client) != KMS_OK)
		return close_conversation(r);
	if (half_pending(&r->client))
		return true;
	/* The way is free again: first what the host said meanwhile, then the client. */
	if (r->host.in != NULL && !host_octets(r, r->host.in, r->host.in_len))
		return false;
	return client_resume(r);
}

void
relayed_event(struct session *s, short what)
{
	struct relayed *r = s->relayed;
	bool alive = true;

	if (what & EV_WRITE)
		alive = client_flushed(r);
	if (alive && (what & EV_READ))
		alive = client_read(r);
	if (alive)
		settle(r);
}

static bool
allowed(const struct relay *relay, const uint8_t address[16])
{
	for (unsigned i = 0; i < relay->allow_count; i++)
		if (relay_in_network(&relay->allow[i], address))
			return true;
	return false;
}

void
relayed_open(struct session *s, const uint8_t *data, size_t len)
{
	struct relay *relay = &s->front->relay;
	char peer[PEER_TEXT];
	struct relayed *r;
	int status;

	if (!allowed(relay, s->address)) {
		log_limited(LOG_NOTICE, "relay-source-refused",
		    "%s: in no network of [relay] allow", peer_text(peer, s->address, s->port));
		s->front->stats.refused_connections++;
		session_close(s);
		return;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL) {
		session_close(s);
		return;
	}
	r->s = s;
	r->client.fd = s->fd;
	r->host.fd = -1;
	exchange_init(&r->x);
	event_assign(&r->timer, s->front->base, -1, 0, on_timer, r);
	status = throttle_enter(&relay->throttle, s->address);
	r->counted = status == KMS_OK;
	r->over_limit = status != KMS_OK;
	s->relayed = r;
	s->state = SESSION_RELAYED;
	if (client_octets(r, data, len))
		settle(r);
}
