/*
 * codec.c - the FRONT frame header and the statistics body to bytes and back. Both ends of a
 * channel use it, and each treats the other as hostile: reserved fields must be zero.
 */
#include "kmsd/ipc/ipc.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

void
ipc_encode(uint8_t out[IPC_HEADER], const struct ipc_frame *f)
{
	struct wire_writer w;

	wire_writer_init(&w, out, IPC_HEADER);
	wire_put_u32(&w, f->length);
	wire_put_u8(&w, f->verb);
	wire_put_u8(&w, f->flags);
	wire_put_u16(&w, f->port);
	wire_put_u64(&w, f->token);
	wire_put(&w, f->address, sizeof(f->address));
	wire_put_u64(&w, 0);
}

int
ipc_decode(struct ipc_frame *f, const uint8_t in[IPC_HEADER])
{
	struct wire_reader r;

	wire_reader_init(&r, in, IPC_HEADER);
	f->length = wire_get_u32(&r);
	f->verb = wire_get_u8(&r);
	f->flags = wire_get_u8(&r);
	f->port = wire_get_u16(&r);
	f->token = wire_get_u64(&r);
	wire_get(&r, f->address, sizeof(f->address));
	return wire_get_u64(&r) != 0 || (f->flags & ~IPC_CLOSE) != 0 ? KMS_E_FORMAT : KMS_OK;
}

void
ipc_front_stats_encode(uint8_t out[IPC_FRONT_STATS_SIZE], const struct ipc_front_stats *s)
{
	struct wire_writer w;

	wire_writer_init(&w, out, IPC_FRONT_STATS_SIZE);
	wire_put_u64(&w, s->accepted);
	wire_put_u64(&w, s->closed);
	wire_put_u64(&w, s->open);
	wire_put_u64(&w, s->requests);
	wire_put_u64(&w, s->replies);
	wire_put_u64(&w, s->refused_frames);
	wire_put_u64(&w, s->timeouts);
	wire_put_u64(&w, s->refused_connections);
	wire_put_u64(&w, s->evicted);
}

int
ipc_front_stats_decode(struct ipc_front_stats *s, const uint8_t *in, size_t len)
{
	struct wire_reader r;

	wire_reader_init(&r, in, len);
	s->accepted = wire_get_u64(&r);
	s->closed = wire_get_u64(&r);
	s->open = wire_get_u64(&r);
	s->requests = wire_get_u64(&r);
	s->replies = wire_get_u64(&r);
	s->refused_frames = wire_get_u64(&r);
	s->timeouts = wire_get_u64(&r);
	s->refused_connections = wire_get_u64(&r);
	s->evicted = wire_get_u64(&r);
	return wire_finish(&r);
}
