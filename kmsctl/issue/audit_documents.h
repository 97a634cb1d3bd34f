/*
 * audit_documents.h - the documents of an audit file: the publisher's keys and the certificates
 * of the host, and whether the journal has the entries that go with them.
 */
#ifndef KMSCTL_ISSUE_AUDIT_DOCUMENTS_H
#define KMSCTL_ISSUE_AUDIT_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/ledger/audit_file.h"
#include "libkms/base/fault.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/publisher_keys.h"

struct audit_paper {
	const uint8_t *octets; /* in the file */
	size_t len;
	bool entered; /* an entry of the journal has it */
};
struct audit_documents {
	struct publisher_keys keys;
	uint8_t host[16];
	unsigned count; /* certificates, by ascending serial */
	struct certificate *certificates;
	struct audit_paper *papers;
	bool rotated[ROTATION_CHAIN_MAX]; /* an entry has that statement of keys */
	uint64_t rotation_order;          /* statements that are not in the order of the chain */
	uint64_t rotation_repeated;
};

/*
 * Reads and verifies all documents, up to the first batch. KMS_OK, KMS_E_FORMAT, KMS_E_TRUNCATED,
 * KMS_E_SCHEMA, KMS_E_PUBLISHER, KMS_E_SIGNATURE, KMS_E_LIMIT, KMS_E_NOT_CONFIRMED,
 * KMS_E_UNKNOWN_HOST, KMS_E_NO_MEMORY. Always followed by audit_documents_free.
 */
int audit_documents_read(struct audit_documents *d, const struct minisig_key *publisher,
    struct audit_reader *r, struct fault *fault);
void audit_documents_free(struct audit_documents *d);
/*
 * Adds those of another file of the same host, which stays the owner of its own lists.
 * KMS_E_UNKNOWN_HOST: another host's; KMS_E_FORMAT: another certificate of the same number;
 * KMS_E_SIGNATURE: rotations that are not of one chain; KMS_E_NO_MEMORY.
 */
int audit_documents_join(
    struct audit_documents *d, const struct audit_documents *other, struct fault *fault);

/* Is it an id of one of the publisher's keys? */
bool audit_documents_ours(const struct audit_documents *d, const uint8_t publisher[8]);
/* Does one certificate have the product, and do its dates contain the lease's time and end? */
bool audit_documents_cover(const struct audit_documents *d, const struct entry_client *e);
/*
 * Most clients of a pool that the host may count when it writes e: the largest number of the
 * certificates that were issued by then and have its product and time. 0: no limit, or none has.
 */
uint32_t audit_documents_capacity(const struct audit_documents *d, const struct entry_client *e);
/* When the first of the certificates was issued. */
uint64_t audit_documents_since(const struct audit_documents *d);

/* An entry of kind CERTIFICATE or ROTATION. */
void audit_documents_entry(struct audit_documents *d, const struct entry_admin *e, uint64_t batch,
    struct audit_findings *f);
/*
 * At the end of a file: what the documents themselves leave open. begins: with batch 1. whole: the
 * head says that it goes on to the end of the journal, so that a certificate of later is none of
 * a part that was left out.
 */
void audit_documents_findings(
    const struct audit_documents *d, bool begins, bool whole, struct audit_findings *f);

#endif
