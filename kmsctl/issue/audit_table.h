/*
 * audit_table.h - rows that are found by a key, as many as an audit file has clients: the memory
 * grows with them, and the keys, which a host chooses, cannot make the search slow.
 *
 * A row begins with its key. Rows stay in the order in which they were added.
 */
#ifndef KMSCTL_ISSUE_AUDIT_TABLE_H
#define KMSCTL_ISSUE_AUDIT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct audit_table {
	size_t row, key; /* bytes of each */
	size_t count, room;
	uint8_t *rows;
	uint32_t *slots; /* of the search: number of a row + 1, 0 free; a power of two */
	size_t slot_count;
	uint8_t secret[16];
};

/* sodium_init must have been called. */
void audit_table_init(struct audit_table *t, size_t row, size_t key);
void audit_table_free(struct audit_table *t);
/* The row, added with zeros behind its key when there is none. NULL: memory. Valid until the next.
 */
void *audit_table_at(struct audit_table *t, const void *key);
/* NULL: there is none. */
void *audit_table_find(const struct audit_table *t, const void *key);
static inline void *
audit_table_row(const struct audit_table *t, size_t n)
{
	return t->rows + n * t->row;
}

#endif
