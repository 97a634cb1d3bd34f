/*
 * reply_rows.h - a reply of the activation process as rows of named fields, for those that ask it:
 * kmsctl and kmsd-web.
 */
#ifndef KMSD_IPC_REPLY_ROWS_H
#define KMSD_IPC_REPLY_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
int reply_rows(struct reply *out, const uint8_t *data, size_t len, struct fault *f);
void reply_free(struct reply *r);
/* Moves the rows of from behind those of to. KMS_E_NO_MEMORY: not all of them. from is empty then.
 */
int reply_join(struct reply *to, struct reply *from);

/* The next row of that kind after row (NULL: the first). */
const struct reply_row *reply_next(
    const struct reply *r, const char *kind, const struct reply_row *row);
const struct reply_field *reply_field(const struct reply_row *row, const char *name);
/* NULL, or false, when the row has no such field. */
const char *reply_text(const struct reply_row *row, const char *name);
bool reply_number(const struct reply_row *row, const char *name, uint64_t *out);
/* Of that number in all rows of the kind that have it. */
uint64_t reply_sum(const struct reply *r, const char *kind, const char *name);

#endif
