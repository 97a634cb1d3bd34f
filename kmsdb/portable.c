/*
 * portable.c - a client's hot and cold row with what its seat says, as bytes (row.h):
 *
 *    0  16  CMID        16  16  product      32   8  publisher    40   2  pool    42   2  class
 *   44  68  hot row; seat 0: the three before say something, 0xffff: they do not
 *  112   n  cold row
 */
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "kmsdb/row.h"
#include "libkms/base/wire.h"

#define HEAD 44

_Static_assert(KMSDB_CLIENT_OCTETS == HEAD + ROW_HOT + ROW_COLD, "room for both rows");

size_t
kmsdb_client_encode(
    uint8_t out[KMSDB_CLIENT_OCTETS], const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	struct client_row row = { .c = *c, .seat = c->seated ? 0 : ROW_NO_SEAT };
	struct kmsdb_cold shown = *cold;
	struct wire_writer w;

	memset(row.c.request_id, 0, sizeof(row.c.request_id));
	memset(shown.binding, 0, sizeof(shown.binding));
	if (shown.bound)
		shown.binding[0] = 1;
	wire_writer_init(&w, out, HEAD);
	wire_put(&w, c->cmid, sizeof(c->cmid));
	wire_put(&w, c->product, sizeof(c->product));
	wire_put(&w, c->publisher, sizeof(c->publisher));
	wire_put_u16(&w, c->pool);
	wire_put_u16(&w, c->class);
	row_hot_encode(out + HEAD, &row);
	return HEAD + ROW_HOT + row_cold_encode(out + HEAD + ROW_HOT, &shown);
}

int
kmsdb_client_decode(struct kmsdb_client *c, struct kmsdb_cold *cold, const uint8_t *in, size_t len)
{
	struct client_row row;
	struct wire_reader r;

	if (len < HEAD + ROW_HOT || len > KMSDB_CLIENT_OCTETS ||
	    row_hot_decode(&row, in, in + HEAD, ROW_HOT) != KMS_OK ||
	    row_cold_decode(cold, in, in + HEAD + ROW_HOT, len - HEAD - ROW_HOT) != KMS_OK)
		return KMS_E_FORMAT;
	*c = row.c;
	wire_reader_init(&r, in, HEAD);
	wire_get(&r, c->cmid, sizeof(c->cmid));
	wire_get(&r, c->product, sizeof(c->product));
	wire_get(&r, c->publisher, sizeof(c->publisher));
	c->pool = wire_get_u16(&r);
	c->class = wire_get_u16(&r);
	c->seated = row.seat != ROW_NO_SEAT;
	return KMS_OK;
}
