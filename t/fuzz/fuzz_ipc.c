/*
 * fuzz_ipc.c - a channel fed with any stream of bytes, in pieces whose sizes the input chooses:
 * no frame is longer than the limit, each encodes to the bytes it came from, and the pieces do
 * not matter.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/ipc/channel.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

#define LIMIT 512

/*
 * Take every frame that is there; each must be the bytes at *at. False when the channel refused.
 */
static int
take(struct ipc_channel *c, const uint8_t *data, size_t size, size_t *at)
{
	uint8_t again[IPC_HEADER];
	struct ipc_frame f;
	const uint8_t *body;
	int rc;

	while ((rc = ipc_channel_next(c, &f, &body)) == 1) {
		MUST(f.length <= LIMIT && size - *at >= IPC_HEADER + f.length);
		ipc_encode(again, &f);
		MUST(memcmp(again, data + *at, IPC_HEADER) == 0);
		MUST(memcmp(body, data + *at + IPC_HEADER, f.length) == 0);
		*at += IPC_HEADER + f.length;
	}
	return rc == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_front_stats s;
	struct ipc_channel *c;
	size_t sent = 0, at = 0, piece;
	int pair[2];

	if (size < 1 || size > 65536)
		return 0;
	piece = (size_t)data[0] + 1;
	data++;
	size--;
	(void)ipc_front_stats_decode(&s, data, size);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	c = ipc_channel_new(pair[0], LIMIT);
	MUST(c != NULL);
	while (sent < size) {
		if (piece > size - sent)
			piece = size - sent;
		MUST(write(pair[1], data + sent, piece) == (ssize_t)piece);
		sent += piece;
		MUST(ipc_channel_fill(c) == KMS_OK);
		if (!take(c, data, size, &at))
			break;
	}
	/* Refused, or every whole frame was taken. */
	close(pair[1]);
	ipc_channel_free(c);
	return 0;
}
