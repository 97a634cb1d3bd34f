/*
 * share_drive.c - stands in for kmsd and kmsd-activate around the real kmsd-share: starts it over a
 * PARENT channel, hands it a configuration, the engine's members and certificates, and asks what
 * its standard input says, one command a line, about a ledger of its own with real batches.
 *
 *   share_drive PROGRAM INI OWN AUTHORITY CERTIFICATE KEY NAME=ADDRESS=PORT...
 *
 * OWN: the number of this host, 1 to 9; hosts of all numbers have fixed keys (ledger_fixture.h).
 *
 *	batches N		writes N batches of leases
 *	store FIRST		STORE of its own batches from that one on
 *	forge FIRST		the same with one bit altered
 *	fill FIRST SIZE		STORE of so many bytes that are no parcel
 *	follow HOST		the ledger takes the chain of that host
 *	fetch HOST from|upto N	FETCH; a parcel goes into the ledger
 *	beat TEXT, prune N
 *	bad WHAT		breaks a rule, see bad_frames
 *	ping, stop
 *
 * Prints one line an event, with the token of a request where there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/config_wire.h"
#include "kmsd/ipc/channel.h"
#include "kmsd/ipc/share_verbs.h"
#include "kmsdb/share.h"
#include "libkms/base/address.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"
#include "t/unit/ledger_fixture.h"

_Static_assert(PARCEL_ONE_MAX <= SHARE_PARCEL, "every parcel fits");

#define LEASES 20 /* of a batch */
#define HOSTS 10

static struct drive {
	pid_t child;
	int parent;
	struct ipc_channel *channel;
	struct fixture ledger;
	uint8_t own[16], hosts[HOSTS][16], keys[HOSTS][32];
	struct share_requests requests;
	uint64_t token;
} drive;

static uint8_t octets[SHARE_OCTETS];

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "share_drive: %s: %s\n", what, strerror(errno));
	exit(2);
}

__attribute__((format(printf, 1, 2))) static void
print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static const char *
symbol(uint32_t status)
{
	return status == KMS_OK ? "KMS_OK" : kms_error_find(status)->symbol;
}

/* -- the start -- */

static void
tell(uint8_t verb, uint8_t index, uint32_t value, int fd)
{
	const struct ipc_parent m = { .verb = verb, .index = index, .value = value, .fd = fd };

	if (ipc_parent_send(drive.parent, &m) != KMS_OK && errno != EPIPE && errno != ECONNRESET)
		die("PARENT");
	if (fd != -1)
		close(fd);
}

static int
config_memory(const char *path)
{
	static struct config c;
	uint8_t bytes[CONFIG_WIRE_MAX];
	int fd;

	if (config_load(&c, path, NULL, 0) != 0)
		die(path);
	fd = ipc_memory_write("kms.config", bytes, config_encode(bytes, &c, CONFIG_SHARE));
	if (fd == -1)
		die("memfd");
	return fd;
}

static int
open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		die(path);
	return fd;
}

static int
members_memory(char **words, int count)
{
	static struct ipc_upstreams all;
	int fd;

	for (int i = 0; i < count; i++) {
		struct ipc_upstream *m = &all.at[all.count++];
		const char *name = strtok(words[i], "="), *address = strtok(NULL, "="),
			   *port = strtok(NULL, "=");

		if (port == NULL || !address_parse(m->address, address))
			die("NAME=ADDRESS=PORT");
		snprintf(m->name, sizeof(m->name), "%s", name);
		m->port = (uint16_t)atoi(port);
	}
	fd = ipc_upstreams_write(&all);
	if (fd == -1)
		die("memfd");
	return fd;
}

static void
start(char **argv, int argc)
{
	int parent[2], channel[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == -1)
		die("socketpair");
	if ((drive.child = fork()) == -1)
		die("fork");
	if (drive.child == 0) {
		if (dup2(parent[1], IPC_PARENT_FD) == -1)
			_exit(126);
		if (parent[1] == IPC_PARENT_FD)
			fcntl(IPC_PARENT_FD, F_SETFD, 0);
		execl(argv[1], argv[1], (char *)NULL);
		_exit(127);
	}
	close(parent[1]);
	drive.parent = parent[0];
	if ((drive.channel = ipc_channel_new(channel[0], SHARE_BODY)) == NULL)
		die("channel");
	tell(IPC_CONFIG, 0, 0, config_memory(argv[2]));
	tell(IPC_UPSTREAMS, 0, 0, members_memory(argv + 7, argc - 7));
	tell(IPC_SHARE_TLS, IPC_SHARE_AUTHORITY, 0, open_file(argv[4]));
	tell(IPC_SHARE_TLS, IPC_SHARE_CERTIFICATE, 0, open_file(argv[5]));
	tell(IPC_SHARE_TLS, IPC_SHARE_KEY, 0, open_file(argv[6]));
	tell(IPC_SHARE, 0, 0, channel[1]);
	tell(IPC_START, 0, 0, -1);
}

static void
make_ledger(unsigned own)
{
	for (uint8_t i = 1; i < HOSTS; i++) {
		fixture_host(&drive.ledger, i);
		memcpy(drive.hosts[i], drive.ledger.host_id, 16);
		memcpy(drive.keys[i], drive.ledger.sign_pk, 32);
	}
	fixture_make(&drive.ledger, NULL);
	fixture_host(&drive.ledger, (uint8_t)own);
	memcpy(drive.own, drive.ledger.host_id, 16);
	fixture_open(&drive.ledger);
}

/* -- requests -- */

static void
put(const struct share_message *m)
{
	uint8_t fixed[SHARE_FIXED], *body;
	struct ipc_frame f;

	if (share_encode(&f, fixed, m, SHARE_BY_ACTIVATE) != KMS_OK)
		die("a message that may not be sent");
	body = ipc_channel_reserve(drive.channel, f.length);
	memcpy(body, fixed, SHARE_FIXED);
	memcpy(body + SHARE_FIXED, m->octets, m->len);
	ipc_channel_commit(drive.channel, &f);
	ipc_channel_flush(drive.channel);
}

static void
ask(uint8_t verb, unsigned host, uint64_t number, uint32_t value, size_t len)
{
	struct share_message m = { .verb = verb,
		.token = ++drive.token,
		.number = number,
		.value = value,
		.octets = octets,
		.len = (uint32_t)len };

	memcpy(m.host, drive.hosts[host], 16);
	if (share_asked(&drive.requests, &m) != KMS_OK) {
		print("no-credit");
		return;
	}
	put(&m);
}

static size_t
own_parcel(uint64_t first)
{
	struct fault fault;
	unsigned count;
	size_t len;

	if (kmsdb_share_parcel(drive.ledger.db, NULL, first, octets, &len, &count, &fault) !=
		KMS_OK ||
	    count == 0)
		die("no such batch");
	return len;
}

static void
write_batches(unsigned count)
{
	struct kmsdb_member m;

	for (unsigned i = 0; i < count; i++) {
		static uint32_t sequence;

		sequence++;
		fixture_leases(&drive.ledger, 1, LEASES, sequence, FIXTURE_NOW + sequence);
	}
	if (kmsdb_share_member(drive.ledger.db, drive.own, &m) != KMS_OK)
		die("own chain");
	print("batches %llu", (unsigned long long)m.last);
}

/* What a compromised activation process could send. */
static const struct {
	const char *what;
	struct ipc_frame frame;
	bool own; /* of the own host */
	unsigned times;
} bad_frames[] = {
	{ "verb", { .verb = 200, .token = 1, .length = SHARE_FIXED }, true, 1 },
	{ "own-verb", { .verb = SHARE_STORED, .token = 1, .length = SHARE_FIXED }, true, 1 },
	{ "token", { .verb = SHARE_PRUNE, .token = 0, .length = SHARE_FIXED }, true, 1 },
	{ "short", { .verb = SHARE_PRUNE, .token = 1, .length = SHARE_FIXED - 1 }, true, 1 },
	{ "long", { .verb = SHARE_STORE, .token = 1, .length = SHARE_BODY + 1 }, true, 1 },
	{ "port", { .verb = SHARE_PRUNE, .token = 1, .port = 1, .length = SHARE_FIXED }, true, 1 },
	{ "host", { .verb = SHARE_PRUNE, .token = 1, .length = SHARE_FIXED }, false, 1 },
	{ "twice", { .verb = SHARE_FETCH, .token = 1, .length = SHARE_FIXED }, true, 2 },
	{ "welcome", { .verb = SHARE_WELCOME, .length = SHARE_FIXED + 1 }, true, 1 },
};

static void
send_bad(const char *what)
{
	static const uint8_t body[SHARE_BODY + 1] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x' };

	for (size_t i = 0; i < sizeof(bad_frames) / sizeof(bad_frames[0]); i++) {
		struct ipc_frame f = bad_frames[i].frame;

		if (strcmp(bad_frames[i].what, what) != 0)
			continue;
		if (bad_frames[i].own)
			memcpy(f.address, drive.own, 16);
		else
			f.address[0] = 1;
		for (unsigned n = 0; n < bad_frames[i].times; n++)
			if (ipc_channel_put(drive.channel, &f, body) != KMS_OK)
				die("put");
		ipc_channel_flush(drive.channel);
		return;
	}
	die(what);
}

static void
fetch(unsigned host, const char *which, uint64_t number)
{
	ask(SHARE_FETCH, host, number, strcmp(which, "from") == 0 ? SHARE_FROM : SHARE_UP_TO, 0);
}

static void
command(unsigned own, char *line)
{
	unsigned long long a = 0, b = 0;
	char word[32] = "", text[64] = "", which[8] = "";
	size_t len;

	sscanf(line, "%31s %63s", word, text);
	sscanf(line, "%*s %llu %llu", &a, &b);
	if (strcmp(word, "batches") == 0) {
		write_batches((unsigned)a);
	} else if (strcmp(word, "store") == 0) {
		ask(SHARE_STORE, own, a, 0, own_parcel(a));
	} else if (strcmp(word, "forge") == 0) {
		len = own_parcel(a);
		octets[len / 2] ^= 1;
		ask(SHARE_STORE, own, a, 0, len);
	} else if (strcmp(word, "fill") == 0) {
		memset(octets, 'x', (size_t)b);
		ask(SHARE_STORE, own, a, 0, (size_t)b);
	} else if (strcmp(word, "follow") == 0) {
		struct fault fault;

		print("followed %s",
		    symbol((uint32_t)kmsdb_share_follow(drive.ledger.db, drive.keys[a], &fault)));
	} else if (strcmp(word, "fetch") == 0) {
		sscanf(line, "%*s %*u %7s %llu", which, &b);
		fetch((unsigned)a, which, b);
	} else if (strcmp(word, "beat") == 0) {
		memcpy(octets, text, strlen(text));
		ask(SHARE_BEAT, own, 0, 0, strlen(text));
	} else if (strcmp(word, "prune") == 0) {
		ask(SHARE_PRUNE, own, a, 0, 0);
	} else if (strcmp(word, "bad") == 0) {
		send_bad(text);
	} else if (strcmp(word, "ping") == 0) {
		tell(IPC_PING, 0, 7, -1);
	} else if (strcmp(word, "stop") == 0) {
		tell(IPC_STOP, 0, 0, -1);
	} else {
		die(line);
	}
}

/* -- answers -- */

static void
welcome(void)
{
	struct share_message m = { .verb = SHARE_WELCOME,
		.value = SHARE_VERSION,
		.octets = (const uint8_t *)"site-1",
		.len = 6 };

	memcpy(m.host, drive.own, 16);
	put(&m);
}

/* Into the ledger, which verifies it. */
static void
on_parcel(const struct share_message *m)
{
	unsigned taken = 0;
	int rc;

	if (m->len == 0) {
		print("nothing %llu", (unsigned long long)m->token);
		return;
	}
	rc = kmsdb_share_take(
	    drive.ledger.db, m->octets, m->len, &taken, fixture_fault(&drive.ledger));
	print("parcel %llu %llu %u taken %u %s", (unsigned long long)m->token,
	    (unsigned long long)m->number, m->len, taken, symbol((uint32_t)rc));
}

static void
on_beats(const struct share_message *m)
{
	char line[4096];
	struct wire_reader r;
	const uint8_t *beat;
	uint8_t host[16];
	size_t len;
	int n = snprintf(line, sizeof(line), "beats %llu", (unsigned long long)m->token), rc;

	wire_reader_init(&r, m->octets, m->len);
	while ((rc = share_beats_next(&r, host, &beat, &len)) == KMS_OK) {
		unsigned i = 1;

		while (i < HOSTS && memcmp(drive.hosts[i], host, 16) != 0)
			i++;
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %u=%.*s", i,
		    (int)(len < 32 ? len : 32), (const char *)beat);
		if (n > (int)sizeof(line) - 64)
			break;
	}
	print("%s%s", line, rc == KMS_E_FORMAT ? " MALFORMED" : "");
}

static void
on_message(const struct share_message *m)
{
	unsigned long long token = m->token, number = m->number;

	switch (m->verb) {
	case SHARE_READY:
		welcome();
		break;
	case SHARE_LINK:
		print("link %s %llx", symbol(m->value), number);
		break;
	case SHARE_STORED:
		print("stored %llu %llu", token, number);
		break;
	case SHARE_TAKEN:
		print("taken %llu %llu %u", token, number, m->len);
		break;
	case SHARE_PARCEL_IS:
		on_parcel(m);
		break;
	case SHARE_BEATS_ARE:
		on_beats(m);
		break;
	case SHARE_PRUNED:
		print("pruned %llu %llu", token, number);
		break;
	case SHARE_FAILED:
		print("failed %llu %s", token, symbol(m->value));
		break;
	}
}

/* False: it has closed the channel. */
static bool
on_channel(void)
{
	struct share_message m;
	struct ipc_frame f;
	const uint8_t *body;
	int rc;

	if (ipc_channel_fill(drive.channel) != KMS_OK)
		return false;
	while ((rc = ipc_channel_next(drive.channel, &f, &body)) == 1) {
		if (share_decode(&m, &f, body, SHARE_BY_SHARE) != KMS_OK ||
		    share_answered(&drive.requests, &m) != KMS_OK) {
			print("BROKEN verb %u", f.verb);
			continue;
		}
		on_message(&m);
	}
	if (rc < 0)
		print("BROKEN frame");
	return rc == 0;
}

static bool
on_parent(void)
{
	struct ipc_parent m;
	int rc = ipc_parent_recv(drive.parent, &m);

	if (rc == KMS_OK && m.verb == IPC_CHILD_READY)
		print("ready %u %d", m.value, (int)drive.child);
	else if (rc == KMS_OK && m.verb == IPC_CHILD_FAILED)
		print("start-failed %s", symbol(m.value));
	else if (rc == KMS_OK && m.verb == IPC_PONG)
		print("pong %u", m.value);
	return rc == KMS_OK;
}

static void
wait_for_child(void)
{
	int status;

	if (waitpid(drive.child, &status, 0) != drive.child)
		die("waitpid");
	if (WIFSIGNALED(status))
		print("signal %d", WTERMSIG(status));
	else
		print("exit %d", WEXITSTATUS(status));
}

/* A line at a time; what came with it waits. False: the end. */
static bool
on_input(unsigned own)
{
	static char have[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, have + len, sizeof(have) - 1 - len);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	have[len] = '\0';
	while ((end = strchr(have, '\n')) != NULL) {
		*end++ = '\0';
		command(own, have);
		len -= (size_t)(end - have);
		memmove(have, end, len + 1);
	}
	return true;
}

int
main(int argc, char **argv)
{
	unsigned own = argc > 7 ? (unsigned)atoi(argv[3]) : 0;
	struct pollfd p[3] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN },
		{ .events = POLLIN } };

	if (own == 0 || own >= HOSTS)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	make_ledger(own);
	start(argv, argc);
	p[1].fd = drive.parent;
	p[2].fd = ipc_channel_fd(drive.channel);
	while (p[1].fd != -1 || p[2].fd != -1) {
		p[2].events = (short)(POLLIN | (ipc_channel_pending(drive.channel) ? POLLOUT : 0));
		if (poll(p, 3, -1) == -1 && errno != EINTR)
			die("poll");
		if (p[2].fd != -1 && (p[2].revents & POLLOUT) != 0)
			ipc_channel_flush(drive.channel);
		if (p[2].fd != -1 && (p[2].revents & (POLLIN | POLLHUP)) != 0 && !on_channel())
			p[2].fd = -1;
		if (p[1].fd != -1 && (p[1].revents & (POLLIN | POLLHUP)) != 0 && !on_parent())
			p[1].fd = -1;
		if (p[0].fd != -1 && (p[0].revents & (POLLIN | POLLHUP)) != 0 && !on_input(own)) {
			tell(IPC_STOP, 0, 0, -1);
			p[0].fd = -1;
		}
	}
	wait_for_child();
	fixture_remove(&drive.ledger);
	return 0;
}
