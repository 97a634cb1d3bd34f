/*
 * audit_base.h - a base in an audit file (kms.journal(5), RETENTION): what the host says that it
 * dropped, and whether it kept it long enough. The host signs it, so it proves nothing of what was
 * dropped; it says why the file does not begin with batch 1.
 */
#ifndef KMSCTL_ISSUE_AUDIT_BASE_H
#define KMSCTL_ISSUE_AUDIT_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_findings.h"
#include "libkms/core/batch.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"

/* The last base that is whole in the file, and the one that is not yet. Begins as zeros. */
struct audit_base {
	struct audit_base_one {
		uint64_t batch, time; /* of the entry HEAD; batch 0: there is none */
		struct entry_base_head head;
		uint64_t witnesses; /* restated, with a signature of this host */
	} whole, begun;
	uint64_t earliest; /* time of a batch from the HEAD of the whole one on */
	uint64_t first;    /* batch of the file */
	uint8_t before[32];
};

/* The first batch of the file; then each batch, before its entries; each entry BASE. */
void audit_base_first(struct audit_base *b, const struct batch_header *h);
void audit_base_batch(struct audit_base *b, const struct batch_header *h);
void audit_base_entry(
    struct audit_base *b, const struct entry_admin *e, uint64_t batch, const uint8_t sign_pk[32]);
/*
 * After the last batch: the findings. least: seconds that the journal had to be kept. True: a base
 * explains that the file begins where it does, and nothing was dropped too early.
 */
bool audit_base_end(const struct audit_base *b, uint64_t least, struct audit_findings *f);

#endif
