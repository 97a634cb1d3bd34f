/*
 * reply.c - reading a reply's rows, with the types of the fields that are known.
 */
#include "kmsctl/host/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/host/reply_fields.h"
#include "kmsd/ipc/control.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

/* Room for one more at *array, grown by doubling; NULL: memory. */
static void *
grow(void **array, unsigned count, size_t size)
{
	void *p;

	if ((count & (count - 1)) == 0) { /* 0, 1, 2, 4, ...: full */
		p = realloc(*array, (count == 0 ? 1 : 2 * (size_t)count) * size);
		if (p == NULL)
			return NULL;
		*array = p;
	}
	memset((char *)*array + count * size, 0, size);
	return (char *)*array + count * size;
}

static int
add_row(struct reply *r, const struct control_field *f)
{
	struct reply_row *row = grow((void **)&r->rows, r->count, sizeof(*row));

	if (row == NULL)
		return KMS_E_NO_MEMORY;
	r->count++;
	row->kind = strndup((const char *)f->value, f->value_len);
	return row->kind == NULL ? KMS_E_NO_MEMORY : KMS_OK;
}

static char *
hexadecimal(const uint8_t *octets, size_t len)
{
	char *out = malloc(2 * len + 1);

	if (out != NULL)
		hex_format(out, octets, len);
	return out;
}

static int
add_field(struct reply *r, const struct control_field *f, struct fault *fault)
{
	struct reply_row *row = &r->rows[r->count - 1];
	struct reply_field *out = grow((void **)&row->fields, row->count, sizeof(*out));
	char expected;

	if (out == NULL)
		return KMS_E_NO_MEMORY;
	row->count++;
	out->type = f->type;
	out->number = f->number;
	out->name = strndup(f->name, f->name_len);
	if (f->type == 's')
		out->text = strndup((const char *)f->value, f->value_len);
	else if (f->type == 'b')
		out->text = hexadecimal(f->value, f->value_len);
	if (out->name == NULL || (f->type != 'u' && out->text == NULL))
		return KMS_E_NO_MEMORY;
	expected = reply_known_type(row->kind, out->name);
	if (expected == 0 || expected == f->type)
		return KMS_OK;
	return fault_set(fault, KMS_E_FORMAT,
	    "field \"%s\" of row \"%s\" has type '%c' where '%c' is expected", out->name, row->kind,
	    f->type, expected);
}

int
reply_read(struct reply *out, const uint8_t *data, size_t len, struct fault *fault)
{
	struct wire_reader reader;
	struct control_field f;
	int rc = KMS_OK;

	memset(out, 0, sizeof(*out));
	wire_reader_init(&reader, data, len);
	while (rc == KMS_OK && control_next(&reader, &f)) {
		if (f.type == 'r') {
			rc = add_row(out, &f);
		} else if (out->count == 0) {
			rc = fault_set(fault, KMS_E_FORMAT, "a field comes before the first row");
		} else {
			rc = add_field(out, &f, fault);
		}
	}
	if (rc == KMS_OK && reader.bad)
		rc = fault_set(fault, KMS_E_FORMAT, "the field at byte %zu of %zu is malformed",
		    (size_t)(reader.at - data), len);
	return rc;
}

void
reply_free(struct reply *r)
{
	unsigned i, j;

	for (i = 0; i < r->count; i++) {
		for (j = 0; j < r->rows[i].count; j++) {
			free(r->rows[i].fields[j].name);
			free(r->rows[i].fields[j].text);
		}
		free(r->rows[i].fields);
		free(r->rows[i].kind);
	}
	free(r->rows);
	memset(r, 0, sizeof(*r));
}

const struct reply_row *
reply_next(const struct reply *r, const char *kind, const struct reply_row *row)
{
	unsigned i = row == NULL ? 0 : (unsigned)(row - r->rows) + 1;

	for (; i < r->count; i++)
		if (strcmp(r->rows[i].kind, kind) == 0)
			return &r->rows[i];
	return NULL;
}

const struct reply_field *
reply_field(const struct reply_row *row, const char *name)
{
	unsigned i;

	for (i = 0; row != NULL && i < row->count; i++)
		if (strcmp(row->fields[i].name, name) == 0)
			return &row->fields[i];
	return NULL;
}

const char *
reply_text(const struct reply_row *row, const char *name)
{
	const struct reply_field *f = reply_field(row, name);

	return f != NULL ? f->text : NULL;
}

bool
reply_number(const struct reply_row *row, const char *name, uint64_t *out)
{
	const struct reply_field *f = reply_field(row, name);

	if (f == NULL || f->type != 'u')
		return false;
	*out = f->number;
	return true;
}

uint64_t
reply_sum(const struct reply *r, const char *kind, const char *name)
{
	const struct reply_row *row = NULL;
	uint64_t sum = 0, n;

	while ((row = reply_next(r, kind, row)) != NULL)
		if (reply_number(row, name, &n))
			sum += n;
	return sum;
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
