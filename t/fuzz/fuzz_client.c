/*
 * fuzz_client.c - the whole client library, as a product calls it, between its files and a host
 * that the input plays: a host with a certificate of the publisher's, which answers what it likes.
 * A lease that was valid stays valid after any failure, KMS_OK means that the stored lease
 * verifies, and what is exported verifies for anybody. A host is told of no batch but of those that
 * it signed.
 *
 * Steps (steps.h). The product:
 *   a  kms_activate   n  kms_renew   l  kms_release   s  everything that asks no host
 *   b  kms_borrow, for so many hours
 *   t  so many hours pass
 *   o  close, open with other options; a second byte: without state
 *   P  bytes of the state file change, and its checksum is put right
 *   K  those of its secret
 *   D  what DNS answers to the question for SRV records
 * Between them, the host's next answers; without one it closes:
 *   H  HELLO_REPLY: options, changes
 *   e  ERROR: status, seconds
 *   R  a sealed reply: status, options, changes
 *   q  a sealed reply of this text
 *   W  the same as R, before its changes: number of the lease's batch, of the batch that it
 *      wants to see, and the challenge's byte; 0: the next number, nothing, none
 *   r  these bytes, and then no more
 *   c  no connection to this address
 * "Changes" are triples: a place (two bytes) and what to add to the byte there.
 */
#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/client/secret.h"
#include "libkms/client/state.h"
#include "libkms/client/transport.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/core/rotation.h"
#include "libkms/core/seal.h"
#include "libkms/kms.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/lib/scratch.h"
#include "t/lib/testhost.h"

#define T 1700000000u
#define HOUR 3600u
#define YEAR (365u * 24 * HOUR)
#define STEPS 40

struct play {
	char directory[SCRATCH_PATH + 8], path[SCRATCH_PATH + 16];
	uint64_t now;
	struct kms_options options;
	struct kms_client *client; /* NULL: it could not be opened */
	struct testhost host, liar;
	struct steps steps;
	struct step step; /* the next one, while have */
	bool have;
	struct step dns; /* of the last D */
	uint32_t borrow; /* minutes, of the last b */
	int peer;        /* the host's end of the connection; -1: none */
	/* Every header that a host signed. */
	unsigned signed_count;
	struct header {
		uint8_t host_id[16], hash[32];
	} signed_headers[2 * STEPS];
};

/*
 * The one play, for what stands in for the network: the linker puts these functions in the place of
 * the library's calls, which have no argument of ours.
 */
static struct play *playing;

int __wrap_transport_dial(struct transport *t, const struct sockaddr *to, socklen_t len);
int __real_transport_dial(struct transport *t, const struct sockaddr *to, socklen_t len);
int __wrap_transport_read(struct transport *t, uint8_t *out, size_t size, size_t *done);
int __real_transport_read(struct transport *t, uint8_t *out, size_t size, size_t *done);
void __wrap_ares_query(ares_channel channel, const char *name, int dnsclass, int type,
    ares_callback callback, void *arg);
void __real_ares_query(ares_channel channel, const char *name, int dnsclass, int type,
    ares_callback callback, void *arg);
void __wrap_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
    const struct ares_addrinfo_hints *hints, ares_addrinfo_callback callback, void *arg);
void __real_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
    const struct ares_addrinfo_hints *hints, ares_addrinfo_callback callback, void *arg);

static uint64_t
play_now(void *arg)
{
	return ((struct play *)arg)->now;
}

static bool
peek(struct play *p)
{
	if (!p->have)
		p->have = steps_next(&p->steps, &p->step);
	return p->have;
}

/* The host's next answer; false: it has none. */
static bool
next_answer(struct play *p, struct step *s)
{
	if (!peek(p) || p->step.what == '\0' || strchr("HReWqrc", p->step.what) == NULL)
		return false;
	*s = p->step;
	p->have = false;
	return true;
}

static void
change(uint8_t *octets, size_t len, const uint8_t *changes, size_t n)
{
	for (; n >= 3 && len > 0; changes += 3, n -= 3)
		octets[(size_t)(changes[0] | changes[1] << 8) % len] += changes[2];
}

/* -- the host -- */

static void
host_says(struct play *p, const uint8_t *octets, size_t len)
{
	(void)!send(p->peer, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
host_closes(struct play *p)
{
	if (p->peer >= 0)
		close(p->peer);
	p->peer = -1;
}

static void
make_rotation(const struct play *p, uint8_t octets[ROTATION_SIZE])
{
	struct rotation r = { .old = p->host.publisher,
		.new = p->liar.publisher,
		.from = p->now - HOUR,
		.until = p->now + YEAR };

	rotation_encode(octets, &r);
	crypto_sign_detached(
	    octets + ROTATION_SIZE - 128, NULL, octets, ROTATION_SIZE - 128, p->host.publisher_sk);
	crypto_sign_detached(
	    octets + ROTATION_SIZE - 64, NULL, octets, ROTATION_SIZE - 64, p->liar.publisher_sk);
}

/*
 * Options: 1 a host of another publisher, 2 the statement has ended, 4 the certificate has ended,
 * 8 the statement is of another version, 16 a rotation to the other publisher, 32 changed after it
 * was signed.
 */
static void
say_hello(struct play *p, const struct step *s)
{
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY], rotation[ROTATION_SIZE];
	uint8_t how = s->len > 0 ? s->data[0] : 0;
	struct testhost h = how & 1 ? p->liar : p->host;
	struct message_hello_reply m = { .time = p->now };
	size_t n;

	h.exchange.made = p->now - (how & 2 ? 9 * 24 * HOUR : 0);
	h.exchange.until = h.exchange.made + 7 * 24 * HOUR;
	h.exchange.ends = h.exchange.until + 24 * HOUR;
	if (how & 8)
		h.exchange.lowest = h.exchange.highest = FRAME_VERSION + 1;
	if (how & 4)
		h.cert.not_after = p->now - 1;
	testhost_certify(&h);
	testhost_state(&h);
	make_rotation(p, rotation);
	m.exchange = h.statement;
	m.certificate = h.certificate;
	m.certificate_len = h.certificate_len;
	m.rotations[0] = rotation;
	m.rotation_count = how & 16 ? 1 : 0;
	n = message_hello_reply_encode(frame + FRAME_HEADER, FRAME_MAX_REPLY, &m);
	if ((how & 32) && s->len > 1)
		change(frame + FRAME_HEADER, n, s->data + 1, s->len - 1);
	frame_encode(frame, FRAME_HELLO_REPLY, (uint32_t)n);
	host_says(p, frame, FRAME_HEADER + n);
}

static void
say_error(struct play *p, const struct step *s)
{
	uint8_t frame[FRAME_ERROR_SIZE];
	struct frame_error e = { .time = p->now };

	e.status = s->len > 0 ? s->data[0] : KMS_E_OVERLOAD;
	e.retry_after = s->len > 1 ? s->data[1] * 30u : 0;
	frame_error_encode(frame, &e);
	host_says(p, frame, sizeof(frame));
}

/* A request of the client's, opened. */
struct opened {
	struct seal_keys keys;
	uint8_t pk[SEAL_PUBLIC];
	struct message_request m;
};

static void
note_signed(struct play *p, const uint8_t *bundle, size_t len)
{
	struct header *h = &p->signed_headers[p->signed_count++];
	struct lease l;

	MUST(p->signed_count <= sizeof(p->signed_headers) / sizeof(*p->signed_headers));
	MUST(lease_decode(&l, bundle, len) == KMS_OK);
	memcpy(h->host_id, l.header + 8, sizeof(h->host_id));
	batch_header_hash(h->hash, l.header);
}

/* What a request to this host says of its record is what this host signed. */
static void
check_witness(const struct play *p, const struct message_request *m, const struct testhost *h)
{
	uint8_t hash[32];
	unsigned i = 0;

	if (m->witness == NULL) {
		MUST(m->header == NULL);
		return;
	}
	while (i < p->signed_count &&
	       (memcmp(p->signed_headers[i].host_id, h->cert.host_id, 16) != 0 ||
		   memcmp(p->signed_headers[i].hash, m->witness + 8, 32) != 0))
		i++;
	MUST(i < p->signed_count);
	if (m->header == NULL)
		return;
	batch_header_hash(hash, m->header);
	MUST(memcmp(hash, m->witness + 8, sizeof(hash)) == 0);
	MUST(memcmp(m->header + 24, m->witness, 8) == 0);
	MUST(batch_verify(m->header, m->header + BATCH_HEADER, h->cert.sign_pk) == KMS_OK);
}

/*
 * Options: 1 without a lease, 2 without its names, 4 another request, 8 another sequence number,
 * 16 hours too early, 32 ended, 64 other names, 128 signed by another host. With KMS_E_SEQUENCE:
 * how far the host is ahead.
 */
static size_t
fill_bundle(struct play *p, const struct opened *a, uint8_t how, uint64_t batch, uint8_t *bundle,
    size_t size)
{
	struct aside names = { 0 };
	struct entry_client e;
	size_t len;

	memcpy(names.salt, a->m.salt, sizeof(names.salt));
	strcpy(names.name, how & 64 ? "other" : a->m.name);
	testhost_entry(&p->host, &e, &names, a->pk, p->now - (how & 16 ? 5 * HOUR : 0), 1440);
	memcpy(e.request_id, a->m.request_id, sizeof(e.request_id));
	e.request_id[0] ^= how & 4 ? 1 : 0;
	e.flags = (uint16_t)((a->m.borrow != 0 ? ENTRY_BORROWED : 0) |
			     (a->m.flags & MESSAGE_STATELESS ? ENTRY_STATELESS : 0));
	e.sequence = a->m.sequence + (how & 8 ? 1 : 0);
	if (how & 32) {
		e.expires = e.time + 60;
		e.renew_after = e.time + 30;
	}
	p->host.batch = p->liar.batch = batch != 0 ? batch : 7 + p->signed_count;
	len = testhost_bundle(
	    how & 128 ? &p->liar : &p->host, bundle, size, &e, how & 2 ? NULL : &names);
	note_signed(p, bundle, len);
	return len;
}

static void
say_text(struct play *p, const struct opened *a, const uint8_t *text, size_t len)
{
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY];
	size_t n = seal_reply(frame, sizeof(frame), &a->keys, NULL, text, len);

	if (n > 0)
		host_says(p, frame, n);
	else
		host_closes(p);
}

static void
say_reply(struct play *p, const struct opened *a, const struct step *s)
{
	static uint8_t bundle[LEASE_MAX], text[FRAME_MAX_REPLY];
	uint8_t how = s->len > 1 ? s->data[1] : 0;
	/* What W says of the record. */
	size_t changes = s->what == 'W' && s->len >= 5 ? 5 : 2;
	const uint8_t *record = changes > 2 ? s->data + 2 : (const uint8_t *)"\0\0\0";
	uint8_t challenge[MESSAGE_ECHO_SIZE];
	struct message_reply m = {
		.status = s->len > 0 ? s->data[0] : KMS_OK,
		.time = p->now,
		.count = 7,
		.required = 25,
		.activation_interval = 120,
		.renewal_interval = 10080,
	};
	size_t n;

	memcpy(m.request_id, a->m.request_id, sizeof(m.request_id));
	if (m.status == KMS_OK && (how & 1) == 0) {
		m.bundle_len = fill_bundle(p, a, how, record[0], bundle, sizeof(bundle));
		m.bundle = bundle;
	}
	if (m.status == KMS_E_SEQUENCE)
		m.highest_sequence = a->m.sequence + ((uint64_t)(how & 0x0f) << (how & 0xf0) / 4);
	memset(challenge, record[2], sizeof(challenge));
	if (m.status == KMS_E_SEQUENCE && record[2] != 0)
		m.challenge = challenge;
	m.show = record[1];
	if (m.status == KMS_E_OVERLOAD || m.status == KMS_E_LEDGER)
		m.retry_after = 1u + how * 1000u;
	if (m.status == KMS_E_TIME_SKEW)
		m.time += (uint64_t)how * HOUR;
	n = message_reply_encode(text, sizeof(text), &m);
	if (s->len > changes)
		change(text, n, s->data + changes, s->len - changes);
	say_text(p, a, text, n);
}

/* What the client sent, all of it; true: a request that opens. */
static bool
take_request(struct play *p, struct opened *a)
{
	static uint8_t frame[FRAME_HEADER + FRAME_MAX_REQUEST], text[FRAME_MAX_REQUEST];
	const struct testhost *h = &p->host;
	struct seal_request_view view;
	ssize_t got = recv(p->peer, frame, sizeof(frame), MSG_DONTWAIT);
	struct message_hello hello;
	size_t n;

	memset(a, 0, sizeof(*a));
	MUST(got >= FRAME_HEADER);
	if (frame[FRAME_TYPE_AT] == FRAME_HELLO) {
		MUST(message_hello_decode(
			 &hello, frame + FRAME_HEADER, (size_t)got - FRAME_HEADER) == KMS_OK);
		return false;
	}
	MUST(seal_request_parse(&view, frame, (size_t)got) == KMS_OK);
	memcpy(a->pk, view.client_pk, sizeof(a->pk));
	if (memcmp(view.host_id, h->cert.host_id, SEAL_HOST) != 0)
		h = &p->liar;
	MUST(seal_host_keys(&a->keys, h->exchange.pk, h->kx_sk, a->pk) == KMS_OK);
	MUST(seal_open_view(text, sizeof(text), &n, &a->keys, &view) == KMS_OK);
	/* Whatever the host made the client keep: it sends only what a host can read. */
	MUST(message_request_decode(&a->m, text, n) == KMS_OK);
	MUST(a->m.borrow == 0 || a->m.borrow == p->borrow);
	MUST(((a->m.flags & MESSAGE_STATELESS) != 0) == (p->options.state_file == NULL));
	check_witness(p, &a->m, h);
	return true;
}

static void
answer(struct play *p)
{
	struct opened a;
	bool request = take_request(p, &a);
	struct step s;

	if (!next_answer(p, &s)) {
		host_closes(p);
		return;
	}
	if (s.what == 'H')
		say_hello(p, &s);
	else if (s.what == 'e')
		say_error(p, &s);
	else if ((s.what == 'R' || s.what == 'W') && request)
		say_reply(p, &a, &s);
	else if (s.what == 'q' && request)
		say_text(p, &a, s.data, s.len);
	else {
		if (s.what == 'r')
			host_says(p, s.data, s.len);
		host_closes(p);
	}
}

/* -- the network -- */

int
__wrap_transport_dial(struct transport *t, const struct sockaddr *to, socklen_t len)
{
	const struct sockaddr_in nobody = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct step s;
	int pair[2];

	MUST(len > 0 && (to->sa_family == AF_INET || to->sa_family == AF_INET6));
	snprintf(t->peer, sizeof(t->peer), "host");
	t->fd = -1;
	host_closes(playing);
	if (peek(playing) && playing->step.what == 'c' && next_answer(playing, &s)) {
		/* Nobody listens there. */
		return __real_transport_dial(t, (const struct sockaddr *)&nobody, sizeof(nobody));
	}
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	t->fd = pair[0];
	playing->peer = pair[1];
	return KMS_OK;
}

/* Now the request has been sent: the answer is there before anything waits. */
int
__wrap_transport_read(struct transport *t, uint8_t *out, size_t size, size_t *done)
{
	if (playing->peer >= 0 && *done == 0)
		answer(playing);
	return __real_transport_read(t, out, size, done);
}

void
__wrap_ares_query(ares_channel channel, const char *name, int dnsclass, int type,
    ares_callback callback, void *arg)
{
	static unsigned char message[4096];
	size_t n = playing->dns.len < sizeof(message) ? playing->dns.len : sizeof(message);

	if (n > 0)
		memcpy(message, playing->dns.data, n);
	/* Nobody listens on the name server's port either, and says so at once. */
	if (n == 0 && playing->options.nameserver != NULL)
		__real_ares_query(channel, name, dnsclass, type, callback, arg);
	else
		callback(
		    arg, n > 0 ? ARES_SUCCESS : ARES_ENOTFOUND, 0, n > 0 ? message : NULL, (int)n);
}

/* There is no name server: names with a k at the begin have one address, the others have none. */
void
__wrap_ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
    const struct ares_addrinfo_hints *hints, ares_addrinfo_callback callback, void *arg)
{
	struct ares_addrinfo_hints v4 = *hints;

	v4.ai_family = AF_INET;
	if (node[0] == 'k')
		__real_ares_getaddrinfo(channel, "192.0.2.7", service, &v4, callback, arg);
	else
		callback(arg, ARES_ENOTFOUND, 0, NULL);
}

/* -- the product -- */

static void
open_client(struct play *p, uint8_t how, bool stateless)
{
	struct kms_options *o = &p->options;
	char detail[256];

	kms_close(p->client);
	p->client = NULL;
	/* A client without state gave its seat back. */
	host_closes(p);
	o->state_file = stateless ? NULL : p->path;
	o->host = how & 1 ? NULL : "192.0.2.1";
	o->domain = "example.org";
	o->nameserver = how & 2 ? "127.0.0.1:1" : NULL;
	o->product = how & 4 ? TESTHOST_OTHER : TESTHOST_PRODUCT;
	o->grace_minutes = how & 8 ? 0 : KMS_NO_GRACE;
	o->virtual_machine = how & 16 ? KMS_VM_YES : how & 64 ? KMS_VM_DETECT : KMS_VM_NO;
	o->name = how & 128 ? NULL : how & 32 ? "other" : "tester";
	o->detail = detail;
	o->detail_size = sizeof(detail);
	if (kms_open(&p->client, o) != KMS_OK)
		MUST(p->client == NULL);
}

/* What everybody can check. */
static void
check_export(struct play *p, bool valid)
{
	static uint8_t file[STATE_MAX];
	struct kms_lease_info info = { .size = sizeof(info) };
	size_t size = sizeof(file);
	int rc = kms_lease_export(p->client, file, &size);

	if (valid)
		MUST(rc == KMS_OK);
	if (rc != KMS_OK)
		return;
	MUST(size <= sizeof(file));
	rc = kms_lease_verify(file, size, p->options.publisher_key, p->now, &info);
	if (valid)
		MUST(rc == KMS_OK && info.expires >= p->now);
}

static void
check_evidence(struct play *p)
{
	static uint8_t file[EVIDENCE_FILE_MAX];
	struct kms_evidence_info e = { .size = sizeof(e) };
	size_t size;
	unsigned i = 0;
	int rc;

	while (i <= STATE_HOSTS && (rc = kms_evidence(p->client, i, &e)) != KMS_E_NOT_FOUND) {
		/* The state file is gone or damaged. */
		if (rc == KMS_E_STATE || rc == KMS_E_SCHEMA)
			return;
		size = sizeof(file);
		if (rc == KMS_OK && e.verified) {
			MUST(kms_evidence_export(p->client, i, file, &size) == KMS_OK);
			MUST(kms_evidence_verify(file, size, p->options.publisher_key, &e) ==
			     KMS_OK);
			MUST(e.number[1] <= e.number[0]);
		}
		i++;
	}
	MUST(i <= STATE_HOSTS);
}

static void
look(struct play *p)
{
	struct kms_status_info s = { .size = sizeof(s) };
	char text[512];
	size_t size = sizeof(text);
	bool valid = kms_verify(p->client) == KMS_OK;
	int rc = kms_status(p->client, &s);

	MUST(rc != KMS_OK || !valid || s.licence == KMS_ACTIVATED || s.licence == KMS_RENEWAL_DUE ||
	     s.licence == KMS_CLOCK_BACK);
	check_export(p, valid);
	check_evidence(p);
	(void)kms_entitlement(p->client, "seats", text, &size);
	(void)kms_discover(p->client, text, sizeof(text));
}

static void
ask(struct play *p, int (*what)(struct kms_client *, struct kms_result *))
{
	struct kms_result result = { .size = sizeof(result) };
	bool valid = kms_verify(p->client) == KMS_OK;
	int rc = what(p->client, &result);

	host_closes(p);
	MUST((uint32_t)rc == result.status);
	MUST(memchr(result.detail, 0, sizeof(result.detail)) != NULL);
	MUST(memchr(result.host, 0, sizeof(result.host)) != NULL);
	if (what == kms_release)
		MUST(rc != KMS_OK || kms_verify(p->client) != KMS_OK);
	else if (rc == KMS_OK || valid)
		MUST(kms_verify(p->client) == KMS_OK);
	look(p);
}

static int
borrow(struct kms_client *c, struct kms_result *result)
{
	return kms_borrow(c, playing->borrow, result);
}

static void
play_borrow(struct play *p, const struct step *s)
{
	p->borrow = 60 * (1 + (s->len > 0 ? s->data[0] : 0u));
	ask(p, borrow);
}

/* A file of the client's, changed, and with a checksum that fits. */
static void
change_file(const char *path, const struct step *s)
{
	static uint8_t file[STATE_MAX];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, file, sizeof(file), 0) : -1;

	if (n > 32) {
		change(file, (size_t)n - 32, s->data, s->len);
		crypto_generichash(file + n - 32, 32, file, (size_t)n - 32, NULL, 0);
		MUST(pwrite(fd, file, (size_t)n, 0) == n);
	}
	if (fd >= 0)
		close(fd);
}

static void
play_files(struct play *p, const struct step *s)
{
	char key[sizeof(p->path) + 8];
	uint8_t first = s->len > 0 ? s->data[0] : 0;

	snprintf(key, sizeof(key), "%s.key", p->path);
	if (s->what == 't')
		p->now += first * (uint64_t)HOUR;
	else if (s->what == 'o')
		open_client(p, first, s->len > 1 && (s->data[1] & 1) != 0);
	else if (s->what == 'P' || s->what == 'K')
		change_file(s->what == 'P' ? p->path : key, s);
	else if (s->what == 'D')
		p->dns = *s;
}

static void
play_step(struct play *p, const struct step *s)
{
	play_files(p, s);
	if (p->client == NULL)
		return;
	if (s->what == 'a')
		ask(p, kms_activate);
	else if (s->what == 'n')
		ask(p, kms_renew);
	else if (s->what == 'l')
		ask(p, kms_release);
	else if (s->what == 'b')
		play_borrow(p, s);
	else if (s->what == 's')
		look(p);
}

static void
begin(struct play *p, const uint8_t *data, size_t size)
{
	static char root[SCRATCH_PATH];

	MUST(sodium_init() >= 0);
	MUST(root[0] != '\0' || scratch_make(root));
	snprintf(p->directory, sizeof(p->directory), "%s/client", root);
	snprintf(p->path, sizeof(p->path), "%s/s", p->directory);
	MUST(mkdir(p->directory, 0700) == 0);
	p->steps = (struct steps){ data, size, STEPS };
	p->peer = -1;
	p->now = T;
	testhost_init(&p->host, 0x50, 1, T - YEAR, T + YEAR);
	testhost_init(&p->liar, 0x51, 2, T - YEAR, T + YEAR);
	p->options = (struct kms_options){ .size = sizeof(p->options),
		.publisher_key = p->host.publisher_text,
		.state_file = p->path,
		.now = play_now,
		.now_arg = p };
	open_client(p, 0, false);
	MUST(p->client != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play;
	struct step s;

	memset(&play, 0, sizeof(play));
	playing = &play;
	begin(&play, data, size);
	while (peek(&play)) {
		s = play.step;
		play.have = false;
		play_step(&play, &s);
	}
	kms_close(play.client);
	host_closes(&play);
	scratch_remove(play.directory);
	return 0;
}
