/*
 * item.c - the one codec of items (item.h).
 */
#include "libkms/core/item.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
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

/* The commitments in an entry that may have an aside. */
static bool
commitments_of(struct commitments *out, const struct item *item)
{
	struct entry_client e;
	struct entry_admin a;

	if (entry_client_decode(&e, item->entry, item->entry_len) == KMS_OK) {
		*out = e.commitments;
		return true;
	}
	memset(out, 0, sizeof(*out));
	if (entry_admin_decode(&a, item->entry, item->entry_len) != KMS_OK)
		return false;
	if (a.kind == ENTRY_BASE) {
		struct entry_base_names names;

		if (!entry_base_get_names(&names, a.blob))
			return false;
		*out = names.commitments;
		return !sodium_is_zero((const uint8_t *)out, sizeof(*out));
	}
	memcpy(out->address, a.subject, COMMITMENT);
	memcpy(out->name, a.digest, COMMITMENT);
	return a.kind == ENTRY_RELAYED || a.kind == ENTRY_RELAYED_NAME;
}

int
item_names(const struct item *item)
{
	struct commitments want;
	struct aside a;

	if (!commitments_of(&want, item))
		return KMS_OK;
	if (aside_decode(&a, item->aside, item->aside_len) != KMS_OK)
		return KMS_E_NOT_FOUND;
	return aside_gives(&a, &want) ? KMS_OK : KMS_E_ALTERED;
}
