/*
 * audit_refusals.h - how often the host says that it refused clients of the publisher, by status:
 * the sums of its entries COUNTERS. The refusals themselves are sampled in a journal.
 */
#ifndef KMSCTL_ISSUE_AUDIT_REFUSALS_H
#define KMSCTL_ISSUE_AUDIT_REFUSALS_H

#include <stdint.h>

#include "kmsctl/issue/audit_documents.h"
#include "libkms/core/entry_blobs.h"

#define AUDIT_REFUSALS 256 /* statuses; a host that is honest knows fewer */

struct audit_refusals {
	uint64_t all; /* of statuses beyond AUDIT_REFUSALS, too */
	unsigned count;
	struct {
		uint16_t status;
		uint64_t refusals;
	} list[AUDIT_REFUSALS]; /* ascending */
};

/* Adds an entry COUNTERS, whose blob is well-formed; other kinds add nothing. */
void audit_refusals_entry(
    struct audit_refusals *r, const struct audit_documents *d, const struct entry_admin *e);
/* Adds the sums of another host. */
void audit_refusals_join(struct audit_refusals *r, const struct audit_refusals *other);

#endif
