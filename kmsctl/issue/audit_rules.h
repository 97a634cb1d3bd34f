/*
 * audit_rules.h - what a host may not do though it has the key for it: leases below the threshold,
 * beyond its certificate, its capacity or its policy pack.
 */
#ifndef KMSCTL_ISSUE_AUDIT_RULES_H
#define KMSCTL_ISSUE_AUDIT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_clients.h"
#include "kmsctl/issue/audit_documents.h"
#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/issue/audit_recount.h"
#include "policy/policy.h"

#define AUDIT_PACKS 16

/* A pack that the publisher gave, to compare with. */
struct audit_pack {
	uint8_t digest[32]; /* SHA-256 of its text */
	struct policy_pack *pack;
};
struct audit_rules {
	const struct audit_documents *documents;
	const struct audit_pack *packs;
	unsigned pack_count;
	const struct policy_pack *pack; /* in force, if it was given; NULL: another, or not known */
	bool whole;                     /* the file begins with batch 1: the recount is complete */
};

/* An entry of kind POLICY: another pack is in force from now on, if it is the publisher's. */
void audit_rules_policy(struct audit_rules *r, const struct entry_admin *e);
/*
 * A LEASE or SEEN of the publisher, and what it is to the count. *covered: as
 * audit_documents_cover.
 */
void audit_rules_entry(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    const struct audit_act *act, const struct audit_recount *recount, struct audit_findings *f,
    bool *covered);

#endif
