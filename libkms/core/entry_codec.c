/*
 * entry_codec.c - the codec of the head of an entry (entry_kind.h).
 */
#include "libkms/core/entry_codec.h"

#include "libkms/core/entry_kind.h"

void
entry_head_put(struct wire_writer *w, uint8_t kind, uint16_t flags, uint32_t status, uint64_t time)
{
	wire_put_u8(w, ENTRY_VERSION);
	wire_put_u8(w, kind);
	wire_put_u16(w, flags);
	wire_put_u32(w, status);
	wire_put_u64(w, time);
}

void
entry_head_get(struct wire_reader *r, struct entry_head *h)
{
	h->version = wire_get_u8(r);
	h->kind = wire_get_u8(r);
	h->flags = wire_get_u16(r);
	h->status = wire_get_u32(r);
	h->time = wire_get_u64(r);
}
