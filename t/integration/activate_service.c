/*
 * activate_service.c - kmsd-activate through its control socket and one front: nothing
 * installed, one thing after the other installed, what must be refused, what clients are told
 * at each step, a restart, a reload, damaged files, and local users who waste its time.
 */
#include <fcntl.h>
#include <grp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/activate/control/control_server.h"
#include "kmsdb/kmsdb.h"
#include "libkms/kms_error.h"
#include "policy/host_key.h"
#include "t/lib/appliance.h"
#include "t/lib/tap.h"

#define SEED 7

static const uint8_t key_id[16] = { 0xaa, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15 };

struct play {
	struct appliance a;
	int front;
	uint8_t one[16], five[16];
	struct player player;          /* of product one */
	uint8_t frame[PLAYER_REQUEST]; /* its newest */
	uint8_t bundle[4096];          /* the lease it got */
	size_t bundle_len;
	bool releasing;
};

static void
is(uint32_t got, uint32_t expected, const char *what)
{
	ok(got == expected, "%s: %s%s%s", what, kms_strerror(got),
	    got == expected ? "" : ", expected ", got == expected ? "" : kms_strerror(expected));
}

static uint32_t
install(struct play *p, uint16_t verb, const struct test_file *f, char why[256])
{
	why[0] = 0;
	return appliance_control(&p->a, verb, f, NULL, NULL, "message", why, 256);
}

static uint32_t
hello(struct play *p)
{
	return appliance_hello(&p->a, p->front);
}

/* Send a frame of the player; its reply's status, the lease kept. */
static uint32_t
ask(struct play *p, struct player *player, const uint8_t *frame, const uint8_t product[16])
{
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };
	uint8_t reply[PLAYER_REPLY], text[FRAME_MAX_REPLY];
	const uint8_t *bundle = NULL;
	struct message_reply m;
	size_t len = 0;
	int rc;

	if (!appliance_send(p->front, &f, frame) ||
	    appliance_recv(p->front, &f, reply, sizeof(reply)) != 1)
		return KMS_E_PEER;
	/* The answer to a release is all there is: no lease to verify. */
	if (seal_open_reply(text, sizeof(text), &len, &player->keys, reply, f.length) == KMS_OK &&
	    message_reply_decode(&m, text, len) == KMS_OK && m.status == KMS_OK && p->releasing)
		return m.bundle_len == 0 ? KMS_OK : KMS_E_FORMAT;
	rc = player_open(player, &p->a.host, product, reply, f.length, text, &bundle, &len);
	if (rc == KMS_OK) {
		memcpy(p->bundle, bundle, len);
		p->bundle_len = len;
	}
	return (uint32_t)rc;
}

static uint32_t
request(struct play *p, struct player *player, const uint8_t product[16], uint8_t operation)
{
	struct message_request m = { .operation = operation };

	p->releasing = operation == MESSAGE_RELEASE;
	player_seal(p->frame, player, &p->a.host, &m, product, 1);
	return ask(p, player, p->frame, product);
}

static void
begin(struct play *p)
{
	is(appliance_start(&p->a), KMS_OK, "kmsd-activate starts");
	p->front = appliance_front(&p->a, 0);
	ok(appliance_welcome(p->front) > 0, "the front is welcome");
}

static void
end(struct play *p)
{
	ok(appliance_stop(&p->a) == 0, "stops with status 0");
	close(p->front);
}

/* -- installing -- */

static void
test_policy(struct play *p)
{
	struct test_publisher other;
	struct test_file f;
	char why[256];

	is(hello(p), KMS_E_NOT_ENABLED, "HELLO before anything is installed");
	publisher_make(&other);
	publisher_pack(&other, &f, "1.0");
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_PUBLISHER,
	    "a pack of another publisher");
	ok(strstr(why, "any configured publisher (1 in kms.ini)") != NULL, "says: %s", why);
	publisher_pack(&p->a.publisher, &f, "1.1");
	f.text[30] ^= 1;
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_SIGNATURE,
	    "a pack changed after signing");
	f.text[30] ^= 1;
	is(install(p, CONTROL_KEY_INSTALL, &f, why), KMS_E_FORMAT, "a pack as a host key");
	ok(why[0] != 0, "says: %s", why);
	f.signature_len = 10;
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_FORMAT,
	    "text that is not a signature");
	publisher_sign(&p->a.publisher, &f);
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_OK, "the pack 1.1");
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_EXISTS, "again");
	publisher_pack(&p->a.publisher, &f, "1.0");
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_OLDER, "an older one");
	strcpy(f.text, "[policy]\nid = \n");
	f.len = strlen(f.text);
	publisher_sign(&p->a.publisher, &f);
	is(install(p, CONTROL_POLICY_INSTALL, &f, why), KMS_E_FORMAT,
	    "a signed pack with a mistake");
	ok(strstr(why, "line") != NULL, "says: %s", why);
}

static void
test_key(struct play *p, char *asked, size_t size)
{
	struct test_file f;
	char why[256];

	is(appliance_control(&p->a, CONTROL_KEY_REQUEST, NULL, NULL, NULL, NULL, NULL, 0),
	    KMS_E_NOT_FOUND, "a confirmation request without a host key");
	publisher_host_key(&p->a.publisher, &f, key_id);
	is(install(p, CONTROL_KEY_INSTALL, &f, why), KMS_OK, "the host key");
	is(install(p, CONTROL_KEY_INSTALL, &f, why), KMS_E_EXISTS, "again");
	is(hello(p), KMS_E_NOT_CONFIRMED, "HELLO with a host key that is not confirmed");
	is(appliance_control(&p->a, CONTROL_KEY_REQUEST, NULL, "key",
	       "aa010203-0405-4607-8809-0a0b0c0d0e0f", "text", asked, size),
	    KMS_OK, "a confirmation request");
	is(appliance_control(&p->a, CONTROL_KEY_REQUEST, NULL, "key",
	       "aa010203-0405-4607-8809-0a0b0c0d0e00", NULL, NULL, 0),
	    KMS_E_NOT_FOUND, "one for a key that is not here");
	is(appliance_control(&p->a, CONTROL_KEY_REQUEST, NULL, "key", "zz", NULL, NULL, 0),
	    KMS_E_ARGUMENT, "one for no UUID");
}

/* A confirmation for other host keys than ours. */
static void
foreign(struct play *p, struct test_file *f)
{
	struct confirm_request r = { .time = 1, .host_name = "other" };
	uint8_t sk[64], octets[CONFIRM_REQUEST_SIGNED];
	char text[4096];

	memcpy(r.host_key_id, key_id, 16);
	memcpy(r.publisher, p->a.publisher.key.id, 8);
	crypto_sign_keypair(r.sign_pk, sk);
	confirm_request_octets(octets, &r);
	crypto_sign_detached(r.signature, NULL, octets, sizeof(octets), sk);
	if (publisher_confirm(
		&p->a.publisher, f, text, confirm_request_format(text, sizeof(text), &r)) != KMS_OK)
		player_die("foreign confirmation");
}

static void
test_confirm(struct play *p, const char *asked)
{
	struct test_file f;
	char why[256];

	foreign(p, &f);
	is(install(p, CONTROL_KEY_CONFIRM, &f, why), KMS_E_UNKNOWN_HOST,
	    "another host's confirmation");
	is((uint32_t)publisher_confirm(&p->a.publisher, &f, asked, strlen(asked)), KMS_OK,
	    "the publisher confirms the request");
	is(install(p, CONTROL_KEY_CONFIRM, &f, why), KMS_OK, "the confirmation");
	is(install(p, CONTROL_KEY_CONFIRM, &f, why), KMS_E_EXISTS, "again");
	is(hello(p), KMS_OK, "HELLO gives the certificate");
}

/* -- clients -- */

static void
test_clients(struct play *p)
{
	struct player five[6];
	uint8_t unknown[16] = { 1 };

	player_make(&p->player, &p->a.host, SEED, 0);
	is(request(p, &p->player, p->one, MESSAGE_ACTIVATE), KMS_OK,
	    "threshold 1: activated at once");
	for (unsigned i = 0; i < 5; i++) {
		player_make(&five[i], &p->a.host, SEED, 1 + i);
		is(request(p, &five[i], p->five, MESSAGE_ACTIVATE),
		    i < 4 ? KMS_E_COUNT_TOO_LOW : KMS_OK, "threshold 5");
	}
	is(request(p, &five[0], p->five, MESSAGE_RENEW), KMS_OK, "and the first, back again");
	is(request(p, &five[1], p->five, MESSAGE_RELEASE), KMS_OK,
	    "the second gives its seat back");
	is(request(p, &five[1], p->five, MESSAGE_RELEASE), KMS_E_UNKNOWN_CLIENT,
	    "and cannot twice");
	is(request(p, &five[2], p->five, MESSAGE_ACTIVATE), KMS_E_COUNT_TOO_LOW,
	    "so the third waits");
	player_make(&five[5], &p->a.host, SEED, 6);
	is(request(p, &five[5], p->five, MESSAGE_RELEASE), KMS_E_UNKNOWN_CLIENT,
	    "a stranger's release");
	is(request(p, &five[5], unknown, MESSAGE_ACTIVATE), KMS_E_UNKNOWN_PRODUCT,
	    "an unknown product");
}

static void
cmid_of(const struct player *player, char out[33])
{
	uint8_t cmid[16];

	seal_cmid(cmid, player->pk);
	sodium_bin2hex(out, 33, cmid, sizeof(cmid));
}

static void
test_revoke(struct play *p)
{
	struct player player;
	char cmid[33], state[64];

	player_make(&player, &p->a.host, SEED, 50);
	cmid_of(&player, cmid);
	is(appliance_control(&p->a, CONTROL_CLIENT_REVOKE, NULL, "cmid", cmid, NULL, NULL, 0),
	    KMS_E_NOT_FOUND, "revoking a client that never was");
	is(request(p, &player, p->one, MESSAGE_ACTIVATE), KMS_OK, "a client");
	is(appliance_control(
	       &p->a, CONTROL_CLIENT_SHOW, NULL, "cmid", cmid, "state", state, sizeof(state)),
	    KMS_OK, "shown");
	ok(strcmp(state, "activated") == 0, "as %s", state);
	is(appliance_control(&p->a, CONTROL_CLIENT_REVOKE, NULL, "cmid", cmid, NULL, NULL, 0),
	    KMS_OK, "revoked");
	is(request(p, &player, p->one, MESSAGE_RENEW), KMS_E_REVOKED, "its renewal");
	appliance_control(
	    &p->a, CONTROL_CLIENT_SHOW, NULL, "cmid", cmid, "state", state, sizeof(state));
	ok(strcmp(state, "revoked") == 0, "shown as %s", state);
	is(appliance_control(&p->a, CONTROL_CLIENT_FORGET, NULL, "cmid", cmid, NULL, NULL, 0),
	    KMS_OK, "forgotten");
	is(request(p, &player, p->one, MESSAGE_RENEW), KMS_E_REVOKED, "but revoked still");
	is(appliance_control(&p->a, CONTROL_CLIENT_UNREVOKE, NULL, "cmid", cmid, NULL, NULL, 0),
	    KMS_OK, "unrevoked");
	is(appliance_control(&p->a, CONTROL_CLIENT_UNREVOKE, NULL, "cmid", cmid, NULL, NULL, 0),
	    KMS_E_ARGUMENT, "which happens once");
	is(request(p, &player, p->one, MESSAGE_RENEW), KMS_OK, "and welcome again");
}

static void
test_restart(struct play *p)
{
	uint8_t before[4096];
	size_t len = 0;

	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_OK, "a renewal before the restart");
	memcpy(before, p->bundle, len = p->bundle_len);
	end(p);
	begin(p);
	is(ask(p, &p->player, p->frame, p->one), KMS_OK, "its request again after the restart");
	ok(len > 0 && len == p->bundle_len && memcmp(before, p->bundle, len) == 0,
	    "gets the very same lease");
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_OK, "and a renewal goes on");
}

/* -- the ini file anew -- */

static void
reload_by(struct play *p, int fd)
{
	struct ipc_parent m = { .verb = IPC_RELOAD, .fd = fd };

	if (fd < 0 || ipc_parent_send(p->a.parent, &m) != KMS_OK)
		player_die("reload");
	close(fd);
}

static void
reload(struct play *p, const char *ini)
{
	reload_by(p, appliance_config(ini));
}

/* Until HELLO says so: the message overtakes nothing, but comes by another socket. */
static uint32_t
hello_becomes(struct play *p, uint32_t status)
{
	uint32_t got = status + 1;

	for (int i = 0; i < 2000 && got != status; i++) {
		got = hello(p);
		usleep(1000);
	}
	return got;
}

static void
test_reload(struct play *p)
{
	struct test_publisher other;
	char ini[512];

	publisher_make(&other);
	snprintf(ini, sizeof(ini), "[publisher other]\nkey = %s\n", other.line);
	reload(p, ini);
	is(hello_becomes(p, KMS_E_NOT_ENABLED), KMS_E_NOT_ENABLED,
	    "a reload without our publisher");
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_E_UNKNOWN_PRODUCT, "its product");
	reload_by(p, ipc_memory_write("ini", "[listen]\nport = 1\n", 18));
	reload(p, p->a.ini);
	is(hello_becomes(p, KMS_OK), KMS_OK, "a reload with it again");
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_OK, "its product");
	ok(appliance_logged(&p->a, "config-refused: kmsd is of another version") == 1,
	    "what is not a configuration was not taken");
}

/* -- local users -- */

static int
connect_control(struct play *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", p->a.control);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		player_die("control socket");
	return fd;
}

/* All places taken by users who say nothing or half a sentence; clients must not notice. */
static void
test_idle_users(struct play *p)
{
	int fds[CONTROL_CONNECTIONS];

	for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
		fds[i] = connect_control(p);
		if (i % 2 == 0 && send(fds[i], "\0\0\1", 3, MSG_NOSIGNAL) != 3)
			player_die("send");
	}
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_OK,
	    "a client beside idle local users");
	is(appliance_control(&p->a, CONTROL_STATUS, NULL, NULL, NULL, NULL, NULL, 0), KMS_OK,
	    "an administrator gets his turn");
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		close(fds[i]);
}

static void
test_nonsense(struct play *p)
{
	uint8_t noise[4096], got[16];
	int fd;

	memset(noise, 0xff, sizeof(noise));
	fd = connect_control(p);
	send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
	ok(recv(fd, got, sizeof(got), 0) <= 0, "a request of 4 GiB: closed");
	close(fd);
	is(appliance_control(&p->a, 999, NULL, NULL, NULL, NULL, NULL, 0), KMS_E_ARGUMENT,
	    "an unknown verb");
	is(appliance_control(&p->a, CONTROL_KEY_INSTALL, NULL, NULL, NULL, NULL, NULL, 0),
	    KMS_E_ARGUMENT, "an install of nothing");
	is(appliance_control(&p->a, CONTROL_CLIENT_SHOW, NULL, "cmid", "12", NULL, NULL, 0),
	    KMS_E_ARGUMENT, "a CMID too short");
}

/* Without a relay, there is nothing that a front could report: one that does is hostile. */
static void
test_relayed(struct play *p)
{
	struct ipc_relayed r = { .outcome = IPC_RELAYED_DONE, .port = 1688, .name = "kms.example" };
	struct ipc_frame f = { .verb = IPC_RELAYED, .token = 77, .port = 4711 };
	uint8_t body[IPC_RELAYED_MAX], back[IPC_MAX_BODY];
	int rc, fd = appliance_front(&p->a, 1);

	appliance_welcome(fd);
	f.length = (uint32_t)ipc_relayed_encode(body, &r);
	appliance_send(fd, &f, body);
	while ((rc = appliance_recv(fd, &f, back, sizeof(back))) == 1)
		;
	ok(rc == 0, "a report of the relay, which is not configured: the channel is closed");
	ok(appliance_logged(&p->a, "peer-relayed:") == 1, "and the log says why");
	close(fd);
}

/* The status that another local user is told; group 0: none beside his own. */
static uint32_t
status_as(struct play *p, unsigned uid, unsigned gid, gid_t group)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(group != 0, &group) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
			_exit(99);
		switch (
		    appliance_control(&p->a, CONTROL_KEY_SHOW, NULL, NULL, NULL, NULL, NULL, 0)) {
		case KMS_OK:
			_exit(0);
		case KMS_E_DENIED:
			_exit(1);
		default:
			_exit(2);
		}
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return KMS_E_STATE;
	return WEXITSTATUS(status) == 0 ? KMS_OK : KMS_E_DENIED;
}

/* The socket itself is open to all here: what decides is SO_PEERCRED. */
static void
test_strangers(struct play *p)
{
	if (geteuid() != 0) {
		printf("# NOT TESTED as a plain user: other local users at the control socket\n");
		return;
	}
	chmod(p->a.dir, 0755);
	chmod(p->a.control, 0666);
	is(status_as(p, 2, 2, 0), KMS_E_DENIED, "another local user");
	ok(appliance_logged(&p->a, "control-denied: uid 2") == 1, "and logged");
	is(status_as(p, 2, 1, 0), KMS_OK, "one of the control group");
	is(status_as(p, 2, 2, 1), KMS_OK, "one that has it as a supplementary group");
	is(status_as(p, 2, 2, 3), KMS_E_DENIED, "one of another supplementary group");
}

/* -- what is on disk -- */

static void
damage(struct play *p, const char *path)
{
	int fd = openat(p->a.state, path, O_RDWR);
	char c;

	if (fd < 0 || pread(fd, &c, 1, 60) != 1)
		player_die(path);
	c ^= 1;
	if (pwrite(fd, &c, 1, 60) != 1)
		player_die(path);
	close(fd);
}

static void
test_damage(struct play *p)
{
	char pack[96], hex[17];

	end(p);
	sodium_bin2hex(hex, sizeof(hex), p->a.publisher.key.id, 8);
	snprintf(pack, sizeof(pack), "policy/%s/1.1.kmspolicy", hex);
	damage(p, pack);
	begin(p);
	ok(appliance_logged(&p->a, "file-refused: policy/") == 1,
	    "a damaged pack is named in the log");
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_E_UNKNOWN_PRODUCT, "and not served");
	end(p);
	damage(p, pack);
	begin(p);
	is(request(p, &p->player, p->one, MESSAGE_RENEW), KMS_OK, "mended, it is served again");
	end(p);
	damage(p, "keys/host.key");
	is(appliance_start(&p->a), KMS_E_FORMAT, "a damaged host.key: no start");
	ok(appliance_logged(&p->a, "host-key-refused:") == 1, "the log says what to do");
	appliance_stop(&p->a);
	damage(p, "keys/host.key");
}

static void
say(int status, const char *line, void *arg)
{
	printf("# ledger: %s\n", line);
}

int
main(void)
{
	static struct play p;
	char asked[8192] = "";

	appliance_make(&p.a, "[kms]\ncontrol_group = daemon\n");
	player_uuid(p.one, PUBLISHER_ONE);
	player_uuid(p.five, PUBLISHER_FIVE);
	begin(&p);
	test_policy(&p);
	test_key(&p, asked, sizeof(asked));
	test_confirm(&p, asked);
	test_clients(&p);
	test_revoke(&p);
	test_restart(&p);
	test_reload(&p);
	test_nonsense(&p);
	test_relayed(&p);
	test_strangers(&p);
	test_idle_users(&p);
	test_damage(&p);
	is((uint32_t)kmsdb_check(p.a.state, NULL, NULL, say, NULL), KMS_OK,
	    "the ledger checks, with the keys that its own entries name");
	if (tap_failed() > 0)
		appliance_log_show(&p.a);
	appliance_remove(&p.a);
	return tap_done();
}
