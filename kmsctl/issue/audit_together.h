/*
 * audit_together.h - what several chains say together: how many different clients there are, how
 * many a pool counted at all hosts at once, and whether that is more than the publisher sold.
 *
 * Each host counts up to the capacity by itself (kms.key(5)), so that hosts which do not know of
 * each other may count a multiple of it. Here a client counts while any host counts it.
 */
#ifndef KMSCTL_ISSUE_AUDIT_TOGETHER_H
#define KMSCTL_ISSUE_AUDIT_TOGETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/issue/audit_clients.h"
#include "kmsctl/issue/audit_documents.h"
#include "kmsctl/issue/audit_report.h"
#include "kmsctl/issue/audit_rules.h"
#include "kmsctl/issue/audit_spans.h"
#include "kmsctl/issue/audit_table.h"

/* The minute of the period at which all hosts counted the most clients of a pool. */
struct audit_peak {
	uint16_t pool;
	uint64_t count;
	uint32_t minute;
	uint64_t capacity; /* that was sold, at that minute; 0: no limit */
};

struct audit_together {
	uint64_t from, to; /* the period */
	const struct audit_pack *packs;
	unsigned pack_count;
	struct audit_table hosts;        /* ids; a row's number + 1 is that of the host */
	struct audit_table keys;         /* ids of the publisher's keys */
	struct audit_table sold;         /* pool and product of each seat */
	struct audit_table certificates; /* of all hosts, by host and serial */
	struct audit_clients all;
	struct audit_spans spans;
	struct audit_report report; /* sums */
	unsigned peak_count;
	struct audit_peak peaks[AUDIT_POOLS];
};

/* sodium_init must have been called. */
void audit_together_init(struct audit_together *t);
void audit_together_free(struct audit_together *t);
/* A LEASE or SEEN of the publisher. KMS_E_NO_MEMORY. */
int audit_together_seat(struct audit_together *t, const struct entry_client *e);
/* A chain, after its last entry. KMS_E_NO_MEMORY. */
int audit_together_take(struct audit_together *t, const struct audit_documents *d,
    const struct audit_clients *c, const struct audit_report *r);
/* After the last chain: the figures, and the finding of the capacity. KMS_E_TOO_LARGE, NO_MEMORY.
 */
int audit_together_end(struct audit_together *t);
/* The most that was sold for a pool at any time. */
#define AUDIT_NO_LIMIT UINT64_MAX
uint64_t audit_together_most(const struct audit_together *t, uint16_t pool);
bool audit_together_ours(const struct audit_together *t, const uint8_t publisher[8]);

#endif
