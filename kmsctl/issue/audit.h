/*
 * audit.h - what an audit file proves, with nothing but the publisher's public key: that a host
 * with this publisher's certificate signed these batches, that none between the first and the
 * last is missing or changed, and how many clients they activated.
 */
#ifndef KMSCTL_ISSUE_AUDIT_H
#define KMSCTL_ISSUE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/core/certificate.h"
#include "libkms/core/minisig.h"

#define AUDIT_CERTIFICATES 64 /* the newest; others are checked, but not kept */
#define AUDIT_PRODUCTS 1024
#define AUDIT_FINDINGS 100

struct audit_options {
	struct minisig_key publisher;
	uint64_t from, to; /* the period to count, both ends included; 0, UINT64_MAX: everything */
	bool have_last;    /* a batch known from an earlier audit */
	uint64_t last;
	uint8_t last_hash[32];
	bool have_host;
	uint8_t host[16];
};
struct audit_product {
	uint8_t id[16];
	uint64_t clients; /* distinct */
	uint64_t leases;
};
/* What the file says and does not bear out, though every signature in it verifies. */
struct audit_finding {
	uint64_t batch; /* 0: of the head */
	char text[160]; /* one clause */
};
struct audit_report {
	uint8_t host[16];
	uint64_t first, last; /* batches */
	uint64_t first_time, last_time;
	uint8_t last_hash[32];
	uint64_t batches, entries;
	uint64_t clients; /* distinct clients with a lease of this publisher in the period */
	uint64_t leases;
	/* leases of a product, or at a time, that no certificate in the file covers */
	uint64_t beyond;
	/* there is a batch after the period: nothing is missing at its end */
	bool closed;
	unsigned certificate_count;
	struct certificate certificates[AUDIT_CERTIFICATES];
	unsigned product_count;
	struct audit_product products[AUDIT_PRODUCTS];
	bool names; /* the names of clients are in the file */
	uint64_t finding_count;
	struct audit_finding findings[AUDIT_FINDINGS]; /* the first of them */
};

/*
 * KMS_OK, also with findings; KMS_E_FORMAT, KMS_E_TRUNCATED (no audit file, or cut), KMS_E_SCHEMA
 * (of another version), KMS_E_PUBLISHER,
 * KMS_E_SIGNATURE, KMS_E_CHAIN (a batch is missing), KMS_E_ALTERED, KMS_E_MISSING (does not
 * reach as far as it must), KMS_E_UNKNOWN_HOST (another host's), KMS_E_TOO_LARGE,
 * KMS_E_NO_MEMORY. fault says which batch and what.
 */
int audit_verify(struct audit_report *out, const struct audit_options *opt, const void *data,
    size_t len, struct fault *fault);

#endif
