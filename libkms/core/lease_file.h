/*
 * lease_file.h - a lease for others to look at (lease.h has the layout), which the publisher's
 * public key alone verifies.
 */
#ifndef KMS_LIBKMS_CORE_LEASE_FILE_H
#define KMS_LIBKMS_CORE_LEASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/lease.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/core/shown.h"

#define LEASE_FILE_MAGIC "KMSLEAS3"

struct lease_file {
	struct shown head; /* all pointers borrow from the file */
	const uint8_t *bundle;
	size_t bundle_len;
};

/* What a file says that verifies. */
struct lease_told {
	struct certificate certificate;
	struct entry_client entry;
	struct batch_header header;
	uint8_t hash[32];   /* of the header */
	struct lease lease; /* borrows from the file */
};

/*
 * Shape only. KMS_OK, KMS_E_FORMAT (another kind of file), KMS_E_SCHEMA (another version),
 * KMS_E_TRUNCATED, KMS_E_TOO_LARGE.
 */
int lease_file_read(struct lease_file *out, const void *data, size_t len);
/*
 * As lease_verify, with one of the publisher's keys and those that the file's rotations link to
 * it. The clock is not asked. Also what publisher_keys_chain and publisher_keys_certificate return.
 */
int lease_file_verify(
    struct lease_told *out, const struct lease_file *file, const struct minisig_key *publisher);
/*
 * lease_verify for a host that keeps the publisher's old key id, whichever key of the chain signed
 * the certificate.
 */
int lease_verify_chain(struct entry_client *out, const struct publisher_keys *keys,
    const uint8_t *bundle, size_t len, const struct certificate *cert, const uint8_t *cmid,
    const uint8_t *product);

#endif
