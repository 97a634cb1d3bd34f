/*
 * overlay.h - changed rows that wait for the next checkpoint: a bounded hash table from CMID to a
 * row of at most a fixed size, or to a mark that it was deleted.
 */
#ifndef KMSDB_OVERLAY_H
#define KMSDB_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct overlay;

enum overlay_found { OVERLAY_NO, OVERLAY_ROW, OVERLAY_GONE };

struct overlay *overlay_new(size_t records, size_t row_size); /* NULL: memory */
void overlay_free(struct overlay *o);
void overlay_clear(struct overlay *o);
size_t overlay_count(const struct overlay *o);
enum overlay_found overlay_get(
    const struct overlay *o, const uint8_t cmid[16], const uint8_t **row, size_t *len);
/* It will be looked up soon: first announced, then, when other work was done, expected. */
void overlay_announce(const struct overlay *o, const uint8_t cmid[16]);
void overlay_expect(const struct overlay *o, const uint8_t cmid[16]);
/* The row itself, to change bytes of it; NULL: there is none. */
uint8_t *overlay_row(struct overlay *o, const uint8_t cmid[16]);
/*
 * Sets a row, or marks it as deleted (row NULL). old gets the previous state, in a buffer of
 * row_size, for overlay_undo. KMS_E_FULL.
 */
struct overlay_old {
	enum overlay_found found;
	uint16_t len;
};
int overlay_put(struct overlay *o, const uint8_t cmid[16], const uint8_t *row, size_t len,
    struct overlay_old *old, uint8_t *old_row);
/* Undoes the newest put; in reverse order of the puts. */
void overlay_undo(struct overlay *o, const uint8_t cmid[16], const struct overlay_old *old,
    const uint8_t *old_row);

/* Record numbers in order of CMID: order has room for overlay_count. */
void overlay_sort(const struct overlay *o, uint32_t *order);
void overlay_prefetch(const struct overlay *o, uint32_t record);
enum overlay_found overlay_at(const struct overlay *o, uint32_t record, const uint8_t **cmid,
    const uint8_t **row, size_t *len);

#endif
