/*
 * reply.h - a reply of the host as rows of named fields. The types of the fields that control.h
 * names are checked when it is read; other fields are kept and shown unchanged.
 */
#ifndef KMSCTL_HOST_REPLY_H
#define KMSCTL_HOST_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/cli/output.h"
#include "libkms/base/fault.h"

struct reply_field {
	char type; /* 's', 'u' or 'b' */
	char *name;
	char *text; /* 's': the text, 'b': in hexadecimal */
	uint64_t number;
};
struct reply_row {
	char *kind;
	struct reply_field *fields;
	unsigned count;
};
struct reply {
	struct reply_row *rows;
	unsigned count;
};

/* KMS_OK, KMS_E_FORMAT (f says where), KMS_E_NO_MEMORY. reply_free in every case. */
int reply_read(struct reply *out, const uint8_t *data, size_t len, struct fault *f);
void reply_free(struct reply *r);

/* The next row of that kind after row (NULL: the first). */
const struct reply_row *reply_next(
    const struct reply *r, const char *kind, const struct reply_row *row);
const struct reply_field *reply_field(const struct reply_row *row, const char *name);
/* NULL, or false, when the row has no such field. */
const char *reply_text(const struct reply_row *row, const char *name);
bool reply_number(const struct reply_row *row, const char *name, uint64_t *out);
/* Of that number in all rows of the kind that have it. */
uint64_t reply_sum(const struct reply *r, const char *kind, const char *name);
/* The bytes of a field; 0: there is no such field, or it has more of them. */
size_t reply_octets(const struct reply_row *row, const char *name, uint8_t *out, size_t size);

/* Rows of a kind in ascending order of a number. */
void reply_sort(struct reply *r, const char *kind, const char *name);
/* A number that the host does not know is 0 in its reply: replaces it with what is known here. */
void reply_replace_zero(struct reply *r, const char *kind, const char *name, uint64_t number);

/* All rows of a kind as a list, and one row as an object; nothing when there is no such row. */
void reply_print_list(struct output *o, const struct reply *r, const char *kind, const char *key,
    const char *heading);
void reply_print_fields(struct output *o, const struct reply_row *row);

#endif
