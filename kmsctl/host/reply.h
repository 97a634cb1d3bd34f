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
#include "kmsd/ipc/reply_rows.h"

/* KMS_OK, KMS_E_FORMAT (f says where), KMS_E_NO_MEMORY. reply_free in every case. */
int reply_read(struct reply *out, const uint8_t *data, size_t len, struct fault *f);

/* The bytes of a field; 0: there is no such field, or it has more of them. */
size_t reply_octets(const struct reply_row *row, const char *name, uint8_t *out, size_t size);

/* Rows of a kind in ascending order of a number. */
void reply_sort(struct reply *r, const char *kind, const char *name);
/* A number that the host does not know is 0 in its reply: replaces it with what is known here. */
void reply_replace_zero(struct reply *r, const char *kind, const char *name, uint64_t number);

/* All rows of a kind as a list, and one row as an object; nothing when there is no such row. */
void reply_print_list(struct output *o, const struct reply *r, const char *kind, const char *key,
    const char *heading);
/* Some rows of a kind, or some columns of them. Returns how many rows are left out. */
struct reply_some {
	const char *kind, *key, *heading;
	const char *const *only; /* names of columns, ends with NULL; NULL: all */
	unsigned most;           /* rows; 0: all */
};
unsigned reply_print_some(struct output *o, const struct reply *r, const struct reply_some *some);
void reply_print_fields(struct output *o, const struct reply_row *row);

#endif
