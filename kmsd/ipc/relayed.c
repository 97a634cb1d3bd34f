/*
 * relayed.c - what the relay's messages carry, to bytes and back: one exchange for the ledger, and
 * the list of hosts. Names come from the ini file or DNS: only printable ASCII is allowed.
 */
#include <string.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Length and name; false when it is too long or has an invalid character. */
static bool
get_name(struct wire_reader *r, char out[IPC_UPSTREAM_NAME + 1])
{
	size_t len = wire_get_u8(r);

	memset(out, 0, IPC_UPSTREAM_NAME + 1);
	if (len > IPC_UPSTREAM_NAME)
		return false;
	wire_get(r, out, len);
	for (size_t i = 0; i < len && !r->bad; i++)
		if (out[i] <= ' ' || out[i] > '~')
			return false;
	return !r->bad;
}

static void
put_name(struct wire_writer *w, const char *name)
{
	size_t len = strnlen(name, IPC_UPSTREAM_NAME);

	wire_put_u8(w, (uint8_t)len);
	wire_put(w, name, len);
}

size_t
ipc_relayed_encode(uint8_t out[IPC_RELAYED_MAX], const struct ipc_relayed *r)
{
	struct wire_writer w;

	wire_writer_init(&w, out, IPC_RELAYED_MAX);
	wire_put_u8(&w, r->outcome);
	wire_put_u16(&w, r->major);
	wire_put_u16(&w, r->minor);
	wire_put_u32(&w, r->sent);
	wire_put_u32(&w, r->received);
	wire_put_u32(&w, r->status);
	wire_put_u32(&w, r->latency);
	wire_put(&w, r->address, 16);
	wire_put_u16(&w, r->port);
	wire_put_u16(&w, 0);
	put_name(&w, r->name);
	return wire_written(&w);
}

int
ipc_relayed_decode(struct ipc_relayed *r, const uint8_t *in, size_t len)
{
	struct wire_reader w;
	uint16_t zero;
	bool named;

	wire_reader_init(&w, in, len);
	r->outcome = wire_get_u8(&w);
	r->major = wire_get_u16(&w);
	r->minor = wire_get_u16(&w);
	r->sent = wire_get_u32(&w);
	r->received = wire_get_u32(&w);
	r->status = wire_get_u32(&w);
	r->latency = wire_get_u32(&w);
	wire_get(&w, r->address, 16);
	r->port = wire_get_u16(&w);
	zero = wire_get_u16(&w);
	named = get_name(&w, r->name);
	if (!w.bad && (!named || zero != 0 || r->outcome == 0 || r->outcome > IPC_RELAYED_OUTCOMES))
		return KMS_E_FORMAT;
	return wire_finish(&w);
}

size_t
ipc_upstreams_encode(uint8_t out[IPC_UPSTREAMS_SIZE], const struct ipc_upstreams *u)
{
	struct wire_writer w;

	wire_writer_init(&w, out, IPC_UPSTREAMS_SIZE);
	wire_put_u16(&w, (uint16_t)u->count);
	wire_put_u16(&w, u->whole);
	for (unsigned i = 0; i < u->count; i++) {
		wire_put(&w, u->at[i].address, 16);
		wire_put_u16(&w, u->at[i].port);
		wire_put_u16(&w, u->at[i].priority);
		wire_put_u16(&w, u->at[i].weight);
		put_name(&w, u->at[i].name);
	}
	return wire_written(&w);
}

int
ipc_upstreams_decode(struct ipc_upstreams *u, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint16_t whole;

	memset(u, 0, sizeof(*u));
	wire_reader_init(&r, in, len);
	u->count = wire_get_u16(&r);
	whole = wire_get_u16(&r);
	u->whole = whole != 0;
	if (r.bad)
		return KMS_E_TRUNCATED;
	if (u->count > IPC_UPSTREAMS_MAX || whole > 1)
		goto bad;
	for (unsigned i = 0; i < u->count; i++) {
		wire_get(&r, u->at[i].address, 16);
		u->at[i].port = wire_get_u16(&r);
		u->at[i].priority = wire_get_u16(&r);
		u->at[i].weight = wire_get_u16(&r);
		if (!get_name(&r, u->at[i].name) && !r.bad)
			goto bad;
		if (!r.bad && u->at[i].port == 0)
			goto bad;
	}
	if (wire_finish(&r) == KMS_OK)
		return KMS_OK;
	u->count = 0;
	return wire_finish(&r);
bad:
	u->count = 0;
	return KMS_E_FORMAT;
}

int
ipc_upstreams_write(const struct ipc_upstreams *u)
{
	uint8_t bytes[IPC_UPSTREAMS_SIZE];
	size_t len = ipc_upstreams_encode(bytes, u);

	return ipc_memory_write("kms.upstreams", bytes, len);
}

int
ipc_upstreams_read(struct ipc_upstreams *u, int fd)
{
	uint8_t bytes[IPC_UPSTREAMS_SIZE];
	size_t len;
	int rc = ipc_memory_read(fd, bytes, sizeof(bytes), &len);

	return rc == KMS_OK ? ipc_upstreams_decode(u, bytes, len) : rc;
}

bool
ipc_upstreams_same(const struct ipc_upstreams *a, const struct ipc_upstreams *b)
{
	uint8_t x[IPC_UPSTREAMS_SIZE], y[IPC_UPSTREAMS_SIZE];
	size_t len = ipc_upstreams_encode(x, a);

	return len == ipc_upstreams_encode(y, b) && memcmp(x, y, len) == 0;
}
