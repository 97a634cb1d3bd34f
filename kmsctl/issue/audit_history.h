/*
 * audit_history.h - whether the audited chain is the only one that its host signed: what the
 * entries WITNESS, RESTORED and CLOCK say, and what leases say that the publisher was sent.
 */
#ifndef KMSCTL_ISSUE_AUDIT_HISTORY_H
#define KMSCTL_ISSUE_AUDIT_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_findings.h"
#include "libkms/core/batch.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/history.h"

/* What became of a lease that was given beside the file. */
enum audit_lease_place {
	LEASE_IN_CHAIN,
	LEASE_OTHER,      /* the chain has another batch of that number */
	LEASE_AFTER,      /* the file ends before it */
	LEASE_BEFORE,     /* the file begins after it */
	LEASE_OF_ANOTHER, /* host */
};

/* A lease that verifies, with what it says of its batch. */
struct audit_lease {
	const char *name; /* of its file */
	uint8_t host[16];
	uint64_t number, time; /* of the batch */
	uint8_t hash[32];
	enum audit_lease_place place; /* set by the audit */
};

struct audit_claim {
	uint64_t in; /* the batch that says it */
	uint64_t number, time;
	uint8_t hash[32];
};
struct audit_history {
	uint64_t first, last;
	uint8_t before[32];      /* hash of the batch before the first */
	const uint8_t **headers; /* of all batches, where they are in the files */
	size_t room;
	uint64_t time; /* of the batch before, or 0 */
	bool clock;    /* the batch has an entry CLOCK */
	struct history_mark *marks;
	size_t mark_count, mark_room;
	struct audit_claim *witnesses;
	size_t witness_count, witness_room;
};

void audit_history_free(struct audit_history *h);
/*
 * Begins as zeros. The next batch, whose header is at the place at, which stays; after that its
 * entries, then the end.
 */
int audit_history_begin(
    struct audit_history *h, const struct batch_header *header, const uint8_t *at);
/* An entry of kind START, WITNESS, RESTORED or CLOCK. sign_pk: the host's. KMS_E_NO_MEMORY. */
int audit_history_entry(struct audit_history *h, const struct batch_header *header,
    const struct entry_admin *e, const uint8_t sign_pk[32], struct audit_findings *f);
void audit_history_end(
    struct audit_history *h, const struct batch_header *header, struct audit_findings *f);
/* Where a signed header is, seen from the chain. */
enum audit_lease_place audit_history_place(
    const struct audit_history *h, uint64_t number, const uint8_t hash[32]);
/* After audit_history_findings: what such a header means that the chain does not have. */
enum history_grade audit_history_rival(
    const struct audit_history *h, uint64_t number, uint64_t time, const uint8_t hash[32]);
/* After the last batch. host: the audited one. */
void audit_history_findings(struct audit_history *h, const uint8_t host[16],
    struct audit_lease *leases, size_t lease_count, struct audit_findings *f);

#endif
