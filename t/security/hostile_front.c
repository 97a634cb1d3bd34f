/*
 * hostile_front.c - a front that an attacker owns, beside an honest one, both on the
 * real kmsd-activate (this program plays kmsd as well). After every wrong thing that the
 * hostile one sends, the honest one's client renews and verifies its lease; the process
 * stays up, the hostile channel is closed where it must be, and the log says why.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"
#include "t/lib/appliance.h"
#include "t/lib/tap.h"

#define CREDITS 8
#define SEED 42
#define STATS_FLOOD 200
#define RELAYED_FLOOD 30000

struct stage {
	struct appliance a;
	int honest;
	struct player client; /* of the honest front */
	struct player other;  /* speaks through the hostile one */
	uint8_t product[16];
	uint8_t first[PLAYER_REQUEST]; /* the first frame of other */
	uint8_t last[PLAYER_REQUEST];  /* and its newest */
};

static void
seal(struct stage *s, struct player *p, uint8_t frame[PLAYER_REQUEST])
{
	struct message_request m = { .operation = MESSAGE_RENEW, .state = MESSAGE_ACTIVATED };

	player_seal(frame, p, &s->a.host, &m, s->product, 1);
}

static bool
send_body(int fd, uint8_t verb, const void *body, size_t len)
{
	struct ipc_frame f = { .verb = verb, .length = (uint32_t)len, .token = 77, .port = 4711 };

	f.address[10] = f.address[11] = 0xff;
	return appliance_send(fd, &f, body);
}

/* What the honest front's client is told: the lease verified, or the status. */
static int
renew(struct stage *s)
{
	uint8_t frame[PLAYER_REQUEST], reply[PLAYER_REPLY], text[FRAME_MAX_REPLY];
	struct ipc_frame f;

	seal(s, &s->client, frame);
	if (!send_body(s->honest, IPC_REQUEST, frame, sizeof(frame)) ||
	    appliance_recv(s->honest, &f, reply, sizeof(reply)) != 1 || f.verb != IPC_REPLY ||
	    f.token != 77)
		return KMS_E_PEER;
	return player_open(&s->client, &s->a.host, s->product, reply, f.length, text, NULL, NULL);
}

/* A hostile front that has got as far as WELCOME. */
static int
welcomed(struct stage *s)
{
	int fd = appliance_front(&s->a, 1);

	if (appliance_welcome(fd) != CREDITS)
		player_die("no WELCOME");
	return fd;
}

/* True when activate has closed the channel; what it had sent before is skipped. */
static bool
closed(int fd)
{
	uint8_t body[IPC_MAX_BODY];
	struct ipc_frame f;
	int rc;

	while ((rc = appliance_recv(fd, &f, body, sizeof(body))) == 1)
		continue;
	return rc == 0;
}

static void
check_honest(struct stage *s, const char *after)
{
	int rc = renew(s);

	ok(rc == KMS_OK && appliance_alive(&s->a), "the honest front is served after: %s%s%s",
	    after, rc == KMS_OK ? "" : ": ", rc == KMS_OK ? "" : kms_strerror((uint32_t)rc));
}

/* -- what ends a channel -- */

static void
raw_header(int fd, uint32_t length, uint8_t verb, uint8_t flags, uint8_t reserved)
{
	uint8_t h[IPC_HEADER] = { (uint8_t)(length >> 24), (uint8_t)(length >> 16),
		(uint8_t)(length >> 8), (uint8_t)length, verb, flags };

	h[39] = reserved;
	send(fd, h, sizeof(h), MSG_NOSIGNAL);
}

static void
early(struct stage *s, int fd)
{
	send_body(fd, IPC_REQUEST, s->last, sizeof(s->last));
}

static void
wrong_verb(struct stage *s, int fd)
{
	raw_header(fd, 0, IPC_REPLY, 0, 0);
}

static void
reserved(struct stage *s, int fd)
{
	raw_header(fd, 0, IPC_HELLO, 0, 1);
}

static void
unknown_flags(struct stage *s, int fd)
{
	raw_header(fd, 0, IPC_HELLO, 0x80, 0);
}

static void
our_flag(struct stage *s, int fd)
{
	raw_header(fd, 0, IPC_HELLO, IPC_CLOSE, 0);
}

static void
one_too_long(struct stage *s, int fd)
{
	raw_header(fd, IPC_MAX_TO_ACTIVATE + 1, IPC_REQUEST, 0, 0);
}

static void
oversized(struct stage *s, int fd)
{
	raw_header(fd, UINT32_MAX, IPC_REQUEST, 0, 0);
}

/* All in one write, so that they are there before the first is answered. */
static void
out_of_credit(struct stage *s, int fd)
{
	uint8_t burst[(CREDITS + 1) * (IPC_HEADER + PLAYER_REQUEST)], *at = burst;
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };

	for (unsigned i = 0; i <= CREDITS; i++, at += IPC_HEADER + PLAYER_REQUEST) {
		ipc_encode(at, &f);
		seal(s, &s->other, s->last);
		memcpy(at + IPC_HEADER, s->last, PLAYER_REQUEST);
	}
	send(fd, burst, sizeof(burst), MSG_NOSIGNAL);
}

static void
ready_twice(struct stage *s, int fd)
{
	const uint8_t body[8] = { 0, 0, 0, IPC_VERSION };

	send_body(fd, IPC_FRONT_READY, body, sizeof(body));
}

static void
ready_short(struct stage *s, int fd)
{
	const uint8_t body[7] = { 0, 0, 0, IPC_VERSION };

	send_body(fd, IPC_FRONT_READY, body, sizeof(body));
}

static void
ready_version(struct stage *s, int fd)
{
	const uint8_t body[8] = { 0, 0, 0, IPC_VERSION + 1 };

	send_body(fd, IPC_FRONT_READY, body, sizeof(body));
}

static void
stats_short(struct stage *s, int fd)
{
	uint8_t body[IPC_FRONT_STATS_SIZE - 1] = { 0 };

	send_body(fd, IPC_FRONT_STATS, body, sizeof(body));
}

static void
stats_flood(struct stage *s, int fd)
{
	uint8_t body[IPC_FRONT_STATS_SIZE] = { 0 };

	for (int i = 0; i < STATS_FLOOD; i++)
		send_body(fd, IPC_FRONT_STATS, body, sizeof(body));
}

/* Replies cost us memory for as long as nobody reads them: only so much. */
static void
never_reads(struct stage *s, int fd)
{
	uint8_t frame[FRAME_HEADER + 8] = { 0 };

	frame_encode(frame, FRAME_HELLO, 8);
	while (send_body(fd, IPC_HELLO, frame, sizeof(frame)))
		continue;
}

static size_t
relayed_body(uint8_t body[IPC_RELAYED_MAX])
{
	struct ipc_relayed r = { .outcome = IPC_RELAYED_DONE, .port = 1688, .name = "kms.example" };

	return ipc_relayed_encode(body, &r);
}

/* What is shown by kmsctl clients --relayed ends where a name ends. */
static void
relayed_escape(struct stage *s, int fd)
{
	uint8_t body[IPC_RELAYED_MAX];
	size_t len = relayed_body(body);

	body[len - 1] = 0x1b;
	send_body(fd, IPC_RELAYED, body, len);
}

static void
relayed_outcome(struct stage *s, int fd)
{
	uint8_t body[IPC_RELAYED_MAX];
	size_t len = relayed_body(body);

	body[0] = IPC_RELAYED_OUTCOMES + 1;
	send_body(fd, IPC_RELAYED, body, len);
}

static void
relayed_short(struct stage *s, int fd)
{
	uint8_t body[IPC_RELAYED_MAX];

	send_body(fd, IPC_RELAYED, body, relayed_body(body) - 1);
}

static const struct {
	const char *name, *event;
	bool welcome;
	void (*send)(struct stage *s, int fd);
} breaches[] = {
	{ "a request before READY", "peer-early", false, early },
	{ "READY too short", "peer-ready", false, ready_short },
	{ "READY twice", NULL, true, ready_twice },
	{ "READY of another version", "peer-version", false, ready_version },
	{ "a verb of ours", "peer-verb", true, wrong_verb },
	{ "reserved octets", "peer-malformed", true, reserved },
	{ "unknown flags", NULL, true, unknown_flags },
	{ "one octet too long", NULL, true, one_too_long },
	{ "a length of 4 GiB", NULL, true, oversized },
	{ "a flag of ours", "peer-flags", true, our_flag },
	{ "no credit left", "peer-credit", true, out_of_credit },
	{ "figures too short", "peer-stats", true, stats_short },
	{ "a flood of figures", NULL, true, stats_flood },
	{ "replies not read", "peer-stuck", true, never_reads },
	{ "a name that is none", "peer-relayed", true, relayed_escape },
	{ "an outcome that is none", NULL, true, relayed_outcome },
	{ "half an exchange", NULL, true, relayed_short },
};

static void
test_breaches(struct stage *s)
{
	char event[64];

	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
		int fd = breaches[i].welcome ? welcomed(s) : appliance_front(&s->a, 1);

		breaches[i].send(s, fd);
		ok(closed(fd), "closed: %s", breaches[i].name);
		close(fd);
		check_honest(s, breaches[i].name);
		if (breaches[i].event == NULL)
			continue;
		snprintf(event, sizeof(event), "%s:", breaches[i].event);
		ok(appliance_logged(&s->a, event) == 1, "logged once: %s", breaches[i].event);
	}
}

static void
test_every_verb(struct stage *s)
{
	unsigned wrong = 0, survived = 0;

	for (unsigned verb = 0; verb < 256; verb++) {
		int fd;

		if (verb >= IPC_FRONT_READY && verb <= IPC_FRONT_STATS)
			continue;
		fd = welcomed(s);
		raw_header(fd, 0, (uint8_t)verb, 0, 0);
		wrong++;
		survived += !closed(fd);
		close(fd);
	}
	ok(wrong == 252 && survived == 0, "each of %u wrong verbs ends its channel", wrong);
	check_honest(s, "every wrong verb");
}

/* Cut at every byte of header and body, then closed. */
static void
test_truncated(struct stage *s)
{
	uint8_t bytes[IPC_HEADER + PLAYER_REQUEST];
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };

	ipc_encode(bytes, &f);
	memcpy(bytes + IPC_HEADER, s->last, PLAYER_REQUEST);
	for (size_t len = 0; len < sizeof(bytes); len++) {
		int fd = welcomed(s);

		if (len > 0)
			send(fd, bytes, len, MSG_NOSIGNAL);
		close(fd);
	}
	check_honest(s, "frames cut off at every octet");
}

/* -- what is answered -- */

/* Status of the ERROR frame that answers; 0 when it is none. flags: of the IPC frame. */
static uint32_t
error_for(int fd, uint8_t verb, const uint8_t *body, size_t len, uint8_t *flags)
{
	uint8_t reply[PLAYER_REPLY];
	struct frame_error e;
	struct ipc_frame f;

	if (!send_body(fd, verb, body, len) || appliance_recv(fd, &f, reply, sizeof(reply)) != 1 ||
	    f.verb != IPC_REPLY || f.length != FRAME_ERROR_SIZE || reply[5] != FRAME_ERROR ||
	    frame_error_decode(&e, reply + FRAME_HEADER, FRAME_ERROR_PAYLOAD) != KMS_OK)
		return 0;
	*flags = f.flags;
	return e.status;
}

static void
expect(struct stage *s, int fd, uint8_t verb, const uint8_t *body, size_t len, uint32_t status,
    bool closes, const char *name)
{
	uint8_t flags = 0xff;
	uint32_t got = error_for(fd, verb, body, len, &flags);

	ok(got == status && flags == (closes ? IPC_CLOSE : 0), "%s: %s", name, kms_strerror(got));
	check_honest(s, name);
}

static void
test_wrong_frames(struct stage *s)
{
	uint8_t frame[PLAYER_REQUEST], hello[FRAME_HEADER + 8] = { 0 };
	int fd = welcomed(s);

	expect(s, fd, IPC_REQUEST, NULL, 0, KMS_E_BAD_FRAME, true, "an empty request");
	expect(s, fd, IPC_HELLO, NULL, 0, KMS_E_BAD_FRAME, true, "an empty HELLO");
	expect(s, fd, IPC_REQUEST, s->last, sizeof(s->last) - 1, KMS_E_BAD_FRAME, true,
	    "a request cut short");
	expect(s, fd, IPC_HELLO, s->last, sizeof(s->last), KMS_E_BAD_FRAME, true,
	    "a request as HELLO");
	frame_encode(hello, FRAME_HELLO, 8);
	expect(
	    s, fd, IPC_REQUEST, hello, sizeof(hello), KMS_E_BAD_FRAME, true, "HELLO as a request");
	randombytes_buf(frame, sizeof(frame));
	frame[0] = 0;
	expect(s, fd, IPC_REQUEST, frame, sizeof(frame), KMS_E_BAD_FRAME, true, "noise");
	seal(s, &s->other, frame);
	frame[4] = FRAME_VERSION + 1;
	expect(
	    s, fd, IPC_REQUEST, frame, sizeof(frame), KMS_E_BAD_VERSION, true, "another version");
	frame[4] = FRAME_VERSION;
	frame[FRAME_HEADER] ^= 1;
	expect(s, fd, IPC_REQUEST, frame, sizeof(frame), KMS_E_UNKNOWN_HOST, false,
	    "another host's id");
	frame[FRAME_HEADER] ^= 1;
	frame[sizeof(frame) - 1] ^= 1;
	expect(s, fd, IPC_REQUEST, frame, sizeof(frame), KMS_E_BAD_SEAL, true, "a bad tag");
	frame[sizeof(frame) - 1] ^= 1;
	memset(frame + FRAME_HEADER + 24, 0, 32); /* behind host id and exchange key id */
	expect(
	    s, fd, IPC_REQUEST, frame, sizeof(frame), KMS_E_BAD_SEAL, true, "a key of small order");
	memset(hello + FRAME_HEADER, 0xee, 8);
	expect(s, fd, IPC_HELLO, hello, sizeof(hello), KMS_E_NOT_ENABLED, false,
	    "a publisher not served");
	close(fd);
}

/* Status and bundle of the sealed answer to a frame of other. */
static int
sealed_for(
    struct stage *s, int fd, const uint8_t *frame, size_t len, uint8_t *bundle, size_t *bundle_len)
{
	uint8_t reply[PLAYER_REPLY], text[FRAME_MAX_REPLY];
	const uint8_t *view = NULL;
	struct ipc_frame f;
	int rc;

	*bundle_len = 0;
	if (!send_body(fd, IPC_REQUEST, frame, len) ||
	    appliance_recv(fd, &f, reply, sizeof(reply)) != 1)
		return KMS_E_PEER;
	rc = player_open(
	    &s->other, &s->a.host, s->product, reply, f.length, text, &view, bundle_len);
	if (rc == KMS_OK)
		memcpy(bundle, view, *bundle_len);
	return rc;
}

static unsigned
seats(struct stage *s)
{
	char text[32] = "";

	appliance_control(&s->a, CONTROL_STATUS, NULL, NULL, NULL, "counted", text, sizeof(text));
	return (unsigned)strtoul(text, NULL, 10);
}

/* Entries that were written so far. */
static unsigned
entries(struct stage *s)
{
	char text[32] = "";

	appliance_control(&s->a, CONTROL_STATUS, NULL, NULL, NULL, "entries", text, sizeof(text));
	return (unsigned)strtoul(text, NULL, 10);
}

/* It makes up exchanges, as fast as it can, of one source: few of them reach the disk. */
static void
test_relayed_flood(struct stage *s)
{
	uint8_t body[IPC_RELAYED_MAX];
	size_t len = relayed_body(body);
	unsigned before = entries(s), written;
	int fd = welcomed(s);

	for (int i = 0; i < RELAYED_FLOOD; i++)
		send_body(fd, IPC_RELAYED, body, len);
	check_honest(s, "a flood of exchanges");
	/* answered behind all of them */
	expect(s, fd, IPC_HELLO, NULL, 0, KMS_E_BAD_FRAME, true, "what follows a flood");
	close(fd);
	written = entries(s) - before;
	ok(written > 0 && written < RELAYED_FLOOD / 2, "%u of %d exchanges are written", written,
	    RELAYED_FLOOD);
	ok(appliance_logged(&s->a, "relay-flood:") > 0, "logged: relay-flood");
}

static void
test_replay(struct stage *s)
{
	uint8_t one[4096], two[4096], text[4] = { 0 }, frame[PLAYER_REQUEST];
	size_t len_one, len_two;
	int fd = welcomed(s);
	unsigned before = seats(s);

	seal(s, &s->other, s->last);
	ok(sealed_for(s, fd, s->last, sizeof(s->last), one, &len_one) == KMS_OK, "a good request");
	ok(sealed_for(s, fd, s->last, sizeof(s->last), two, &len_two) == KMS_OK, "sent again");
	ok(len_one > 0 && len_one == len_two && memcmp(one, two, len_one) == 0,
	    "the same lease again");
	ok(seats(s) == before, "no second seat");
	ok(sealed_for(s, fd, s->first, sizeof(s->first), two, &len_two) == KMS_E_SEQUENCE,
	    "an older request sent again: challenged, not served");
	check_honest(s, "replays");
	len_two = seal_request(frame, sizeof(frame), &s->other.keys, s->a.host.certificate.host_id,
	    s->a.host.exchange.key_id, s->other.pk, NULL, text, sizeof(text));
	ok(sealed_for(s, fd, frame, len_two, two, &len_two) == KMS_E_BAD_REQUEST,
	    "a sealed text without sense");
	check_honest(s, "a sealed text without sense");
	close(fd);
}

/* Both in one turn of the loop: the second is answered from the batch under way. */
static void
test_replay_in_batch(struct stage *s)
{
	uint8_t burst[3 * (IPC_HEADER + PLAYER_REQUEST)], *at = burst, reply[PLAYER_REPLY];
	uint8_t text[2][FRAME_MAX_REPLY];
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };
	const uint8_t *bundle[3] = { NULL };
	size_t len[3] = { 0 };
	int fd = welcomed(s), r[3];

	seal(s, &s->other, s->last);
	for (int i = 0; i < 3; i++, at += IPC_HEADER + PLAYER_REQUEST) {
		f.token = (uint64_t)i;
		ipc_encode(at, &f);
		memcpy(at + IPC_HEADER, s->last, PLAYER_REQUEST);
	}
	send(fd, burst, sizeof(burst), MSG_NOSIGNAL);
	for (int i = 0; i < 3; i++) {
		if (appliance_recv(fd, &f, reply, sizeof(reply)) != 1)
			player_die("no reply");
		r[i] = player_open(&s->other, &s->a.host, s->product, reply, f.length, text[i > 0],
		    &bundle[i], &len[i]);
	}
	ok(r[0] == KMS_OK && r[1] == KMS_OK && r[2] == KMS_OK,
	    "the same request three times at once");
	ok(len[0] > 0 && len[0] == len[2] && memcmp(bundle[0], bundle[2], len[0]) == 0,
	    "all three have one lease");
	close(fd);
}

static void
set_stage(struct stage *s)
{
	char extra[64];
	uint32_t rc;

	memset(s, 0, sizeof(*s));
	snprintf(extra, sizeof(extra), "[relay]\nupstream = 127.0.0.1\n[limits]\ncredits = %d\n",
	    CREDITS);
	appliance_make(&s->a, extra);
	if ((rc = appliance_start(&s->a)) != KMS_OK || (rc = appliance_confirm(&s->a)) != KMS_OK) {
		appliance_log_show(&s->a);
		printf("Bail out! %s\n", kms_strerror(rc));
		appliance_remove(&s->a);
		exit(1);
	}
	player_uuid(s->product, PUBLISHER_ONE);
	player_make(&s->client, &s->a.host, SEED, 1);
	player_make(&s->other, &s->a.host, SEED, 2);
	s->honest = appliance_front(&s->a, 0);
	ok(appliance_welcome(s->honest) == CREDITS, "the honest front is welcome");
	check_honest(s, "nothing yet");
}

static void
first_requests(struct stage *s)
{
	uint8_t bundle[4096];
	size_t len;
	int fd = welcomed(s);

	seal(s, &s->other, s->first);
	memcpy(s->last, s->first, sizeof(s->last));
	ok(sealed_for(s, fd, s->first, sizeof(s->first), bundle, &len) == KMS_OK,
	    "what is right is answered through the other front too");
	close(fd);
}

int
main(void)
{
	struct stage s;

	set_stage(&s);
	first_requests(&s);
	test_breaches(&s);
	test_every_verb(&s);
	test_truncated(&s);
	test_relayed_flood(&s);
	test_wrong_frames(&s);
	test_replay(&s);
	test_replay_in_batch(&s);
	ok(seats(&s) == 2, "two clients, two seats");
	ok(appliance_stop(&s.a) == 0, "stops with status 0");
	if (tap_failed() > 0)
		appliance_log_show(&s.a);
	close(s.honest);
	appliance_remove(&s.a);
	return tap_done();
}
