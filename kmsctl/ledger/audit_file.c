/*
 * audit_file.c - see audit_file.h.
 */
#include "kmsctl/ledger/audit_file.h"

#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/kms_error.h"

#define FAMILY 7 /* bytes of the magic that every version has */

static const uint8_t magic[8] = { 'K', 'M', 'S', 'A', 'U', 'D', 'I', 'T' };

int
audit_reader_init(struct audit_reader *a, const void *data, size_t len)
{
	struct audit_head *h = &a->head;
	const uint8_t *found;
	uint16_t flags;

	memset(h, 0, sizeof(*h));
	a->start = data;
	wire_reader_init(&a->r, data, len);
	found = wire_view(&a->r, sizeof(magic));
	if (found == NULL || memcmp(found, magic, FAMILY) != 0)
		return KMS_E_FORMAT;
	/* Version 1 had its number in the magic. */
	h->version = found[FAMILY] == '1' ? 1 : wire_get_u16(&a->r);
	if (found[FAMILY] != '1' && found[FAMILY] != magic[FAMILY])
		return KMS_E_FORMAT;
	if (h->version != AUDIT_VERSION)
		return a->r.bad ? KMS_E_TRUNCATED : KMS_E_SCHEMA;
	flags = wire_get_u16(&a->r);
	h->names = (flags & AUDIT_NAMES) != 0;
	wire_get(&a->r, h->host, sizeof(h->host));
	h->first = wire_get_u64(&a->r);
	h->last = wire_get_u64(&a->r);
	h->from = wire_get_u64(&a->r);
	h->to = wire_get_u64(&a->r);
	a->documents = h->documents = wire_get_u16(&a->r);
	if (a->r.bad)
		return KMS_E_TRUNCATED;
	if ((flags & ~AUDIT_NAMES) != 0)
		return KMS_E_SCHEMA;
	return a->documents <= AUDIT_DOCUMENTS ? KMS_OK : KMS_E_FORMAT;
}

int
audit_next_document(struct audit_reader *a, struct audit_document *out)
{
	if (a->documents == 0)
		return KMS_E_NOT_FOUND;
	out->kind = wire_get_u8(&a->r);
	out->len = wire_get_u16(&a->r);
	out->octets = wire_view(&a->r, out->len);
	if (a->r.bad)
		return KMS_E_TRUNCATED;
	a->documents--;
	return out->kind == AUDIT_CERTIFICATE || out->kind == AUDIT_ROTATION ? KMS_OK
									     : KMS_E_SCHEMA;
}

int
audit_reader_batches(struct audit_reader *a, const void *data, size_t len)
{
	struct audit_document doc;
	int rc = audit_reader_init(a, data, len);

	while (rc == KMS_OK)
		rc = audit_next_document(a, &doc);
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

static int
split_entries(struct audit_batch *out, bool names, const uint8_t *octets, size_t len)
{
	struct wire_reader r;

	if (out->header.size == 0 || out->header.size > AUDIT_ENTRIES)
		return KMS_E_FORMAT;
	wire_reader_init(&r, octets, len);
	for (uint32_t i = 0; i < out->header.size; i++) {
		if (item_read(&r, &out->items[i]) != KMS_OK)
			return KMS_E_FORMAT;
		if (!names && out->items[i].aside_len != 0)
			return KMS_E_FORMAT;
	}
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_FORMAT;
}

int
audit_next_batch(struct audit_reader *a, struct audit_batch *out)
{
	const uint8_t *entries;
	uint32_t len;
	int rc;

	if (a->documents > 0)
		return KMS_E_ARGUMENT;
	if (wire_left(&a->r) == 0)
		return KMS_E_NOT_FOUND;
	out->offset = (uint64_t)(a->r.at - a->start);
	len = wire_get_u32(&a->r);
	out->header_octets = wire_view(&a->r, BATCH_HEADER);
	out->signature = wire_view(&a->r, BATCH_SIGNATURE);
	entries = wire_view(&a->r, len);
	if (a->r.bad)
		return KMS_E_TRUNCATED;
	if ((rc = batch_header_decode(&out->header, out->header_octets)) != KMS_OK)
		return rc;
	return split_entries(out, a->head.names, entries, len);
}

void
audit_head_encode(uint8_t out[AUDIT_HEAD], const struct audit_head *head)
{
	struct wire_writer w;

	wire_writer_init(&w, out, AUDIT_HEAD);
	wire_put(&w, magic, sizeof(magic));
	wire_put_u16(&w, AUDIT_VERSION);
	wire_put_u16(&w, head->names ? AUDIT_NAMES : 0);
	wire_put(&w, head->host, sizeof(head->host));
	wire_put_u64(&w, head->first);
	wire_put_u64(&w, head->last);
	wire_put_u64(&w, head->from);
	wire_put_u64(&w, head->to);
	wire_put_u16(&w, head->documents);
}

void
audit_document_head_encode(uint8_t out[AUDIT_DOCUMENT_HEAD], uint8_t kind, uint16_t len)
{
	struct wire_writer w;

	wire_writer_init(&w, out, AUDIT_DOCUMENT_HEAD);
	wire_put_u8(&w, kind);
	wire_put_u16(&w, len);
}
