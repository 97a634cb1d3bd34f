/*
 * audit_spans.h - from when until when each client was counted in a pool, or held a lease, at any
 * of several hosts. A client counts once, at however many hosts it is, and what one host writes
 * makes no other host's count lower.
 */
#ifndef KMSCTL_ISSUE_AUDIT_SPANS_H
#define KMSCTL_ISSUE_AUDIT_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_span_row {
	uint8_t cmid[16];
	uint16_t pool;
	bool seat;          /* false: a lease */
	uint32_t from, end; /* minutes; the end is not in it */
};
struct audit_spans {
	struct audit_span_row *rows;
	size_t count, room;
};

void audit_spans_free(struct audit_spans *s);
/*
 * Adds a span of the client, whose CMID need not be in the row. *last, which begins as 0, belongs
 * to the spans of one kind of one client at one host: a span that goes on from the last one makes
 * that one longer. KMS_E_NO_MEMORY.
 */
int audit_spans_add(
    struct audit_spans *s, const uint8_t cmid[16], const struct audit_span_row *row, size_t *last);
/*
 * After the last: sorts them by kind (leases first), pool, client and beginning, and makes one of
 * those of a client that touch or overlap, at whatever hosts.
 */
void audit_spans_merge(struct audit_spans *s);

/* The count of one pool at a minute at which it rises. */
typedef int (*audit_spans_rise)(void *arg, uint32_t minute, uint64_t count);
/*
 * After audit_spans_merge: tells each minute of the period (both ends included) at which the seats
 * of the pool become more, and the first one of the period with what they are then. Ends when
 * rise returns anything but KMS_OK, and returns that; KMS_E_NO_MEMORY.
 */
int audit_spans_sweep(const struct audit_spans *s, uint16_t pool, uint32_t first, uint32_t last,
    audit_spans_rise rise, void *arg);

#endif
