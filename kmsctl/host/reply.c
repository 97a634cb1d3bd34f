/*
 * reply.c - a reply with the types of the fields that are known, and changes of it before it is
 * shown.
 */
#include "kmsctl/host/reply.h"

#include <string.h>

#include "kmsctl/host/reply_fields.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

static int
check_types(const struct reply_row *row, struct fault *fault)
{
	for (unsigned i = 0; i < row->count; i++) {
		const struct reply_field *f = &row->fields[i];
		char expected = reply_known_type(row->kind, f->name);

		if (expected != 0 && expected != f->type)
			return fault_set(fault, KMS_E_FORMAT,
			    "field \"%s\" of row \"%s\" has type '%c' where '%c' is expected",
			    f->name, row->kind, f->type, expected);
	}
	return KMS_OK;
}

int
reply_read(struct reply *out, const uint8_t *data, size_t len, struct fault *fault)
{
	int rc = reply_rows(out, data, len, fault);

	for (unsigned i = 0; rc == KMS_OK && i < out->count; i++)
		rc = check_types(&out->rows[i], fault);
	return rc;
}

void
reply_sort(struct reply *r, const char *kind, const char *name)
{
	uint64_t a, b;
	unsigned i, j;
	struct reply_row row;

	for (i = 0; i < r->count; i++)
		for (j = i + 1; j < r->count; j++) {
			if (strcmp(r->rows[i].kind, kind) != 0 ||
			    strcmp(r->rows[j].kind, kind) != 0 ||
			    !reply_number(&r->rows[i], name, &a) ||
			    !reply_number(&r->rows[j], name, &b) || a <= b)
				continue;
			row = r->rows[i];
			r->rows[i] = r->rows[j];
			r->rows[j] = row;
		}
}

void
reply_replace_zero(struct reply *r, const char *kind, const char *name, uint64_t number)
{
	unsigned i, j;

	for (i = 0; i < r->count; i++) {
		if (strcmp(r->rows[i].kind, kind) != 0)
			continue;
		for (j = 0; j < r->rows[i].count; j++)
			if (strcmp(r->rows[i].fields[j].name, name) == 0 &&
			    r->rows[i].fields[j].number == 0)
				r->rows[i].fields[j].number = number;
	}
}

size_t
reply_octets(const struct reply_row *row, const char *name, uint8_t *out, size_t size)
{
	const struct reply_field *f = reply_field(row, name);
	size_t len = f != NULL && f->type == 'b' ? strlen(f->text) / 2 : 0;

	return len > 0 && len <= size && hex_parse(out, len, f->text) ? len : 0;
}
