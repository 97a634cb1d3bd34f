/*
 * test_ipc.c - the FRONT codec and channel with everything a hostile end may send, and the
 * PARENT datagrams with their descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/ipc/channel.h"
#include "libkms/kms_error.h"

static const struct ipc_frame sample = { .length = 3,
	.verb = IPC_REQUEST,
	.flags = IPC_CLOSE,
	.port = 0x1234,
	.token = 0x0102030405060708,
	.address = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 } };

/* The header as ipc.h draws it. */
static const uint8_t sample_bytes[IPC_HEADER] = { 0, 0, 0, 3, 3, 1, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7,
	8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0 };

static void
test_codec(void **ignored)
{
	uint8_t bytes[IPC_HEADER], changed[IPC_HEADER];
	struct ipc_frame f;
	unsigned i;

	ipc_encode(bytes, &sample);
	assert_memory_equal(bytes, sample_bytes, IPC_HEADER);
	assert_int_equal(ipc_decode(&f, bytes), KMS_OK);
	assert_int_equal(f.length, 3);
	assert_int_equal(f.verb, IPC_REQUEST);
	assert_int_equal(f.flags, IPC_CLOSE);
	assert_int_equal(f.port, 0x1234);
	assert_true(f.token == sample.token);
	assert_memory_equal(f.address, sample.address, 16);
	for (i = 32; i < 40; i++) {
		memcpy(changed, bytes, IPC_HEADER);
		changed[i] = 1;
		assert_int_equal(ipc_decode(&f, changed), KMS_E_FORMAT);
	}
	for (i = 1; i < 8; i++) {
		memcpy(changed, bytes, IPC_HEADER);
		changed[5] = (uint8_t)(1 << i);
		assert_int_equal(ipc_decode(&f, changed), KMS_E_FORMAT);
	}
}

static void
test_stats(void **ignored)
{
	struct ipc_front_stats s = { 1, 2, 3, 4, 5, 6, 7, 8, UINT64_MAX }, t;
	uint8_t bytes[IPC_FRONT_STATS_SIZE + 1];

	ipc_front_stats_encode(bytes, &s);
	assert_int_equal(bytes[7], 1);
	assert_int_equal(bytes[71], 0xff);
	assert_int_equal(ipc_front_stats_decode(&t, bytes, IPC_FRONT_STATS_SIZE), KMS_OK);
	assert_memory_equal(&s, &t, sizeof(s));
	assert_int_equal(
	    ipc_front_stats_decode(&t, bytes, IPC_FRONT_STATS_SIZE - 1), KMS_E_TRUNCATED);
	assert_int_equal(
	    ipc_front_stats_decode(&t, bytes, IPC_FRONT_STATS_SIZE + 1), KMS_E_TRAILING);
	assert_int_equal(ipc_front_stats_decode(&t, bytes, 0), KMS_E_TRUNCATED);
}

/* A channel and the raw other end. */
static struct ipc_channel *
open_channel(int *peer, uint32_t max_body)
{
	struct ipc_channel *c;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	c = ipc_channel_new(pair[0], max_body);
	assert_non_null(c);
	assert_int_equal(ipc_channel_fd(c), pair[0]);
	*peer = pair[1];
	return c;
}

static void
test_fragments(void **ignored)
{
	uint8_t bytes[2 * (IPC_HEADER + 3)];
	struct ipc_channel *c;
	struct ipc_frame f;
	const uint8_t *body;
	int peer, got = 0, rc;
	size_t i;

	c = open_channel(&peer, 3);
	assert_int_equal(ipc_channel_fill(c), KMS_OK);
	assert_int_equal(ipc_channel_next(c, &f, &body), 0);
	for (i = 0; i < 2; i++) {
		ipc_encode(bytes + i * (IPC_HEADER + 3), &sample);
		memcpy(bytes + i * (IPC_HEADER + 3) + IPC_HEADER, i ? "def" : "abc", 3);
	}
	for (i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(write(peer, bytes + i, 1), 1);
		assert_int_equal(ipc_channel_fill(c), KMS_OK);
		rc = ipc_channel_next(c, &f, &body);
		assert_int_equal(rc, (i + 1) % (IPC_HEADER + 3) == 0);
		if (rc == 1)
			assert_memory_equal(body, got++ ? "def" : "abc", 3);
	}
	assert_int_equal(got, 2);
	/* Both in one read, and half of a third. */
	assert_int_equal(write(peer, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(write(peer, bytes, 20), 20);
	assert_int_equal(ipc_channel_waiting(c), 0);
	assert_int_equal(ipc_channel_fill(c), KMS_OK);
	assert_int_equal(ipc_channel_waiting(c), 2);
	assert_int_equal(ipc_channel_next(c, &f, &body), 1);
	assert_memory_equal(body, "abc", 3);
	assert_int_equal(ipc_channel_next(c, &f, &body), 1);
	assert_memory_equal(body, "def", 3);
	assert_int_equal(ipc_channel_next(c, &f, &body), 0);
	assert_int_equal(write(peer, bytes + 20, IPC_HEADER + 3 - 20), IPC_HEADER + 3 - 20);
	assert_int_equal(ipc_channel_fill(c), KMS_OK);
	assert_int_equal(ipc_channel_next(c, &f, &body), 1);
	assert_memory_equal(body, "abc", 3);
	close(peer);
	assert_int_equal(ipc_channel_fill(c), KMS_E_PEER);
	ipc_channel_free(c);
}

/* Refused at the header, and nothing after it is believed. */
static void
malformed(uint32_t length, size_t at, uint8_t value)
{
	uint8_t bytes[IPC_HEADER];
	struct ipc_frame f = sample;
	struct ipc_channel *c;
	const uint8_t *body;
	int peer;

	c = open_channel(&peer, IPC_MAX_TO_ACTIVATE);
	f.length = length;
	ipc_encode(bytes, &f);
	bytes[at] = value;
	assert_int_equal(write(peer, bytes, IPC_HEADER), IPC_HEADER);
	ipc_encode(bytes, &(struct ipc_frame){ .verb = IPC_HELLO });
	assert_int_equal(write(peer, bytes, IPC_HEADER), IPC_HEADER);
	assert_int_equal(ipc_channel_fill(c), KMS_OK);
	assert_int_equal(ipc_channel_next(c, &f, &body), -1);
	assert_int_equal(ipc_channel_next(c, &f, &body), -1);
	close(peer);
	ipc_channel_free(c);
}

static void
test_malformed(void **ignored)
{
	malformed(IPC_MAX_TO_ACTIVATE + 1, 4, IPC_REQUEST);
	malformed(UINT32_MAX, 4, IPC_REQUEST);
	malformed(0, 5, 2);
	malformed(0, 39, 1);
}

/* The largest body allowed, many of them: more than one read takes. */
static void
test_large(void **ignored)
{
	struct ipc_channel *a, *b;
	struct ipc_frame f = sample;
	uint8_t *into;
	const uint8_t *body;
	int pair[2], i, got = 0, rc;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	a = ipc_channel_new(pair[0], 0);
	b = ipc_channel_new(pair[1], IPC_MAX_BODY);
	assert_non_null(a);
	assert_non_null(b);
	for (i = 0; i < 100; i++) {
		into = ipc_channel_reserve(a, IPC_MAX_BODY);
		assert_non_null(into);
		memset(into, i, IPC_MAX_BODY);
		f.length = IPC_MAX_BODY;
		f.token = (uint64_t)i;
		assert_int_equal(ipc_channel_commit(a, &f), KMS_OK);
	}
	assert_true(ipc_channel_pending(a));
	while (got < 100) {
		assert_int_equal(ipc_channel_flush(a), KMS_OK);
		assert_int_equal(ipc_channel_fill(b), KMS_OK);
		while ((rc = ipc_channel_next(b, &f, &body)) == 1) {
			assert_int_equal(f.length, IPC_MAX_BODY);
			assert_true(f.token == (uint64_t)got);
			assert_int_equal(body[0], got);
			assert_int_equal(body[IPC_MAX_BODY - 1], got);
			got++;
		}
		assert_int_equal(rc, 0);
	}
	assert_int_equal(ipc_channel_flush(a), KMS_OK);
	assert_false(ipc_channel_pending(a));
	ipc_channel_free(a);
	ipc_channel_free(b);
}

static void
test_reserve(void **ignored)
{
	struct ipc_frame f = { .verb = IPC_REPLY, .length = 10 };
	struct ipc_channel *c;
	int peer;

	c = open_channel(&peer, 16);
	/* Never more than was reserved, never without, never twice. */
	assert_int_equal(ipc_channel_commit(c, &f), KMS_E_ARGUMENT);
	assert_non_null(ipc_channel_reserve(c, 9));
	assert_int_equal(ipc_channel_commit(c, &f), KMS_E_ARGUMENT);
	assert_non_null(ipc_channel_reserve(c, 20));
	assert_int_equal(ipc_channel_commit(c, &f), KMS_OK);
	assert_int_equal(ipc_channel_commit(c, &f), KMS_E_ARGUMENT);
	/* A reservation that is not used sends nothing. */
	assert_int_equal(ipc_channel_flush(c), KMS_OK);
	assert_non_null(ipc_channel_reserve(c, 20));
	assert_false(ipc_channel_pending(c));
	close(peer);
	ipc_channel_free(c);
}

/* A peer that does not read: a bound, and the queue is whole once it reads again. */
static void
test_overload(void **ignored)
{
	struct ipc_frame f = { .verb = IPC_REPLY, .length = IPC_MAX_BODY };
	static uint8_t body[IPC_MAX_BODY], sink[65536];
	struct ipc_channel *c;
	size_t queued = 0, drained = 0;
	int peer, rc;
	ssize_t n;

	c = open_channel(&peer, 16);
	while ((rc = ipc_channel_put(c, &f, body)) == KMS_OK) {
		queued += IPC_HEADER + IPC_MAX_BODY;
		assert_int_equal(ipc_channel_flush(c), KMS_OK);
		assert_true(queued < (size_t)64 << 20);
	}
	assert_int_equal(rc, KMS_E_OVERLOAD);
	assert_null(ipc_channel_reserve(c, IPC_MAX_BODY));
	assert_null(ipc_channel_reserve(c, SIZE_MAX));
	assert_true(queued > (size_t)15 << 20);
	while (drained < queued) {
		n = read(peer, sink, sizeof(sink));
		assert_true(n > 0);
		drained += (size_t)n;
		assert_int_equal(ipc_channel_flush(c), KMS_OK);
	}
	assert_false(ipc_channel_pending(c));
	assert_int_equal(ipc_channel_put(c, &f, body), KMS_OK);
	close(peer);
	assert_int_equal(ipc_channel_flush(c), KMS_E_PEER);
	ipc_channel_free(c);
}

/* All the credits that an ini file can give, and a peer that reads late: everything fits, and no
 * more. */
static void
test_queue_for(void **ignored)
{
	struct ipc_frame f = { .verb = IPC_REPLY, .length = 4096 };
	static uint8_t body[4096];
	struct ipc_channel *c;
	int peer;

	c = open_channel(&peer, 16);
	ipc_channel_queue_for(c, 1, 1); /* never less than the usual bound */
	ipc_channel_queue_for(c, 6000, sizeof(body));
	for (int i = 0; i < 6000; i++)
		assert_int_equal(ipc_channel_put(c, &f, body), KMS_OK);
	assert_int_equal(ipc_channel_put(c, &f, body), KMS_E_OVERLOAD);
	assert_null(ipc_channel_reserve(c, sizeof(body)));
	/* What failed reserves nothing. */
	assert_int_equal(ipc_channel_commit(c, &f), KMS_E_ARGUMENT);
	close(peer);
	ipc_channel_free(c);
}

static void
test_parent(void **ignored)
{
	struct ipc_parent m = { .verb = IPC_LISTEN, .index = 200, .value = 0x01020304 }, r;
	int pair[2], pipe_fds[2];
	char byte = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	m.fd = pipe_fds[1];
	assert_int_equal(ipc_parent_send(pair[0], &m), KMS_OK);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(ipc_parent_recv(pair[1], &r), KMS_OK);
	assert_int_equal(r.verb, IPC_LISTEN);
	assert_int_equal(r.index, 200);
	assert_int_equal(r.value, 0x01020304);
	assert_true(r.fd >= 0);
	assert_int_equal(fcntl(r.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(r.fd, "y", 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(r.fd);

	m.fd = -1;
	assert_int_equal(ipc_parent_send(pair[0], &m), KMS_OK);
	assert_int_equal(ipc_parent_recv(pair[1], &r), KMS_OK);
	assert_int_equal(r.fd, -1);
	assert_int_equal(ipc_parent_recv(pair[1], &r), KMS_E_IO);
	assert_int_equal(errno, EAGAIN);
	close(pair[0]);
	assert_int_equal(ipc_parent_recv(pair[1], &r), KMS_E_PEER);
	assert_int_equal(ipc_parent_send(pair[1], &m), KMS_E_IO);
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/*
 * Too short, too long, not zero where it must be, two descriptors, twenty: refused, and none is
 * kept.
 */
static void
test_parent_malformed(void **ignored)
{
	static const struct {
		uint8_t bytes[9];
		size_t len;
		unsigned fds;
	} rows[] = {
		{ { 1 }, 7, 0 },
		{ { 1 }, 9, 1 },
		{ { 1, 0, 1 }, 8, 1 },
		{ { 1, 0, 0, 1 }, 8, 0 },
		{ { 1 }, 8, 2 },
		{ { 1 }, 8, 20 },
		{ { 1 }, 1, 1 },
	};
	char control[CMSG_SPACE(20 * sizeof(int))];
	struct ipc_parent r;
	unsigned before, i, j;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	before = open_descriptors();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct iovec iov = { (void *)(uintptr_t)rows[i].bytes, rows[i].len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		struct cmsghdr *c = (struct cmsghdr *)control;
		const char *emulator = getenv("KMS_EMULATOR");

		/* qemu-user takes more from the kernel than it gives us, and keeps those. */
		if (rows[i].fds > 8 && emulator != NULL && *emulator != '\0') {
			print_message(
			    "# *** NOT TESTED: %u descriptors in one message: %s keeps some\n",
			    rows[i].fds, emulator);
			continue;
		}
		memset(control, 0, sizeof(control));
		if (rows[i].fds > 0) {
			msg.msg_control = control;
			msg.msg_controllen = CMSG_SPACE(rows[i].fds * sizeof(int));
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(rows[i].fds * sizeof(int));
			for (j = 0; j < rows[i].fds; j++)
				memcpy(CMSG_DATA(c) + j * sizeof(int), &pair[0], sizeof(int));
		}
		assert_int_equal(sendmsg(pair[0], &msg, 0), (ssize_t)rows[i].len);
		assert_int_equal(ipc_parent_recv(pair[1], &r), KMS_E_PEER);
		assert_int_equal(r.fd, -1);
		assert_int_equal(open_descriptors(), before);
	}
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_queue_for),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_parent_malformed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
