/*
 * base_state.c - the row of base_state.h.
 */
#include "kmsdb/base_state.h"

#include <string.h>

#include "kmsdb/index.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define ROW_BASE (4 * 8 + 1 + BASE_CURSOR + 1)
static const char KEY[] = "base";

int
base_state_read(struct base_state *out, struct index *index)
{
	const uint8_t *row;
	struct wire_reader r;
	size_t len;
	int rc = index_get(index, INDEX_META, KEY, sizeof(KEY) - 1, &row, &len);

	memset(out, 0, sizeof(*out));
	if (rc != KMS_OK)
		return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
	wire_reader_init(&r, row, len);
	out->begun = wire_get_u64(&r);
	out->through = wire_get_u64(&r);
	out->dropped = wire_get_u64(&r);
	out->ended = wire_get_u64(&r);
	out->part = wire_get_u8(&r);
	wire_get(&r, out->cursor, sizeof(out->cursor));
	out->loading = wire_get_u8(&r) != 0;
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

void
base_state_put(struct index *index, const struct base_state *s)
{
	uint8_t row[ROW_BASE];
	struct wire_writer w;

	wire_writer_init(&w, row, sizeof(row));
	wire_put_u64(&w, s->begun);
	wire_put_u64(&w, s->through);
	wire_put_u64(&w, s->dropped);
	wire_put_u64(&w, s->ended);
	wire_put_u8(&w, s->part);
	wire_put(&w, s->cursor, sizeof(s->cursor));
	wire_put_u8(&w, s->loading);
	index_put(index, INDEX_META, KEY, sizeof(KEY) - 1, row, sizeof(row));
}
