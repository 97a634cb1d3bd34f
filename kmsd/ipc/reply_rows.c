/*
 * reply_rows.c - see reply_rows.h.
 */
#include "kmsd/ipc/reply_rows.h"

#include <stdlib.h>
#include <string.h>

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
add_field(struct reply *r, const struct control_field *f)
{
	struct reply_row *row = &r->rows[r->count - 1];
	struct reply_field *out = grow((void **)&row->fields, row->count, sizeof(*out));

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
	return KMS_OK;
}

int
reply_rows(struct reply *out, const uint8_t *data, size_t len, struct fault *fault)
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
			rc = add_field(out, &f);
		}
	}
	if (rc == KMS_OK && reader.bad)
		rc = fault_set(fault, KMS_E_FORMAT, "the field at byte %zu of %zu is malformed",
		    (size_t)(reader.at - data), len);
	return rc;
}

static void
free_row(struct reply_row *row)
{
	for (unsigned i = 0; i < row->count; i++) {
		free(row->fields[i].name);
		free(row->fields[i].text);
	}
	free(row->fields);
	free(row->kind);
}

void
reply_free(struct reply *r)
{
	for (unsigned i = 0; i < r->count; i++)
		free_row(&r->rows[i]);
	free(r->rows);
	memset(r, 0, sizeof(*r));
}

int
reply_join(struct reply *to, struct reply *from)
{
	int rc = KMS_OK;

	for (unsigned i = 0; i < from->count; i++) {
		struct reply_row *row = grow((void **)&to->rows, to->count, sizeof(*row));

		if (row == NULL) {
			rc = KMS_E_NO_MEMORY;
			free_row(&from->rows[i]);
		} else {
			*row = from->rows[i];
			to->count++;
		}
	}
	free(from->rows);
	memset(from, 0, sizeof(*from));
	return rc;
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
