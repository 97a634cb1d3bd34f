/*
 * lease.h - what an activated client keeps: its entry, the signed batch header and the proof that
 * the entry is in the batch.
 *
 *   0   2  length e of the entry
 *   2   e  entry (entry.h, ENTRY_LEASE)
 *     108  batch header (batch.h)
 *      64  signature of the batch header
 *       4  index of the entry in the tree, from 0
 *       1  number p of proof hashes
 *     32p  inclusion proof, leaf to root
 *       1  length a of the aside, 0: without
 *       a  aside of the entry (aside.h)
 *
 * A lease FILE, for verification by others, is "KMSLEAS3" (8), the number of rotation statements
 * (1) and the statements, u16 length of the host certificate, the certificate, then the bundle up
 * to the end.
 */
#ifndef KMS_LIBKMS_CORE_LEASE_H
#define KMS_LIBKMS_CORE_LEASE_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/batch.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"

struct lease {
	const uint8_t *entry; /* all pointers borrow from the bundle */
	size_t entry_len;
	const uint8_t *header;    /* BATCH_HEADER */
	const uint8_t *signature; /* BATCH_SIGNATURE */
	uint32_t index;
	uint8_t proof_count;
	const uint8_t *proof; /* proof_count * 32 */
	const uint8_t *aside;
	size_t aside_len; /* 0: without */
};

/* 0: does not fit */
size_t lease_encode(uint8_t *out, size_t size, const struct lease *l);
int lease_decode(struct lease *l, const uint8_t *in, size_t len);

/*
 * Every check of kms-protocol(7), "Verifying a lease", but the clock's and those of the
 * request: inclusion, batch signature, host id, entry time near the header's, kind, that it counts,
 * publisher, product among the certificate's, entry time and expiry within the certificate's dates,
 * CMID and product asked for. cert must already have passed certificate_verify. cmid and
 * product may be NULL: any. KMS_OK, KMS_E_FORMAT (shape, kind, status, time, does not count),
 * KMS_E_SCHEMA (an entry by another version), KMS_E_PROOF, KMS_E_SIGNATURE, KMS_E_LEASE_OTHER (host
 * id, CMID, product), KMS_E_PUBLISHER, KMS_E_NOT_COVERED, KMS_E_KEY_EXPIRED. *out receives the
 * entry. With a cached certificate KMS_E_KEY_EXPIRED may only mean that the host has a newer one:
 * send HELLO and verify again.
 */
int lease_verify(struct entry_client *out, const uint8_t *bundle, size_t len,
    const struct certificate *cert, const uint8_t cmid[16], const uint8_t product[16]);

/*
 * The first of them alone: the entry, whatever it says, is in a batch that the certificate's host
 * signed. KMS_OK, KMS_E_FORMAT, KMS_E_PROOF, KMS_E_SIGNATURE, KMS_E_LEASE_OTHER (host id). *l
 * borrows from the bundle.
 */
int lease_signed(struct lease *l, struct batch_header *header, const uint8_t *bundle, size_t len,
    const struct certificate *cert);

/*
 * Name, user and address of a lease that verifies, whose entry is e. KMS_OK; KMS_E_NOT_FOUND: it
 * has none (erased, or left out); KMS_E_LEASE_OTHER: they do not match the entry.
 */
int lease_names(struct aside *out, const uint8_t *bundle, size_t len, const struct entry_client *e);

#endif
