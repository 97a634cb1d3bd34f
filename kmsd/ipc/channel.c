/*
 * channel.c - buffered frames over one end of a FRONT channel. Input is one buffer whose
 * rest moves to the front before the next read; output is one that grows up to a bound, so that
 * a batch of replies leaves in one system call and a peer that does not read cannot eat memory.
 */
#include "kmsd/ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define CHANNEL_READ (256 * 1024)
#define CHANNEL_QUEUE_MAX (16u * 1024 * 1024) /* at least; see ipc_channel_queue_for */
#define CHANNEL_QUEUE_START (64 * 1024)
#define CHANNEL_QUEUE_KEEP (1024 * 1024) /* a larger empty queue goes back to the system */

struct buffer {
	uint8_t *bytes;
	size_t start, end, size;
};

struct ipc_channel {
	int fd;
	uint32_t max_body;
	struct buffer in, out;
	size_t queue_max;
	size_t reserved;
	bool bad; /* malformed once: nothing after that can be trusted */
};

struct ipc_channel *
ipc_channel_new(int fd, uint32_t max_body)
{
	struct ipc_channel *c = calloc(1, sizeof(*c));
	int flags;

	if (c == NULL)
		return NULL;
	c->fd = fd;
	c->max_body = max_body;
	c->queue_max = CHANNEL_QUEUE_MAX;
	c->in.size = CHANNEL_READ + IPC_HEADER + max_body;
	c->in.bytes = malloc(c->in.size);
	flags = fcntl(fd, F_GETFL);
	if (c->in.bytes == NULL || flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		free(c->in.bytes);
		free(c);
		return NULL;
	}
	return c;
}

void
ipc_channel_free(struct ipc_channel *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	free(c->in.bytes);
	free(c->out.bytes);
	free(c);
}

int
ipc_channel_fd(const struct ipc_channel *c)
{
	return c->fd;
}

int
ipc_channel_fill(struct ipc_channel *c)
{
	struct buffer *in = &c->in;
	size_t room;
	ssize_t n;

	if (in->start > 0) {
		memmove(in->bytes, in->bytes + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	room = in->size - in->end;
	if (room > CHANNEL_READ)
		room = CHANNEL_READ;
	if (room == 0)
		return KMS_OK;
	do
		n = recv(c->fd, in->bytes + in->end, room, 0);
	while (n == -1 && errno == EINTR);
	if (n == 0 || (n == -1 && errno == ECONNRESET))
		return KMS_E_PEER;
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? KMS_OK : KMS_E_IO;
	in->end += (size_t)n;
	return KMS_OK;
}

int
ipc_channel_next(struct ipc_channel *c, struct ipc_frame *f, const uint8_t **body)
{
	struct buffer *in = &c->in;
	size_t have = in->end - in->start;

	if (c->bad)
		return -1;
	if (have < IPC_HEADER)
		return 0;
	if (ipc_decode(f, in->bytes + in->start) != KMS_OK || f->length > c->max_body) {
		c->bad = true;
		return -1;
	}
	if (have - IPC_HEADER < f->length)
		return 0;
	*body = in->bytes + in->start + IPC_HEADER;
	in->start += IPC_HEADER + f->length;
	return 1;
}

size_t
ipc_channel_waiting(const struct ipc_channel *c)
{
	const uint8_t *at = c->in.bytes + c->in.start, *end = c->in.bytes + c->in.end;
	size_t frames = 0;

	while ((size_t)(end - at) >= IPC_HEADER) {
		struct wire_reader r;
		size_t size;

		wire_reader_init(&r, at, IPC_HEADER);
		size = IPC_HEADER + (size_t)wire_get_u32(&r);
		if ((size_t)(end - at) < size)
			break;
		at += size;
		frames++;
	}
	return frames;
}

/* Space for size more bytes at the end of the queue. */
static int
queue_room(struct ipc_channel *c, size_t size)
{
	struct buffer *out = &c->out;
	size_t queued = out->end - out->start, grown;
	uint8_t *bytes;

	if (size > c->queue_max || queued + size > c->queue_max)
		return KMS_E_OVERLOAD;
	if (out->size - out->end >= size)
		return KMS_OK;
	if (out->start > 0) {
		memmove(out->bytes, out->bytes + out->start, queued);
		out->start = 0;
		out->end = queued;
	}
	if (out->size - out->end >= size)
		return KMS_OK;
	for (grown = out->size ? out->size : CHANNEL_QUEUE_START; grown - out->end < size;)
		grown *= 2;
	bytes = realloc(out->bytes, grown);
	if (bytes == NULL)
		return KMS_E_NO_MEMORY;
	out->bytes = bytes;
	out->size = grown;
	return KMS_OK;
}

void
ipc_channel_queue_for(struct ipc_channel *c, size_t frames, size_t body)
{
	size_t octets = frames * (IPC_HEADER + body);

	if (octets > c->queue_max)
		c->queue_max = octets;
}

int
ipc_channel_put(struct ipc_channel *c, const struct ipc_frame *f, const void *body)
{
	int rc = queue_room(c, IPC_HEADER + (size_t)f->length);

	if (rc != KMS_OK)
		return rc;
	ipc_encode(c->out.bytes + c->out.end, f);
	if (f->length > 0)
		memcpy(c->out.bytes + c->out.end + IPC_HEADER, body, f->length);
	c->out.end += IPC_HEADER + f->length;
	c->reserved = 0;
	return KMS_OK;
}

uint8_t *
ipc_channel_reserve(struct ipc_channel *c, size_t size)
{
	/* An earlier reservation becomes invalid, even when this fails. */
	c->reserved = 0;
	if (size > c->queue_max || queue_room(c, IPC_HEADER + size) != KMS_OK)
		return NULL;
	c->reserved = IPC_HEADER + size;
	return c->out.bytes + c->out.end + IPC_HEADER;
}

int
ipc_channel_commit(struct ipc_channel *c, const struct ipc_frame *f)
{
	if (IPC_HEADER + (size_t)f->length > c->reserved)
		return KMS_E_ARGUMENT;
	ipc_encode(c->out.bytes + c->out.end, f);
	c->out.end += IPC_HEADER + f->length;
	c->reserved = 0;
	return KMS_OK;
}

int
ipc_channel_flush(struct ipc_channel *c)
{
	struct buffer *out = &c->out;
	ssize_t n;

	while (out->start < out->end) {
		n = send(c->fd, out->bytes + out->start, out->end - out->start, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return KMS_OK;
		if (n == -1)
			return errno == EPIPE || errno == ECONNRESET ? KMS_E_PEER : KMS_E_IO;
		out->start += (size_t)n;
	}
	out->start = out->end = 0;
	c->reserved = 0;
	if (out->size > CHANNEL_QUEUE_KEEP) {
		free(out->bytes);
		memset(out, 0, sizeof(*out));
	}
	return KMS_OK;
}

bool
ipc_channel_pending(const struct ipc_channel *c)
{
	return c->out.start < c->out.end;
}
