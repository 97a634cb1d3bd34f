/*
 * codec.c - the FRONT frame header and the statistics body to bytes and back. Both ends of a
 * channel use it, and each treats the other as hostile: reserved fields must be zero.
 */
#include <endian.h>
#include <string.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

static void
put_u16(uint8_t *at, uint16_t v)
{
	v = htobe16(v);
	memcpy(at, &v, sizeof(v));
}

static void
put_u32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof(v));
}

static void
put_u64(uint8_t *at, uint64_t v)
{
	v = htobe64(v);
	memcpy(at, &v, sizeof(v));
}

static uint16_t
get_u16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return be16toh(v);
}

static uint32_t
get_u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return be32toh(v);
}

static uint64_t
get_u64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return be64toh(v);
}

void
ipc_encode(uint8_t out[IPC_HEADER], const struct ipc_frame *f)
{
	put_u32(out, f->length);
	out[4] = f->verb;
	out[5] = f->flags;
	put_u16(out + 6, f->port);
	put_u64(out + 8, f->token);
	memcpy(out + 16, f->address, sizeof(f->address));
	put_u64(out + 32, 0);
}

int
ipc_decode(struct ipc_frame *f, const uint8_t in[IPC_HEADER])
{
	f->length = get_u32(in);
	f->verb = in[4];
	f->flags = in[5];
	f->port = get_u16(in + 6);
	f->token = get_u64(in + 8);
	memcpy(f->address, in + 16, sizeof(f->address));
	if (get_u64(in + 32) != 0 || (f->flags & ~IPC_CLOSE) != 0)
		return KMS_E_FORMAT;
	return KMS_OK;
}

void
ipc_front_stats_encode(uint8_t out[IPC_FRONT_STATS_SIZE], const struct ipc_front_stats *s)
{
	put_u64(out, s->accepted);
	put_u64(out + 8, s->closed);
	put_u64(out + 16, s->open);
	put_u64(out + 24, s->requests);
	put_u64(out + 32, s->replies);
	put_u64(out + 40, s->refused_frames);
	put_u64(out + 48, s->timeouts);
	put_u64(out + 56, s->refused_connections);
}

int
ipc_front_stats_decode(struct ipc_front_stats *s, const uint8_t *in, size_t len)
{
	if (len < IPC_FRONT_STATS_SIZE)
		return KMS_E_TRUNCATED;
	if (len > IPC_FRONT_STATS_SIZE)
		return KMS_E_TRAILING;
	s->accepted = get_u64(in);
	s->closed = get_u64(in + 8);
	s->open = get_u64(in + 16);
	s->requests = get_u64(in + 24);
	s->replies = get_u64(in + 32);
	s->refused_frames = get_u64(in + 40);
	s->timeouts = get_u64(in + 48);
	s->refused_connections = get_u64(in + 56);
	return KMS_OK;
}
