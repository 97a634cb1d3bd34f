/*
 * parcel.c - see parcel.h.
 */
#include "kmsdb/parcel.h"

#include <string.h>

#include "libkms/kms_error.h"

#define HEAD 10
static const char MAGIC[8] = { 'K', 'M', 'S', 'P', 'A', 'R', 'C', '1' };

/* -- writing -- */

void
parcel_begin(struct parcel_writer *w, uint8_t out[PARCEL_ONE_MAX])
{
	*w = (struct parcel_writer){ .out = out, .len = HEAD };
}

int
parcel_add(struct parcel_writer *w, const struct foreign_batch *b)
{
	size_t max = w->count == 0 ? PARCEL_ONE_MAX : PARCEL_MAX, octets = 0, at;
	struct wire_writer head;

	for (uint32_t i = 0; i < b->count; i++)
		octets += item_size(&b->items[i]);
	if (w->count == PARCEL_BATCHES || octets > RECORD_OCTETS ||
	    w->len + PARCEL_BATCH_HEAD + octets > max)
		return KMS_E_TOO_LARGE;
	wire_writer_init(&head, w->out + w->len, PARCEL_BATCH_HEAD);
	wire_put(&head, b->header, BATCH_HEADER);
	wire_put(&head, b->signature, BATCH_SIGNATURE);
	wire_put_u32(&head, (uint32_t)octets);
	at = w->len + PARCEL_BATCH_HEAD;
	for (uint32_t i = 0; i < b->count; i++)
		at += item_encode(w->out + at, max - at, &b->items[i]);
	w->len = at;
	w->count++;
	return KMS_OK;
}

size_t
parcel_end(struct parcel_writer *w)
{
	struct wire_writer head;

	if (w->count == 0)
		return 0;
	wire_writer_init(&head, w->out, HEAD);
	wire_put(&head, MAGIC, sizeof(MAGIC));
	wire_put_u16(&head, (uint16_t)w->count);
	return w->len;
}

/* -- reading -- */

int
parcel_open(struct parcel_reader *p, const uint8_t *in, size_t len, struct item *items)
{
	int rc;

	if (len > PARCEL_ONE_MAX)
		return KMS_E_TOO_LARGE;
	wire_reader_init(&p->r, in, len);
	if ((rc = wire_magic(&p->r, MAGIC)) != KMS_OK)
		return rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT;
	p->left = wire_get_u16(&p->r);
	p->items = items;
	if (p->r.bad || p->left == 0 || p->left > PARCEL_BATCHES)
		return KMS_E_FORMAT;
	return p->left > 1 && len > PARCEL_MAX ? KMS_E_TOO_LARGE : KMS_OK;
}

static int
read_items(struct parcel_reader *p, struct foreign_batch *b, uint32_t octets)
{
	const uint8_t *at = wire_view(&p->r, octets);
	struct batch_header h;
	struct wire_reader r;

	if (at == NULL || octets > RECORD_OCTETS || batch_header_decode(&h, b->header) != KMS_OK ||
	    h.size == 0 || h.size > RECORD_ENTRIES)
		return KMS_E_FORMAT;
	wire_reader_init(&r, at, octets);
	for (b->count = 0; b->count < h.size; b->count++)
		if (item_read(&r, &p->items[b->count]) != KMS_OK)
			return KMS_E_FORMAT;
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_FORMAT;
}

int
parcel_next(struct parcel_reader *p, struct foreign_batch *b)
{
	uint32_t octets;

	if (p->left == 0)
		return wire_finish(&p->r) == KMS_OK ? KMS_E_NOT_FOUND : KMS_E_FORMAT;
	p->left--;
	*b = (struct foreign_batch){ .items = p->items };
	b->header = wire_view(&p->r, BATCH_HEADER);
	b->signature = wire_view(&p->r, BATCH_SIGNATURE);
	octets = wire_get_u32(&p->r);
	if (p->r.bad)
		return KMS_E_FORMAT;
	return read_items(p, b, octets);
}
