/*
 * conversation.c - the sockets and clocks around exchange.c. A function that may end the
 * conversation returns false when it did; nothing of it may be touched then.
 */
#include "kmsd/front/relay/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/front/front.h"
#include "kmsd/front/relay/exchange.h"
#include "kmsd/front/relay/half.h"
#include "kmsd/front/relay/report.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define CLOCK_GRAIN 50 /* ms: connect_timeout may be as long as answer_timeout */

struct conversation {
	struct connection *connection;
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
static bool host_lost(struct conversation *c, bool late);
static bool client_octets(struct conversation *c, const uint8_t *data, size_t len);

static void
watch_host(struct conversation *c)
{
	short what = 0;

	if (c->host.fd == -1)
		return;
	if (c->connecting || half_pending(&c->host))
		what |= EV_WRITE;
	/* Back-pressure: nothing more is read for a client that does not read. */
	if (!c->connecting && !half_pending(&c->client))
		what |= EV_READ;
	if (c->host_watching == what)
		return;
	if (c->host_watching != 0)
		event_del(&c->host_event);
	c->host_watching = (uint8_t)what;
	if (what == 0)
		return;
	event_assign(&c->host_event, c->connection->front->base, c->host.fd,
	    (short)(what | EV_PERSIST), on_host, c);
	event_add(&c->host_event, NULL);
}

static void
watch_client(struct conversation *c)
{
	short what = 0;

	if (half_pending(&c->client))
		what |= EV_WRITE;
	if (!c->client.ended && c->client.in_len < HALF_ROOM)
		what |= EV_READ;
	connection_watch(c->connection, what);
}

/* The client's deadline, which exists only while it is the client's turn. */
static void
set_deadline(struct conversation *c)
{
	enum deadline kind = DEADLINE_RELAY_IDLE;

	if (half_pending(&c->client))
		kind = DEADLINE_SEND;
	else if (exchange_waits(&c->x))
		kind = DEADLINE_NONE;
	else if (c->client.in_len > 0 || c->x.state == EXCHANGE_REQUEST ||
		 c->x.state == EXCHANGE_SWALLOW)
		kind = DEADLINE_FRAME;
	else if (c->x.state == EXCHANGE_BIND)
		kind = DEADLINE_FIRST;
	if (c->connection->deadline != kind)
		connection_deadline(c->connection, kind);
}

/* The host's deadline, which is precise, because clients are promised an answer by then. */
static void
set_timer(struct conversation *c)
{
	uint64_t now, at = c->answer_by;

	if (!exchange_waits(&c->x)) {
		if (c->answer_by != 0)
			event_del(&c->timer);
		c->answer_by = c->connect_by = 0;
		return;
	}
	now = clock_ms();
	if (at == 0)
		at = c->answer_by =
		    now + c->connection->front->relay.answer_timeout * UINT64_C(1000);
	if (c->connect_by != 0 && c->connect_by < at)
		at = c->connect_by;
	at = at > now ? at - now : 0;
	loop_timer(&c->timer, at * 1000);
}

static bool
conversation_busy(const struct connection *connection)
{
	const struct conversation *c = connection->conversation;

	return exchange_waits(&c->x) || half_pending(&c->client) || half_pending(&c->host);
}

/* After every turn. False: the session has ended. */
static bool
settle(struct conversation *c)
{
	struct front *f = c->connection->front;

	if ((f->stopping || c->client.ended) && !conversation_busy(c->connection)) {
		connection_close(c->connection);
		return false;
	}
	watch_client(c);
	watch_host(c);
	set_deadline(c);
	return true;
}

/*
 * Close with a reset. Nothing is in flight, and a normal close would leave the port in TIME_WAIT
 * on our side for a minute. There are 28,000 ports towards one host, and one client could use them
 * all up.
 */
static void
close_host(struct conversation *c)
{
	const struct linger reset = { .l_onoff = 1 };

	if (c->host.fd == -1)
		return;
	if (c->host_watching != 0)
		event_del(&c->host_event);
	c->host_watching = 0;
	setsockopt(c->host.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->host.fd);
	c->host.fd = -1;
	c->connecting = false;
	half_drop(&c->host);
}

static void
conversation_free(struct connection *connection)
{
	struct conversation *c = connection->conversation;

	if (c == NULL)
		return;
	close_host(c);
	if (c->answer_by != 0)
		event_del(&c->timer);
	if (c->counted)
		throttle_leave(&connection->front->relay.throttle, connection->address);
	half_drop(&c->client);
	free(c->bind);
	free(c);
	connection->conversation = NULL;
}

static void
say(const struct conversation *c, int level, const char *event, const char *why)
{
	char peer[ADDRESS_PORT_TEXT];

	log_limited(level, event, "%s: %s",
	    address_port_text(peer, c->connection->address, c->connection->port), why);
}

static void
report(struct conversation *c)
{
	struct exchange_call *call = &c->x.call;

	if (!call->ended)
		return;
	call->ended = false;
	relay_report(c->connection, call, &c->at, (uint32_t)(clock_us() - c->asked_at));
}

static bool
close_conversation(struct conversation *c)
{
	report(c);
	connection_close(c->connection);
	return false;
}

/*
 * The last word: the connection sends it behind what the client still has to take, and waits for
 * the client to close.
 */
static bool
finish(struct conversation *c, const uint8_t *data, size_t len)
{
	struct connection *connection = c->connection;
	struct half *client = &c->client;
	uint8_t *last;

	if (half_keep_out(client, data, len) != KMS_OK)
		return close_conversation(c);
	report(c);
	last = client->out;
	len = client->out_len;
	client->out = NULL;
	conversation_free(connection);
	connection_reply(connection, last, len, true);
	free(last);
	return false;
}

/* The bind goes out, as far as it can. False: the conversation ended. */
static bool
send_bind(struct conversation *c)
{
	ssize_t n = send(c->host.fd, c->bind, c->bind_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
		c->connecting = true;
		return true;
	}
	if (n < 0)
		return host_lost(c, false);
	c->connecting = false;
	if (n < (ssize_t)c->bind_len &&
	    half_keep_out(&c->host, c->bind + n, c->bind_len - (size_t)n) != KMS_OK)
		return close_conversation(c);
	return true;
}

static bool
nobody_left(struct conversation *c)
{
	const char *why = c->over_limit ? "the limit is reached: [relay] connections_per_source"
			  : c->connection->front->relay.upstreams.count == 0
			      ? "no KMS host is known: see [relay] upstream and domain"
			      : "no KMS host can be reached";

	c->connection->front->stats.refused_connections += c->over_limit;
	say(c, LOG_WARNING, c->over_limit ? "relay-source-limit" : "relay-no-host", why);
	memset(&c->at, 0, sizeof(c->at));
	if (exchange_lost(&c->x, false, c->over_limit ? PDU_NAK_LIMIT : PDU_NAK_CONGESTION) !=
	    EXCHANGE_ANSWER_CLOSE)
		return close_conversation(c);
	/*
	 * A limit of ours says nothing about a host: it is logged, but not recorded, because a
	 * flood must not fill the ledger.
	 */
	c->x.call.ended = !c->over_limit;
	return finish(c, c->x.answer, c->x.answer_len);
}

static bool
connect_next(struct conversation *c)
{
	struct relay *relay = &c->connection->front->relay;
	struct upstream *h = NULL;

	if (c->generation != relay->upstreams.generation)
		c->tried = c->closed = c->silent = 0;
	c->generation = relay->upstreams.generation;
	while (!c->over_limit && (h = upstreams_choose(&relay->upstreams, c->tried)) != NULL) {
		c->tried |= upstream_bit(h);
		c->at = h->host;
		if (upstream_connect(&h->host, &c->host.fd) == KMS_OK)
			break;
		if (errno == EMFILE || errno == ENFILE) {
			say(c, LOG_ERR, "descriptor-limit",
			    "no descriptor for a connection to the KMS host: raise LimitNOFILE");
			h = NULL;
			break;
		}
		if (errno == EADDRNOTAVAIL || errno == ENOBUFS || errno == ENOMEM ||
		    errno == EAGAIN)
			say(c, LOG_WARNING, "relay-no-host",
			    "this machine has no port or memory left for a connection to the KMS host");
		else
			upstream_failed(h, clock_ms(), strerror(errno));
	}
	if (h == NULL)
		return nobody_left(c);
	c->connect_by = clock_ms() + relay->connect_timeout * UINT64_C(1000);
	c->connecting = true;
	set_timer(c);
	return send_bind(c);
}

/* A bind failed with this host. errno says how, or is 0. */
static void
blame(struct conversation *c, bool late)
{
	struct upstreams *u = &c->connection->front->relay.upstreams;
	struct upstream *h = upstreams_find(u, &c->at);

	/* The client's time is over, but not the host's: the host had less than its full time. */
	if (h == NULL || (late && c->connect_by > c->answer_by + CLOCK_GRAIN))
		return;
	if (c->connecting)
		upstream_failed(h, clock_ms(), late ? "does not answer" : strerror(errno));
	else if (c->generation != u->generation)
		return;
	else if (late)
		c->silent |= upstream_bit(h);
	else
		c->closed |= upstream_bit(h);
}

/*
 * The host is lost. During a bind, another host is tried; later, the client is told. errno as
 * above.
 */
static bool
host_lost(struct conversation *c, bool late)
{
	char why[UPSTREAM_TEXT + 64], text[UPSTREAM_TEXT];
	enum exchange_do what;

	if (c->x.state == EXCHANGE_BINDING)
		blame(c, late);
	close_host(c);
	if (c->x.state == EXCHANGE_BINDING &&
	    (c->answer_by == 0 || (uint64_t)clock_ms() < c->answer_by))
		return connect_next(c);
	what = exchange_lost(&c->x, late, PDU_NAK_CONGESTION);
	if (what != EXCHANGE_ANSWER_CLOSE)
		return close_conversation(c);
	snprintf(why, sizeof(why), "%s %s", upstream_text(text, &c->at),
	    late ? "did not answer in time" : "disconnected during a call");
	say(c, LOG_WARNING, late ? "relay-late" : "relay-host-lost", why);
	return finish(c, c->x.answer, c->x.answer_len);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conversation *c = arg;

	errno = 0;
	if (host_lost(c, true))
		settle(c);
}

static bool
to_host(struct conversation *c, const uint8_t *data, size_t len)
{
	int rc = half_send(&c->host, data, len);

	if (rc == KMS_E_IO)
		return host_lost(c, false);
	return rc == KMS_OK || close_conversation(c);
}

static bool
to_client(struct conversation *c, const uint8_t *data, size_t len)
{
	return half_send(&c->client, data, len) == KMS_OK || close_conversation(c);
}

static bool
begin_bind(struct conversation *c, const uint8_t *data, size_t len)
{
	c->bind = malloc(len);
	if (c->bind == NULL)
		return close_conversation(c);
	memcpy(c->bind, data, len);
	c->bind_len = (uint32_t)len;
	c->asked_at = clock_us();
	set_timer(c);
	return connect_next(c);
}

/* One complete fragment from the client. *stop: it is not the client's turn. */
static bool
client_pdu(struct conversation *c, const uint8_t *data, size_t len, bool *stop)
{
	uint8_t state = c->x.state;
	enum exchange_do what = exchange_client(&c->x, data, len);

	switch (what) {
	case EXCHANGE_WAIT:
		*stop = true;
		return true;
	case EXCHANGE_CONNECT:
		return begin_bind(c, data, len);
	case EXCHANGE_PASS:
		if (state == EXCHANGE_BOUND)
			c->asked_at = clock_us();
		set_timer(c);
		return to_host(c, data, len);
	case EXCHANGE_DROP:
		return true;
	case EXCHANGE_ANSWER:
		say(c, LOG_NOTICE, c->x.event, c->x.why);
		c->connection->front->stats.refused_frames++;
		return to_client(c, c->x.answer, c->x.answer_len);
	case EXCHANGE_ANSWER_CLOSE:
		say(c, LOG_NOTICE, c->x.event, c->x.why);
		c->connection->front->stats.refused_frames++;
		return finish(c, c->x.answer, c->x.answer_len);
	default:
		say(c, LOG_NOTICE, c->x.event, c->x.why);
		c->connection->front->stats.refused_frames++;
		return close_conversation(c);
	}
}

static bool
bad_octets(struct conversation *c, enum pdu_whole how, const uint8_t *data, size_t len)
{
	enum exchange_do what = EXCHANGE_CLOSE;

	if (how == PDU_OTHER_VERSION)
		what = exchange_version(&c->x, data, len);
	c->connection->front->stats.refused_frames++;
	say(c, LOG_NOTICE, how == PDU_OTHER_VERSION ? c->x.event : "relay-bad-pdu",
	    how == PDU_OTHER_VERSION ? c->x.why : "not a PDU that a KMS client sends");
	if (what == EXCHANGE_ANSWER_CLOSE)
		return finish(c, c->x.answer, c->x.answer_len);
	return close_conversation(c);
}

static bool
client_octets(struct conversation *c, const uint8_t *data, size_t len)
{
	size_t at = 0;
	bool stop = false;
	struct pdu p;

	while (at < len && !stop) {
		enum pdu_whole how = pdu_look(&p, data + at, len - at);

		/* Go on only after the queued bytes have been sent. */
		if (half_pending(&c->host) || half_pending(&c->client) || how == PDU_MORE)
			break;
		if (how != PDU_WHOLE)
			return bad_octets(c, how, data + at, len - at);
		if (!client_pdu(c, data + at, p.length, &stop))
			return false;
		if (!stop)
			at += p.length;
	}
	return half_keep_in(&c->client, data + at, len - at) || close_conversation(c);
}

/* The client's turn again: handle what it sent meanwhile. */
static bool
client_resume(struct conversation *c)
{
	return c->client.in == NULL || client_octets(c, c->client.in, c->client.in_len);
}

static bool
host_pdu(struct conversation *c, const uint8_t *data, size_t len)
{
	uint8_t state = c->x.state;
	enum exchange_do what = exchange_host(&c->x, data, len);
	struct upstreams *u = &c->connection->front->relay.upstreams;
	struct upstream *h;

	if (what == EXCHANGE_PASS_CLOSE)
		return finish(c, data, len);
	if (what != EXCHANGE_PASS) {
		char text[UPSTREAM_TEXT];

		log_limited(
		    LOG_WARNING, "relay-bad-host", "%s: %s", upstream_text(text, &c->at), c->x.why);
		errno = EPROTO;
		return host_lost(c, false);
	}
	if (state == EXCHANGE_BINDING) {
		free(c->bind);
		c->bind = NULL;
		if ((h = upstreams_find(u, &c->at)) != NULL)
			upstream_good(h);
		if (c->generation == u->generation)
			upstreams_outdone(u, c->closed, c->silent, clock_ms());
	}
	c->connect_by = 0;
	set_timer(c);
	if (!to_client(c, data, len))
		return false;
	report(c);
	return true;
}

static bool
host_octets(struct conversation *c, const uint8_t *data, size_t len)
{
	size_t at = 0;
	struct pdu p;

	while (at < len) {
		enum pdu_whole how = pdu_look(&p, data + at, len - at);
		size_t size = how == PDU_WHOLE ? p.length : len - at;
		int fd = c->host.fd;

		if (how == PDU_MORE || half_pending(&c->client))
			break;
		/* exchange_host refuses what is not a PDU, too. */
		if (!host_pdu(c, data + at, size))
			return false;
		/* That host was given up and another one is tried: ignore its other bytes. */
		if (c->host.fd != fd || c->connecting || c->x.state == EXCHANGE_BINDING)
			return true;
		at += size;
	}
	return half_keep_in(&c->host, data + at, len - at) || close_conversation(c);
}

static bool
host_read(struct conversation *c)
{
	uint8_t *from;
	size_t len;
	ssize_t n = half_receive(&c->host, c->connection->front->relay.scratch, &from, &len);

	if (n > 0)
		return host_octets(c, from, len) && client_resume(c);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == 0)
		errno = 0;
	return host_lost(c, false);
}

static bool
host_connected(struct conversation *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->host.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
		return send_bind(c);
	errno = error;
	return host_lost(c, false);
}

static void
on_host(evutil_socket_t fd, short what, void *arg)
{
	struct conversation *c = arg;
	bool alive = true;

	if (c->connecting) {
		alive = host_connected(c);
	} else {
		if (what & EV_WRITE)
			alive = half_flush(&c->host) == KMS_OK
				    ? half_pending(&c->host) || client_resume(c)
				    : host_lost(c, false);
		/* Meanwhile the host may have been given up and another one tried. */
		if (alive && (what & EV_READ) && c->host.fd == fd && !c->connecting)
			alive = host_read(c);
	}
	if (alive)
		settle(c);
}

static bool
client_read(struct conversation *c)
{
	uint8_t *from;
	size_t len;
	ssize_t n = half_receive(&c->client, c->connection->front->relay.scratch, &from, &len);

	if (n > 0)
		return client_octets(c, from, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0)
		return close_conversation(c);
	/* It may have closed one direction only, and wait for its answer. */
	c->client.ended = true;
	return true;
}

static bool
client_flushed(struct conversation *c)
{
	if (half_flush(&c->client) != KMS_OK)
		return close_conversation(c);
	if (half_pending(&c->client))
		return true;
	/*
	 * The client reads again: first send what the host sent meanwhile, then read from the
	 * client.
	 */
	if (c->host.in != NULL && !host_octets(c, c->host.in, c->host.in_len))
		return false;
	return client_resume(c);
}

static void
conversation_event(struct connection *connection, short what)
{
	struct conversation *c = connection->conversation;
	bool alive = true;

	if (what & EV_WRITE)
		alive = client_flushed(c);
	if (alive && (what & EV_READ))
		alive = client_read(c);
	if (alive)
		settle(c);
}

static void
conversation_open(struct connection *connection, const uint8_t *data, size_t len)
{
	struct relay *relay = &connection->front->relay;
	char peer[ADDRESS_PORT_TEXT];
	struct conversation *c;
	int rc;

	if (!networks_have(relay->allow.at, relay->allow.count, connection->address)) {
		log_limited(LOG_NOTICE, "relay-source-refused",
		    "%s: not in a network of [relay] allow",
		    address_port_text(peer, connection->address, connection->port));
		connection->front->stats.refused_connections++;
		connection_close(connection);
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		connection_close(connection);
		return;
	}
	c->connection = connection;
	c->client.fd = connection->fd;
	c->host.fd = -1;
	exchange_init(&c->x);
	event_assign(&c->timer, connection->front->base, -1, 0, on_timer, c);
	rc = throttle_enter(&relay->throttle, connection->address);
	c->counted = rc == KMS_OK;
	c->over_limit = rc != KMS_OK;
	connection->conversation = c;
	connection->state = CONNECTION_RELAYED;
	if (client_octets(c, data, len))
		settle(c);
}

const struct relay_calls conversation_calls = {
	.open = conversation_open,
	.event = conversation_event,
	.free = conversation_free,
	.busy = conversation_busy,
};
