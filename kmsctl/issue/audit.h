/*
 * audit.h - what an audit file proves, with nothing but the publisher's public key: that a host
 * with this publisher's certificate signed these batches, as one chain without a gap, and what
 * their entries say; and what in them does not go together. What only the host's word is, and
 * what no file can show, kms.audit(5) says.
 */
#ifndef KMSCTL_ISSUE_AUDIT_H
#define KMSCTL_ISSUE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/issue/audit_history.h"
#include "kmsctl/issue/audit_report.h"
#include "kmsctl/issue/audit_rules.h"
#include "kmsctl/issue/audit_together.h"
#include "libkms/base/fault.h"
#include "libkms/core/minisig.h"

/* A batch that is known from elsewhere: the last of an earlier audit. */
struct audit_known {
	uint64_t number;
	uint8_t hash[32];
};

/* One file of a host. Several of one chain are given in the order of their first batches. */
struct audit_part {
	const void *data;
	size_t len;
};
/* A batch of another chain of the same host, which this one does not have. */
struct audit_rival {
	uint64_t number, time;
	uint8_t hash[32];
	enum history_grade grade; /* set by the audit: what the batch means beside this chain */
};

struct audit_options {
	struct minisig_key publisher;
	uint64_t from, to; /* the period to count, both ends included; 0, UINT64_MAX: everything */
	struct audit_known known[2];
	unsigned known_count;
	bool have_host;
	uint8_t host[16];
	uint64_t confirmed; /* when the register says that this host was first confirmed; 0: not */
	const struct audit_pack *packs;
	unsigned pack_count;
	struct audit_lease *leases; /* their places are set */
	size_t lease_count;
	struct audit_rival *rivals; /* their grades are set */
	size_t rival_count;
	struct audit_together
	    *together; /* of several chains, which gathers this one, too; or NULL */
};

/*
 * KMS_OK, also with findings and when the beginning is not proved; KMS_E_FORMAT, KMS_E_TRUNCATED
 * (no audit file, or cut), KMS_E_SCHEMA (of another version), KMS_E_PUBLISHER, KMS_E_SIGNATURE,
 * KMS_E_CHAIN (a batch is missing), KMS_E_ALTERED, KMS_E_MISSING (a known batch is not in it),
 * KMS_E_UNKNOWN_HOST (another host's), KMS_E_TOO_LARGE, KMS_E_NO_MEMORY. fault says which batch
 * and what, and out->part of which file. A batch that a file has again is verified, and counts
 * once.
 */
int audit_verify(struct audit_report *out, const struct audit_options *opt,
    const struct audit_part *parts, size_t count, struct fault *fault);
/* Whose file it is, from its documents alone, and when the first of them was issued. */
int audit_host(uint8_t host[16], const struct minisig_key *publisher, const void *data, size_t len,
    struct fault *fault);

#endif
