/*
 * item.c - the one codec of items (item.h).
 */
#include "libkms/core/item.h"

#include <stdbool.h>

#include "libkms/core/entry.h"
#include "libkms/kms_error.h"

size_t
item_size(const struct item *i)
{
	return 2 + i->entry_len + 1 + i->aside_len;
}

static bool
in_range(const struct item *i)
{
	if (i->entry_len > ENTRY_MAX || i->aside_len > ASIDE_MAX)
		return false;
	return i->aside_len == 0 || entry_may_have_aside(i->entry, i->entry_len);
}

size_t
item_encode(uint8_t *out, size_t size, const struct item *i)
{
	struct wire_writer w;

	if (!in_range(i))
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u16(&w, (uint16_t)i->entry_len);
	wire_put(&w, i->entry, i->entry_len);
	wire_put_u8(&w, (uint8_t)i->aside_len);
	wire_put(&w, i->aside, i->aside_len);
	return wire_written(&w);
}

int
item_read(struct wire_reader *r, struct item *out)
{
	out->entry_len = wire_get_u16(r);
	out->entry = wire_view(r, out->entry_len);
	out->aside_len = wire_get_u8(r);
	out->aside = wire_view(r, out->aside_len);
	if (r->bad)
		return KMS_E_TRUNCATED;
	return in_range(out) ? KMS_OK : KMS_E_FORMAT;
}
