/*
 * fuzz_activate.c - the whole of kmsd-activate but main.c and its sandbox: keys, policy, ledger on
 * disk, control socket. The input plays two fronts, eight clients whose requests this target can
 * seal, a publisher whose files it can sign, and the administrator. Every request has one answer,
 * each answer opens under its client's keys, each lease verifies, and the ledger passes its own
 * check.
 *
 * Steps (steps.h). An entry begins with the number of a client, a verb or a kind:
 *   m  a request, in fields: client, operation, flags, time, product, sequence number, name.
 *      The operation with 0x40: of a client without state; with 0x80: it asks to borrow, for as
 *      many hours as its low bits say. Its echo is that of the last challenge, or without one
 *      the input's; it comes after the number before
 *   w  a client is a witness: client, what is wrong with its header, number of the batch
 *   q  a request whose text is the input's: client, text
 *   H  a HELLO, for the publisher or raw
 *   r  bytes on the front's channel
 *   v  a frame: verb, flags, body
 *   n  the other front; it connects anew with 1
 *   ;  the end of a turn
 *   k  the administrator asks: verb, or verb and client; then fields
 *   c  bytes on the control socket
 *   C  its answer is read
 *   f  the publisher signs a text, and it is installed: kind, text
 *   R  it changes its key: seed
 *   y  a confirmation is typed: serial number, version of the pack (2), host key, what to spoil
 *   t  the tick, so many days later
 *   L  a reload, with other days
 *   x  clients fetch the newest exchange key
 *   O  kmsd is restarted
 *   V  the ledger is checked at the end: that takes longer than all the rest
 */
#include <event2/event.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/challenge.h"
#include "kmsd/activate/control/control_server.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/front_verbs.h"
#include "kmsd/activate/unseen.h"
#include "kmsd/common/config_text.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/ipc/channel.h"
#include "libkms/core/batch.h"
#include "libkms/core/frame.h"
#include "libkms/core/lease.h"
#include "policy/code.h"
#include "policy/rotation_file.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/lib/player.h"
#include "t/lib/publisher.h"
#include "t/lib/scratch.h"

#define CLIENTS 8
#define FRONTS 2
#define CREDITS 16
#define STEPS 48
#define RESTARTS 2
#define SENT 1024 /* requests of one input */

/* A request, by its token. */
struct sent {
	unsigned client; /* CLIENTS: a HELLO */
	bool answered;
};

struct front {
	int fd; /* -1: not connected, or given up by kmsd-activate */
	struct ipc_channel *channel;
	unsigned in_flight;
};

struct play {
	char path[SCRATCH_PATH + 8];
	struct activate a;
	struct control_server *control;
	struct sockaddr_un address;
	socklen_t address_len;
	int asking; /* on the control socket; -1: none */
	struct test_publisher publisher;
	struct player_host host;
	struct player player[CLIENTS];
	uint8_t challenge[CLIENTS][MESSAGE_ECHO_SIZE]; /* the last one that each was told */
	uint8_t one[16], five[16];
	struct front fronts[FRONTS];
	struct front *front; /* that sends */
	struct sent sent[SENT];
	unsigned count;
	unsigned restarts;
	uint64_t shown; /* headers that this host's key signed */
	bool check;     /* the ledger, at the end */
	bool raw;       /* a front sent what it chose: kmsd-activate may end it at any time */
	bool changed;   /* other files are installed than those of the beginning */
};

/* Argon2id takes a second. What is sealed with this is as good here. */
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long outlen, const char *passwd,
    unsigned long long len, const unsigned char *salt, unsigned long long ops, size_t memory,
    int alg);

int
__wrap_crypto_pwhash(unsigned char *out, unsigned long long outlen, const char *passwd,
    unsigned long long len, const unsigned char *salt, unsigned long long ops, size_t memory,
    int alg)
{
	return crypto_generichash(
	    out, (size_t)outlen, (const uint8_t *)passwd, len, salt, crypto_pwhash_SALTBYTES);
}

/* -- kmsd-activate, as main.c begins and ends it -- */

static void
open_keys(struct play *p)
{
	static const char machine[] =
	    IPC_MACHINE_HEAD "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
	struct activate *a = &p->a;
	struct fault fault = { 0 };
	char why[256] = "";
	bool made;
	int fd = ipc_memory_write("machine", machine, sizeof(machine) - 1);

	MUST(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0);
	MUST(secrets_read(&a->secrets, IPC_SECRET_MACHINE, fd) == KMS_OK);
	close(fd);
	MUST(host_identity_open(&a->key, a->state_dir, a->now, &a->secrets, &made, why) == KMS_OK);
	MUST(publishers_open(&a->publishers, a->state_dir, host_identity_id(a->key), &a->config,
		 &fault) == KMS_OK);
}

static void
open_ledger(struct play *p)
{
	struct activate *a = &p->a;
	struct kmsdb_options o = {
		.segment_size = a->config.segment_size,
		.overlay_records = 64,
		.map_size = 1 << 20,
		.checkpoint_seconds = 3600,
		.have_sign_pk = true,
	};
	struct fault fault = { 0 };
	struct kmsdb_info info;

	memcpy(o.sign_pk, host_identity_sign_pk(a->key), 32);
	MUST(kmsdb_open(&a->db, a->state_dir, &o, &fault) == KMS_OK);
	kmsdb_info(a->db, &info);
	a->last_batch = info.last_batch;
	if (host_identity_locked(a->key))
		return;
	MUST(activate_open_exchange(a) == KMS_OK);
	MUST(activate_record_start(a) == KMS_OK);
}

static void
open_memory(struct activate *a)
{
	MUST((a->base = loop_new()) != NULL);
	a->cache = session_keys_new(a->config.session_cache);
	a->pending = pending_new(a->config.batch);
	a->refusals = refusals_new();
	a->challenge = challenge_key();
	a->unseen = unseen_new(a);
	MUST(a->cache != NULL && a->pending != NULL && a->refusals != NULL &&
	     a->challenge != NULL && a->unseen != NULL);
	budget_init(&a->budget, 1);
}

static void
open_control(struct play *p)
{
	const struct control_access access = { .starter = getuid() };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0);
	memset(&p->address, 0, sizeof(p->address));
	p->address.sun_family = AF_UNIX;
	/* An abstract name that the kernel chooses. */
	MUST(bind(fd, (struct sockaddr *)&p->address, sizeof(p->address.sun_family)) == 0);
	p->address_len = sizeof(p->address);
	MUST(getsockname(fd, (struct sockaddr *)&p->address, &p->address_len) == 0);
	MUST(listen(fd, 4) == 0);
	MUST((p->control = control_server_new(&p->a, fd, &access)) != NULL);
}

static void
start(struct play *p)
{
	struct activate *a = &p->a;

	config_defaults(&a->config);
	a->config.credits = CREDITS;
	a->config.batch = 16;
	a->config.session_cache = 4;
	a->config.segment_size = 1 << 20;
	a->config.keep_names = 3;
	strcpy(a->config.publishers[0].name, "test");
	strcpy(a->config.publishers[0].key, p->publisher.line);
	a->config.publisher_count = 1;
	strcpy(a->host_name, "host");
	a->state_dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(a->state_dir >= 0);
	activate_clock(a);
	a->started = a->now;
	open_memory(a);
	open_keys(p);
	open_ledger(p);
	open_control(p);
}

static void
stop(struct play *p)
{
	struct activate *a = &p->a;

	pending_finish(a);
	control_server_free(p->control);
	front_peer_free_all(a);
	kmsdb_close(a->db);
	publishers_free(&a->publishers);
	exchange_keys_free(a->exchange);
	host_identity_free(a->key);
	secrets_free(&a->secrets);
	session_keys_free(a->cache);
	pending_free(a->pending);
	refusals_free(a->refusals);
	sodium_free(a->challenge);
	unseen_free(a->unseen);
	event_base_free(a->base);
	close(a->state_dir);
	memset(a, 0, sizeof(*a));
}

/* -- the administrator -- */

static const struct {
	enum control_verb verb;
	int (*run)(struct control_request *q);
} verbs[] = {
	{ CONTROL_STATUS, control_status },
	{ CONTROL_CHECKPOINT, control_checkpoint },
	{ CONTROL_KEY_INSTALL, control_key_install },
	{ CONTROL_KEY_SHOW, control_key_show },
	{ CONTROL_KEY_REQUEST, control_key_request },
	{ CONTROL_KEY_CONFIRM, control_key_confirm },
	{ CONTROL_POLICY_INSTALL, control_policy_install },
	{ CONTROL_POLICY_SHOW, control_policy_show },
	{ CONTROL_CLIENT_SHOW, control_client_show },
	{ CONTROL_CLIENT_REVOKE, control_client_revoke },
	{ CONTROL_CLIENT_FORGET, control_client_forget },
	{ CONTROL_KEY_REMOVE, control_key_remove },
	{ CONTROL_CLIENT_UNREVOKE, control_client_unrevoke },
	{ CONTROL_CLIENT_ERASE, control_client_erase },
	{ CONTROL_RELAY_STATUS, control_relay_status },
	{ CONTROL_RELAY_NAME, control_relay_name },
	{ CONTROL_KEY_SEAL, control_key_seal },
	{ CONTROL_UNLOCK, control_unlock },
	{ CONTROL_REVOCATIONS_INSTALL, control_revocations_install },
	{ CONTROL_PUBLISHER_ROTATE, control_publisher_rotate },
	{ CONTROL_CLIENT_LIST, control_client_list },
	{ CONTROL_JOURNAL, control_journal },
	{ CONTROL_USAGE, control_usage },
};

/*
 * As control_server.c runs it, but at once: there, status waits for the fronts. What is answered
 * reads as fields.
 */
static int
ask(struct play *p, enum control_verb verb, const void *args, size_t len, struct control_buf *out)
{
	char why[CONTROL_WHY] = "";
	struct control_request q = { .activate = &p->a, .out = out, .why = why };
	struct wire_reader r;
	struct control_field f;
	int rc = KMS_E_ARGUMENT;

	if (host_identity_locked(p->a.key) && verb != CONTROL_STATUS && verb != CONTROL_UNLOCK)
		return KMS_E_LOCKED;
	activate_clock(&p->a);
	wire_reader_init(&q.args, args, len);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].verb == verb)
			rc = verbs[i].run(&q);
	MUST(memchr(why, 0, sizeof(why)) != NULL);
	wire_reader_init(&r, out->data != NULL ? out->data : (const uint8_t *)"", out->len);
	while (control_next(&r, &f))
		;
	MUST(!r.bad && !out->bad);
	return rc;
}

static int
install(struct play *p, enum control_verb verb, const struct test_file *f)
{
	struct control_buf args = { 0 }, out = { 0 };
	int rc;

	control_octets(&args, "file", f->text, f->len);
	control_octets(&args, "signature", f->signature, f->signature_len);
	rc = ask(p, verb, args.data, args.len, &out);
	control_buf_free(&args);
	control_buf_free(&out);
	return rc;
}

/* With 0x80 in the verb's byte, the argument is the CMID of a client. */
static void
administrate(struct play *p, const uint8_t *data, size_t len)
{
	struct control_buf args = { 0 }, out = { 0 };
	uint8_t cmid[16];
	char hex[33];

	if (len < 2)
		return;
	if (data[0] & 0x80) {
		seal_cmid(cmid, p->player[data[1] % CLIENTS].pk);
		control_text(&args, "cmid", sodium_bin2hex(hex, sizeof(hex), cmid, 16));
		ask(p, data[0] & 0x7f, args.data, args.len, &out);
	} else {
		p->changed = p->changed || data[0] == CONTROL_KEY_REMOVE;
		ask(p, data[0], data + 1, len - 1, &out);
	}
	control_buf_free(&args);
	control_buf_free(&out);
}

static void
sign_and_install(struct play *p, const uint8_t *data, size_t len)
{
	static const enum control_verb of[] = { CONTROL_POLICY_INSTALL, CONTROL_KEY_INSTALL,
		CONTROL_KEY_CONFIRM, CONTROL_REVOCATIONS_INSTALL, CONTROL_PUBLISHER_ROTATE };
	static struct test_file f;

	if (len < 1 || len - 1 > sizeof(f.text))
		return;
	f.len = len - 1;
	memcpy(f.text, data + 1, f.len);
	publisher_sign(&p->publisher, &f);
	if (install(p, of[data[0] % (sizeof(of) / sizeof(of[0]))], &f) == KMS_OK)
		p->changed = true;
}

/* A new publisher key, of that seed; the publisher signs with it from now on if 0x80 is set. */
static void
rotate(struct play *p, uint8_t how)
{
	const uint8_t seed[32] = { how & 0x7f, 1 };
	struct rotation r = { .from = p->a.now, .until = p->a.now + 30 * 86400 };
	struct test_publisher new;
	uint8_t octets[ROTATION_SIZE];
	struct test_file f;

	publisher_make_from(&new, seed);
	r.old = p->publisher.key;
	r.new = new.key;
	rotation_encode(octets, &r);
	crypto_sign_detached(
	    octets + ROTATION_SIZE - 128, NULL, octets, ROTATION_SIZE - 128, p->publisher.sk);
	crypto_sign_detached(octets + ROTATION_SIZE - 64, NULL, octets, ROTATION_SIZE - 64, new.sk);
	f.len = rotation_file_format(f.text, sizeof(f.text), octets);
	publisher_sign(&p->publisher, &f);
	if (install(p, CONTROL_PUBLISHER_ROTATE, &f) != KMS_OK)
		return;
	p->changed = true;
	if (how & 0x80)
		p->publisher = new;
}

/* As kmsissue confirm --code makes it, for a key and a pack that this host has. */
static void
type_confirmation(struct play *p, const uint8_t d[5])
{
	const struct publishers *s = &p->a.publishers;
	struct confirm_code c = { .serial = d[0],
		.issued = p->a.now,
		.confirmation = d[0],
		.major = d[1],
		.minor = d[2] };
	struct control_buf args = { 0 }, out = { 0 };
	uint8_t octets[CERTIFICATE_MAX], code[CODE_OCTETS];
	const uint8_t *sign_pk = host_identity_sign_pk(p->a.key);
	struct policy_pack *pack = NULL;
	const struct host_key *key;
	size_t len;

	if (s->list[0].key_count == 0)
		return;
	key = &s->list[0].keys[d[3] % s->list[0].key_count];
	memcpy(c.key, key->id, sizeof(c.key));
	(void)publisher_pack_read(s, &s->list[0], "1.0", &pack);
	if (pack != NULL && confirm_code_certificate(
				octets, sizeof(octets), &len, &c, key, pack, sign_pk) == KMS_OK)
		crypto_sign_detached(c.signature, NULL, octets, len - 64, p->publisher.sk);
	free(pack);
	len = confirm_code_octets(code, &c);
	code[d[4] % len] ^= d[4];
	control_octets(&args, "code", code, len);
	p->changed = ask(p, CONTROL_KEY_CONFIRM, args.data, args.len, &out) == KMS_OK || p->changed;
	control_buf_free(&args);
	control_buf_free(&out);
}

/* A new connection when there is none. */
static void
control_bytes(struct play *p, const uint8_t *data, size_t len)
{
	if (p->asking < 0) {
		p->asking = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		MUST(p->asking >= 0);
		MUST(connect(p->asking, (struct sockaddr *)&p->address, p->address_len) == 0);
	}
	(void)!send(p->asking, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
control_answer(struct play *p)
{
	static uint8_t reply[CONTROL_MAX];
	ssize_t n;

	if (p->asking < 0)
		return;
	n = recv(p->asking, reply, sizeof(reply), MSG_DONTWAIT);
	MUST(n <= 0 || n >= CONTROL_REPLY_HEADER);
	close(p->asking);
	p->asking = -1;
}

/* -- answers -- */

static void
check_lease(const struct play *p, const struct sent *s, const struct message_reply *m)
{
	struct entry_client e;
	uint8_t cmid[SEAL_CMID];

	seal_cmid(cmid, p->player[s->client].pk);
	/* Of any product: a client that repeats a request for another one gets the first lease. */
	if (m->bundle != NULL && !p->changed)
		MUST(lease_verify(&e, m->bundle, m->bundle_len, &p->host.certificate, cmid, NULL) ==
		     KMS_OK);
}

/* As libkms goes on from it. */
static void
take_challenge(struct play *p, const struct sent *s, const struct message_reply *m)
{
	if (m->challenge == NULL)
		return;
	MUST(m->highest_sequence > 0);
	memcpy(p->challenge[s->client], m->challenge, MESSAGE_ECHO_SIZE);
	p->player[s->client].sequence = m->highest_sequence;
}

static void
check_answer(struct play *p, const struct sent *s, const uint8_t *body, uint32_t len)
{
	static uint8_t text[FRAME_MAX_REPLY];
	struct frame_error e;
	struct message_hello_reply hello;
	struct message_reply m;
	struct frame f;
	size_t n;

	MUST(len >= FRAME_HEADER && frame_decode(&f, body, FRAME_MAX_REPLY) == KMS_OK);
	MUST(len == FRAME_HEADER + f.length);
	body += FRAME_HEADER;
	if (f.type == FRAME_ERROR) {
		MUST(frame_error_decode(&e, body, f.length) == KMS_OK);
	} else if (f.type == FRAME_HELLO_REPLY) {
		MUST(s->client == CLIENTS);
		MUST(message_hello_reply_decode(&hello, body, f.length) == KMS_OK);
	} else {
		MUST(f.type == FRAME_REPLY && s->client < CLIENTS);
		MUST(seal_open_reply(text, sizeof(text), &n, &p->player[s->client].keys,
			 body - FRAME_HEADER, len) == KMS_OK);
		MUST(message_reply_decode(&m, text, n) == KMS_OK);
		check_lease(p, s, &m);
		take_challenge(p, s, &m);
	}
}

static void
front_takes(struct play *p, struct front *front, const struct ipc_frame *f, const uint8_t *body)
{
	struct sent *s;

	MUST(f->verb == IPC_REPLY || f->verb == IPC_WELCOME || f->verb == IPC_STATS_ASK);
	if (f->verb != IPC_REPLY || p->raw)
		return;
	MUST(f->token < p->count);
	s = &p->sent[f->token];
	MUST(!s->answered && front->in_flight > 0);
	s->answered = true;
	front->in_flight--;
	if (f->length > 0)
		check_answer(p, s, body, f->length);
}

static void
front_closes(struct front *front)
{
	if (front->fd >= 0)
		ipc_channel_free(front->channel);
	front->fd = -1;
	front->in_flight = 0;
}

static void
front_reads(struct play *p, struct front *front)
{
	struct ipc_frame f;
	const uint8_t *body;
	bool some = true;
	int n = 0;

	while (some && front->fd >= 0) {
		some = false;
		/* Closed by kmsd-activate, which only a front that breaks the rules sees. */
		if (ipc_channel_fill(front->channel) != KMS_OK) {
			MUST(p->raw);
			front_closes(front);
			return;
		}
		while ((n = ipc_channel_next(front->channel, &f, &body)) > 0) {
			front_takes(p, front, &f, body);
			some = true;
		}
		MUST(n == 0);
	}
}

/* As a turn of main.c's serve(); everything that was asked is answered then. */
static void
turn(struct play *p)
{
	for (int i = 0; i < 3; i++) {
		event_base_loop(p->a.base, EVLOOP_NONBLOCK);
		if (!relayed_may_wait(&p->a))
			pending_finish(&p->a);
		front_peer_flush_all(&p->a);
		for (int j = 0; j < FRONTS; j++)
			front_reads(p, &p->fronts[j]);
	}
	for (int j = 0; j < FRONTS; j++)
		MUST(p->raw || p->fronts[j].in_flight == 0);
}

/* -- fronts and clients -- */

static void
put(struct play *p, uint8_t verb, uint8_t flags, const void *body, size_t len)
{
	struct ipc_frame f = { .verb = verb,
		.flags = flags,
		.length = (uint32_t)len,
		.token = p->count,
		.port = 5,
		.address = { [10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2 } };
	uint8_t header[IPC_HEADER];

	if (p->front->fd < 0)
		return;
	f.address[15] = (uint8_t)p->count;
	ipc_encode(header, &f);
	(void)!send(p->front->fd, header, sizeof(header), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)!send(p->front->fd, body, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* One more that is to be answered; a turn when its credits are used. */
static void
put_asking(struct play *p, uint8_t verb, const void *body, size_t len, const struct sent *s)
{
	if (p->front->fd < 0 || p->count == SENT)
		return;
	p->sent[p->count] = *s;
	put(p, verb, 0, body, len);
	p->count++;
	if (++p->front->in_flight == CREDITS)
		turn(p);
}

static void
front_connects(struct play *p, unsigned index)
{
	struct front *front = &p->fronts[index];
	const uint8_t ready[8] = { 0, 0, 0, IPC_VERSION };
	int pair[2], big = 1 << 20;

	turn(p);
	front_closes(front);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	front->fd = pair[1];
	MUST((front->channel = ipc_channel_new(pair[1], IPC_MAX_BODY)) != NULL);
	MUST(front_verbs_open(&p->a, pair[0], index) == KMS_OK);
	p->front = front;
	put(p, IPC_FRONT_READY, 0, ready, sizeof(ready));
	turn(p);
}

static void
request(struct play *p, unsigned client, const uint8_t *text, size_t len)
{
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REQUEST];
	struct sent s = { .client = client };
	size_t n =
	    seal_request(frame, sizeof(frame), &p->player[client].keys, host_identity_id(p->a.key),
		p->host.exchange.key_id, p->player[client].pk, NULL, text, len);

	if (n > 0)
		put_asking(p, IPC_REQUEST, frame, n, &s);
}

static uint64_t
sequence(struct player *c, uint8_t how)
{
	if (how < 0xf0)
		return ++c->sequence;
	if (how < 0xf8)
		return c->sequence > (how & 3u) ? c->sequence - (how & 3u) : 1;
	return MESSAGE_SEQUENCE_MAX - (how & 7u);
}

static void
request_of_fields(struct play *p, const uint8_t *d, size_t len)
{
	struct player *c = &p->player[d[0] % CLIENTS];
	const uint8_t *challenge = p->challenge[d[0] % CLIENTS];
	uint8_t more[MESSAGE_HEADER_SIZE] = { 1 }, before[16] = { 1 };
	struct message_request m = {
		.operation = (uint8_t)(MESSAGE_ACTIVATE + (d[1] & 0x3f) % 3),
		.flags = (uint16_t)((d[2] & 0x01 ? MESSAGE_VM : 0) |
				    (d[1] & 0x40 ? MESSAGE_STATELESS : 0)),
		.borrow = d[1] & 0x80 ? (d[1] & 0x3fu) * 60 : 0,
		.state = d[2] >> 4 & 3,
		.time = p->a.now + (d[3] == 0xff ? 20000 : d[3]),
		.highest_version = FRAME_VERSION,
		.witness = d[2] & 0x02 ? more : NULL,
		.echo = !(d[2] & 0x04)                                 ? NULL
			: sodium_is_zero(challenge, MESSAGE_ECHO_SIZE) ? more
								       : challenge,
		.header = d[2] & 0x40 ? more : NULL,
		.binding = d[2] & 0x08 ? more : NULL,
		.after = d[2] & 0x80 ? before : NULL,
		.after_count = 1,
	};
	uint8_t text[FRAME_MAX_REQUEST];
	size_t n;

	memcpy(before + 1, &c->sequence, sizeof(c->sequence));
	memcpy(more, d, len < sizeof(more) ? len : sizeof(more));
	m.sequence = sequence(c, d[5]);
	memcpy(m.product, d[4] & 1 ? p->one : p->five, 16);
	m.product[0] ^= d[4] >> 1;
	/* The same again for the same number: a repeated request. */
	m.request_id[0] = 1 + (d[5] & 0x08);
	memcpy(m.request_id + 1, &m.sequence, sizeof(m.sequence));
	memcpy(m.salt, c->salt, sizeof(m.salt));
	snprintf(m.name, sizeof(m.name), "%.*s", (int)(len - 6 < 60 ? len - 6 : 60), d + 6);
	n = message_request_encode(text, sizeof(text), &m);
	if (n == 0) {
		strcpy(m.name, "pc");
		n = message_request_encode(text, sizeof(text), &m);
	}
	if (n > 0)
		request(p, d[0] % CLIENTS, text, n);
}

enum spoilt {
	SPOILT_SIGNATURE = 1,
	SPOILT_HOST = 2,
	SPOILT_HASH = 4,
	SPOILT_NUMBER = 8,
	NO_HEADER = 16
};

/* A header as a client of a copy of this host would have it, or one that somebody made. */
static void
make_header(struct play *p, uint8_t out[MESSAGE_HEADER_SIZE], uint8_t how, uint64_t number)
{
	struct batch_header h = { .number = number, .size = 1, .time = p->a.now };

	memcpy(h.host_id, host_identity_id(p->a.key), sizeof(h.host_id));
	h.previous[0] = number > 1;
	batch_header_encode(out, &h);
	memset(out + BATCH_HEADER, 1, BATCH_SIGNATURE);
	if (how == 0 && host_identity_batch(out + BATCH_HEADER, out, p->a.key) == KMS_OK)
		p->shown++;
	out[8] ^= how & SPOILT_HOST;
}

/* Only a true one may be written, which the end compares. */
static void
witness(struct play *p, const uint8_t *d)
{
	struct player *c = &p->player[d[0] % CLIENTS];
	uint8_t claim[MESSAGE_WITNESS_SIZE], header[MESSAGE_HEADER_SIZE], text[FRAME_MAX_REQUEST];
	struct message_request m = { .operation = MESSAGE_RENEW,
		.time = p->a.now,
		.highest_version = FRAME_VERSION,
		.name = "pc",
		.witness = claim,
		.header = d[1] & NO_HEADER ? NULL : header };
	size_t n;

	make_header(p, header, d[1], 1 + d[2]);
	memcpy(claim, header + 24, 8);
	batch_header_hash(claim + 8, header);
	claim[8] ^= d[1] & SPOILT_HASH;
	claim[7] ^= d[1] & SPOILT_NUMBER;
	m.sequence = sequence(c, 0);
	memcpy(m.product, p->one, 16);
	m.request_id[0] = 1;
	memcpy(m.request_id + 1, &m.sequence, sizeof(m.sequence));
	memcpy(m.salt, c->salt, sizeof(m.salt));
	n = message_request_encode(text, sizeof(text), &m);
	if (n > 0)
		request(p, d[0] % CLIENTS, text, n);
}

static void
hello(struct play *p, const uint8_t *data, size_t len)
{
	const struct sent s = { .client = CLIENTS };
	uint8_t frame[FRAME_HEADER + 256];

	if (len == 0) {
		data = p->publisher.key.id;
		len = sizeof(p->publisher.key.id);
	}
	len = len < 256 ? len : 256;
	frame_encode(frame, FRAME_HELLO, (uint32_t)len);
	memcpy(frame + FRAME_HEADER, data, len);
	put_asking(p, IPC_HELLO, frame, FRAME_HEADER + len, &s);
}

/* What HELLO would tell them. */
static void
clients_learn(struct play *p)
{
	if (p->a.exchange == NULL)
		return;
	turn(p);
	MUST(exchange_verify(&p->host.exchange, exchange_keys_statement(p->a.exchange),
		 EXCHANGE_SIZE, host_identity_sign_pk(p->a.key)) == KMS_OK);
	for (unsigned i = 0; i < CLIENTS; i++) {
		uint64_t last = p->player[i].sequence;

		player_make(&p->player[i], &p->host, 1, i);
		p->player[i].sequence = last;
	}
}

/* -- the whole -- */

/* A pack, a host key, and its confirmation. */
static void
confirm(struct play *p)
{
	static const uint8_t id[16] = { 0xaa, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14,
		15 };
	static struct test_file f;
	struct control_buf out = { 0 };
	struct control_field text;
	struct wire_reader r;
	bool asked = false;

	publisher_pack(&p->publisher, &f, "1.0");
	MUST(install(p, CONTROL_POLICY_INSTALL, &f) == KMS_OK);
	publisher_host_key(&p->publisher, &f, id);
	MUST(install(p, CONTROL_KEY_INSTALL, &f) == KMS_OK);
	MUST(ask(p, CONTROL_KEY_REQUEST, "", 0, &out) == KMS_OK);
	wire_reader_init(&r, out.data, out.len);
	while (control_next(&r, &text))
		if (control_field_is(&text, 's', "text"))
			asked = publisher_confirm(&p->publisher, &f, (const char *)text.value,
				    text.value_len) == KMS_OK;
	control_buf_free(&out);
	MUST(asked && install(p, CONTROL_KEY_CONFIRM, &f) == KMS_OK);
	p->host.certificate = p->a.publishers.list[0].certificate;
}

static struct play *
begin(void)
{
	static const uint8_t seed[32] = { 1 };
	static char root[SCRATCH_PATH];
	struct play *p = calloc(1, sizeof(*p));

	MUST(p != NULL && sodium_init() >= 0);
	log_level(-1);
	MUST(root[0] != '\0' || scratch_make(root));
	snprintf(p->path, sizeof(p->path), "%s/host", root);
	MUST(mkdir(p->path, 0700) == 0);
	publisher_make_from(&p->publisher, seed);
	player_uuid(p->one, PUBLISHER_ONE);
	player_uuid(p->five, PUBLISHER_FIVE);
	p->asking = -1;
	for (unsigned i = 0; i < FRONTS; i++)
		p->fronts[i].fd = -1;
	start(p);
	confirm(p);
	clients_learn(p);
	front_connects(p, 0);
	return p;
}

static void
restart(struct play *p)
{
	if (p->restarts++ == RESTARTS)
		return;
	turn(p);
	control_answer(p);
	for (unsigned i = 0; i < FRONTS; i++)
		front_closes(&p->fronts[i]);
	stop(p);
	start(p);
	front_connects(p, 0);
}

static void
tick(struct play *p, unsigned days)
{
	struct activate *a = &p->a;

	activate_clock(a);
	a->now += days * UINT64_C(86400);
	activate_turn_exchange(a);
	activate_erase_names(a);
	front_peer_ask_stats(a);
	pending_idle(a);
}

/* As main.c's reload(). */
static void
reload(struct play *p, unsigned days)
{
	struct config fresh = p->a.config;
	struct publishers publishers;
	struct fault fault = { 0 };

	fresh.keep_names = days & 0x0f;
	fresh.exchange_rotation = 1 + (days >> 4);
	MUST(publishers_open(&publishers, p->a.state_dir, host_identity_id(p->a.key), &fresh,
		 &fault) == KMS_OK);
	publishers_free(&p->a.publishers);
	p->a.publishers = publishers;
	config_reload(&p->a.config, &fresh);
}

static void
play_front(struct play *p, const struct step *s)
{
	switch (s->what) {
	case 'm':
		if (s->len >= 6)
			request_of_fields(p, s->data, s->len);
		break;
	case 'w':
		if (s->len >= 3)
			witness(p, s->data);
		break;
	case 'q':
		if (s->len >= 1)
			request(p, s->data[0] % CLIENTS, s->data + 1, s->len - 1);
		break;
	case 'H':
		hello(p, s->data, s->len);
		break;
	case 'r':
		p->raw = true;
		if (p->front->fd >= 0)
			(void)!send(p->front->fd, s->data, s->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case 'v':
		p->raw = true;
		if (s->len >= 2)
			put(p, s->data[0], s->data[1] & IPC_CLOSE, s->data + 2, s->len - 2);
		break;
	}
}

static void
play_step(struct play *p, const struct step *s)
{
	unsigned first = s->len > 0 ? s->data[0] : 0;

	switch (s->what) {
	case 'n':
		p->front = &p->fronts[p->front == &p->fronts[0]];
		if (p->front->fd < 0 || first == 1)
			front_connects(p, (unsigned)(p->front - p->fronts));
		break;
	case 'k':
		administrate(p, s->data, s->len);
		break;
	case 'c':
		control_bytes(p, s->data, s->len);
		turn(p);
		break;
	case 'C':
		control_answer(p);
		break;
	case 'f':
		sign_and_install(p, s->data, s->len);
		break;
	case 'y':
		if (s->len >= 5)
			type_confirmation(p, s->data);
		break;
	case 'R':
		rotate(p, (uint8_t)first);
		break;
	case 't':
		tick(p, first);
		break;
	case 'L':
		reload(p, first);
		break;
	case 'x':
		clients_learn(p);
		break;
	case 'V':
		p->check = true;
		break;
	case 'O':
		restart(p);
		break;
	case ';':
		turn(p);
		break;
	default:
		play_front(p, s);
	}
}

static void
complain(int status, const char *line, void *arg)
{
	fprintf(stderr, "ledger: %d: %s\n", status, line);
}

/* Nothing that a client claims is in the journal, but what this host's key signed. */
static void
check_history(struct play *p)
{
	struct kmsdb_history h;
	uint64_t told = 0;

	MUST(kmsdb_history(p->a.db, &h) == KMS_OK);
	for (int g = 0; g < HISTORY_GRADES; g++)
		told += h.grades[g];
	MUST(told <= p->shown);
}

static void
end(struct play *p)
{
	uint8_t sign_pk[32];
	uint64_t erased;
	int dirfd;

	turn(p);
	check_history(p);
	memcpy(sign_pk, host_identity_sign_pk(p->a.key), sizeof(sign_pk));
	control_answer(p);
	for (unsigned i = 0; i < FRONTS; i++)
		front_closes(&p->fronts[i]);
	stop(p);
	MUST((dirfd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
	MUST(!p->check || kmsdb_check(dirfd, sign_pk, &erased, complain, NULL) == KMS_OK);
	close(dirfd);
	scratch_remove(p->path);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = { data, size, STEPS };
	struct play *p = begin();
	struct step s;

	while (steps_next(&steps, &s))
		play_step(p, &s);
	end(p);
	return 0;
}
