/*
 * journal_host.c - see journal_host.h.
 */
#include "kmsctl/ledger/journal_host.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "kmsd/activate/identity_file.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"

#define ID_TEXT (2 * 16 + 1)

/* The last batch, as far as its signature goes. */
struct last {
	uint64_t number; /* 0: none */
	uint8_t host_id[16];
	uint8_t header[BATCH_HEADER];
	uint8_t signature[BATCH_SIGNATURE];
};

static int
keep(const struct kmsdb_batch_view *b, void *arg)
{
	struct last *l = arg;

	l->number = b->header.number;
	memcpy(l->host_id, b->header.host_id, sizeof(l->host_id));
	memcpy(l->header, b->header_octets, sizeof(l->header));
	memcpy(l->signature, b->signature, sizeof(l->signature));
	return 0;
}

static int
read_last(struct last *l, int from, const char *name, struct fault *fault)
{
	uint64_t first;
	bool all;
	int rc = kmsdb_journal_newest(from, 1, &first, &all, fault);

	*l = (struct last){ 0 };
	if (rc == KMS_OK)
		rc = kmsdb_journal_each(from, first, keep, l, fault);
	if (rc == KMS_OK && l->number == 0)
		rc = fault_set(fault, KMS_E_NOT_FOUND, "no batch is in its journal");
	if (rc != KMS_OK)
		fault_prefix(fault, "%.200s: ", name);
	return rc;
}

/* A plain file is the secret itself: guarded memory. */
int
journal_host_key(uint8_t sign_pk[32], int state, const char *dir, struct fault *fault)
{
	uint8_t *file = sodium_init() < 0 ? NULL : sodium_malloc(IDENTITY_SIZE);
	size_t len;
	int rc;

	if (file == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	rc = file_read_into(state, IDENTITY_PATH, FILE_OURS, file, IDENTITY_SIZE, &len);
	if (rc == KMS_OK)
		rc = identity_file_public(sign_pk, file, len);
	sodium_free(file);
	if (rc == KMS_E_NOT_FOUND)
		return fault_set(fault, rc,
		    "%s/" IDENTITY_PATH
		    " is missing: kmsd would make another host identity and then refuse this journal. Copy keys of the same backup to %s/keys first",
		    dir, dir);
	if (rc != KMS_OK)
		return fault_set(fault, rc, "%s/" IDENTITY_PATH ": %s: copy it from a backup first",
		    dir, kms_strerror((uint32_t)rc));
	return KMS_OK;
}

int
journal_host_check(
    int from, const char *from_name, int state, const char *state_name, struct fault *fault)
{
	char theirs[ID_TEXT], ours[ID_TEXT];
	uint8_t sign_pk[32], id[16];
	struct last l;
	int rc;

	if ((rc = read_last(&l, from, from_name, fault)) != KMS_OK ||
	    (rc = journal_host_key(sign_pk, state, state_name, fault)) != KMS_OK)
		return rc;
	if (batch_verify(l.header, l.signature, sign_pk) == KMS_OK)
		return KMS_OK;
	certificate_host_id(id, sign_pk);
	hex_format(ours, id, sizeof(id));
	hex_format(theirs, l.host_id, sizeof(l.host_id));
	if (memcmp(id, l.host_id, sizeof(id)) == 0)
		return fault_set(fault, KMS_E_ALTERED,
		    "%.120s: the signature of its last batch, %" PRIu64 ", is not this host's",
		    from_name, l.number);
	return fault_set(fault, KMS_E_UNKNOWN_HOST,
	    "%.100s is the journal of host %s, and %.100s/" IDENTITY_PATH
	    " is that of host %s: nothing was changed. Restore a backup of this host, or copy keys of that backup to %.40s/keys first",
	    from_name, theirs, state_name, ours, state_name);
}
