/*
 * activate_disk_full.c - the state directory on a small tmpfs that fills up: what clients are told,
 * that nothing acknowledged is lost, and that service goes on by itself once there is room.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "libkms/kms_error.h"
#include "t/lib/appliance.h"
#include "t/lib/tap.h"

#define TMPFS "size=24m,mode=0777"
#define SEED 9
#define MANY 20000 /* renewals, more than the last segment can hold */
#define STATE_FILE "ballast"

struct play {
	struct appliance a;
	int front;
	uint8_t product[16];
	struct player player;
	uint8_t frame[PLAYER_REQUEST];
	uint8_t good[PLAYER_REQUEST]; /* the newest that was acknowledged, and its lease */
	uint8_t lease[4096];
	size_t lease_len;
	uint32_t retry_after;
	unsigned acknowledged;
};

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		player_die(path);
	close(fd);
}

/* A plain user may mount in a user namespace, where he stays who he is. */
static void
own_mounts(void)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof(uid), "%u %u 1", geteuid(), geteuid());
	snprintf(gid, sizeof(gid), "%u %u 1", getegid(), getegid());
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
		player_die("a mount namespace");
	if (strncmp(uid, "0 ", 2) == 0)
		return;
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", uid);
	put("/proc/self/gid_map", gid);
}

static void
mount_small(struct play *p)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/state", p->a.dir);
	own_mounts();
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", path, "tmpfs", 0, TMPFS) != 0)
		player_die("a tmpfs of our own");
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		player_die(path);
	close(p->a.state);
	p->a.state = fd;
}

static void
unmount_small(struct play *p)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/state", p->a.dir);
	umount2(path, MNT_DETACH);
}

/* Everything that is left, to the last block. */
static void
fill(struct play *p)
{
	static const uint8_t block[4096];
	int fd = openat(p->a.state, STATE_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0)
		player_die(STATE_FILE);
	while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
		continue;
	if (errno != ENOSPC)
		player_die(STATE_FILE);
	close(fd);
}

static uint32_t
send_frame(struct play *p, const uint8_t *frame, const uint8_t **lease, size_t *len)
{
	static uint8_t text[FRAME_MAX_REPLY];
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };
	uint8_t reply[PLAYER_REPLY];
	struct message_reply m;
	size_t n;
	int rc;

	*len = 0;
	p->retry_after = 0;
	if (!appliance_send(p->front, &f, frame) ||
	    appliance_recv(p->front, &f, reply, sizeof(reply)) != 1)
		return KMS_E_PEER;
	rc = player_open(&p->player, &p->a.host, p->product, reply, f.length, text, lease, len);
	if (rc != KMS_OK &&
	    seal_open_reply(text, sizeof(text), &n, &p->player.keys, reply, f.length) == KMS_OK &&
	    message_reply_decode(&m, text, n) == KMS_OK)
		p->retry_after = m.retry_after;
	return (uint32_t)rc;
}

/* The newest request again, or a new one. What is acknowledged is kept. */
static uint32_t
renew(struct play *p, bool again)
{
	struct message_request m = { .operation = MESSAGE_RENEW, .state = MESSAGE_ACTIVATED };
	const uint8_t *lease;
	size_t len;
	uint32_t rc;

	if (!again)
		player_seal(p->frame, &p->player, &p->a.host, &m, p->product, 1);
	if ((rc = send_frame(p, p->frame, &lease, &len)) == KMS_OK) {
		memcpy(p->good, p->frame, sizeof(p->good));
		memcpy(p->lease, lease, len);
		p->lease_len = len;
		p->acknowledged++;
	}
	return rc;
}

static uint32_t
renew_many(struct play *p, int most)
{
	uint32_t rc = KMS_OK;

	for (int i = 0; i < most && rc == KMS_OK; i++)
		rc = renew(p, false);
	return rc;
}

/*
 * The newest request, and in the same batch one that is challenged because of it. As the batch
 * fails, so does what was told of its number.
 */
static void
test_challenge_undone(struct play *p)
{
	uint8_t burst[2 * (IPC_HEADER + PLAYER_REQUEST)], *at = burst, reply[PLAYER_REPLY];
	static uint8_t text[FRAME_MAX_REPLY];
	struct ipc_frame f = { .verb = IPC_REQUEST, .length = PLAYER_REQUEST };
	const uint8_t *lease;
	size_t len;
	int rc[2];

	for (unsigned i = 0; i < 2; i++, at += IPC_HEADER + PLAYER_REQUEST) {
		ipc_encode(at, &f);
		memcpy(at + IPC_HEADER, i == 0 ? p->frame : p->good, PLAYER_REQUEST);
	}
	if (send(p->front, burst, sizeof(burst), MSG_NOSIGNAL) != (ssize_t)sizeof(burst))
		player_die("two requests at once");
	for (unsigned i = 0; i < 2; i++) {
		if (appliance_recv(p->front, &f, reply, sizeof(reply)) != 1)
			player_die("no reply");
		rc[i] = player_open(
		    &p->player, &p->a.host, p->product, reply, f.length, text, &lease, &len);
	}
	ok(rc[0] == KMS_E_LEDGER && rc[1] == KMS_E_LEDGER,
	    "nor is a number told that was undone: %s", kms_strerror((uint32_t)rc[1]));
}

static void
test_full(struct play *p)
{
	const uint8_t *lease;
	size_t len;
	uint32_t rc;

	ok(renew(p, false) == KMS_OK, "a renewal while there is room");
	fill(p);
	rc = renew_many(p, MANY);
	ok(rc == KMS_E_LEDGER, "when the disk is full the client is told: %s", kms_strerror(rc));
	ok(p->retry_after > 0, "and when to come back: in %u s", p->retry_after);
	ok(renew(p, true) == KMS_E_LEDGER, "the same for the same request again");
	test_challenge_undone(p);
	ok(appliance_logged(&p->a, "ledger-full:") == 1, "logged once");
	rc = send_frame(p, p->good, &lease, &len);
	ok(rc == KMS_OK && len == p->lease_len && memcmp(lease, p->lease, len) == 0,
	    "what was acknowledged is still answered, with the same lease: %s", kms_strerror(rc));
	ok(appliance_alive(&p->a), "the process stays up");
}

static void
test_room_again(struct play *p)
{
	uint32_t rc = KMS_E_LEDGER;

	if (unlinkat(p->a.state, STATE_FILE, 0) != 0)
		player_die(STATE_FILE);
	for (int i = 0; i < 100 && rc == KMS_E_LEDGER; i++) {
		rc = renew(p, true);
		if (rc == KMS_E_LEDGER)
			usleep(100000);
	}
	ok(rc == KMS_OK, "with room again the very request is granted: %s", kms_strerror(rc));
	ok(appliance_logged(&p->a, "ledger-mended:") == 1, "and the log says so");
	rc = renew_many(p, MANY / 10);
	ok(rc == KMS_OK, "and thousands more");
}

static void
test_start_full(struct play *p)
{
	uint32_t rc;

	ok(appliance_stop(&p->a) == 0, "stops with status 0");
	close(p->front);
	fill(p);
	rc = appliance_start(&p->a);
	ok(rc == KMS_OK || rc == KMS_E_FULL, "a start on a full disk: %s", kms_strerror(rc));
	appliance_stop(&p->a);
	ok(rc == KMS_OK || appliance_logged(&p->a, "ledger-refused:") == 1,
	    "said clearly when refused");
	unlinkat(p->a.state, STATE_FILE, 0);
	ok(appliance_start(&p->a) == KMS_OK, "and with room again it starts");
	p->front = appliance_front(&p->a, 0);
	appliance_welcome(p->front);
	ok(renew(p, false) == KMS_OK, "and serves");
	ok(appliance_stop(&p->a) == 0, "stops with status 0");
	close(p->front);
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

	appliance_make(&p.a,
	    "[limits]\ndisk_reserve = 0\n[ledger]\nsegment_size = 1M\nmap_size = 1M\noverlay_records = 1000\n");
	mount_small(&p);
	ok(appliance_start(&p.a) == KMS_OK && appliance_confirm(&p.a) == KMS_OK,
	    "serving from a tmpfs");
	p.front = appliance_front(&p.a, 0);
	appliance_welcome(p.front);
	player_uuid(p.product, PUBLISHER_ONE);
	player_make(&p.player, &p.a.host, SEED, 1);
	test_full(&p);
	test_room_again(&p);
	test_start_full(&p);
	printf("# %u renewals were acknowledged\n", p.acknowledged);
	ok(kmsdb_check(p.a.state, NULL, NULL, say, NULL) == KMS_OK, "the ledger checks");
	if (tap_failed() > 0)
		appliance_log_show(&p.a);
	unmount_small(&p);
	appliance_remove(&p.a);
	return tap_done();
}
