/*
 * recent_rows.h - the hot rows of the clients that asked last, so that a renewal asks neither
 * overlay nor index. Bounded; any row may be missing at any time, and then those are asked.
 *
 * A row in here is the newest there is, and on disk: who stages an entry drops the client's row,
 * and the commit puts it again. So nothing here is ever undone.
 */
#ifndef KMSDB_RECENT_ROWS_H
#define KMSDB_RECENT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/row.h"

struct recent;

struct recent *recent_new(size_t rows); /* NULL: memory */
void recent_free(struct recent *r);
size_t recent_octets(const struct recent *r); /* NULL: 0 */
/* Borrowed until the next put; NULL: not here. */
const uint8_t *recent_get(const struct recent *r, const uint8_t cmid[ROW_CMID]);
/* Over one of those that share its place, if need be. */
void recent_put(struct recent *r, const uint8_t cmid[ROW_CMID], const uint8_t row[ROW_HOT]);
void recent_drop(struct recent *r, const uint8_t cmid[ROW_CMID]);
/* It will be asked for soon: first announced, then, when other work was done, expected. */
void recent_announce(const struct recent *r, const uint8_t cmid[ROW_CMID]);
bool recent_expect(const struct recent *r, const uint8_t cmid[ROW_CMID]); /* is it here? */

#endif
