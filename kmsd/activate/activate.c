/*
 * activate.c - the clock, and entries that are not about one request of a client.
 */
#include "kmsd/activate/activate.h"

#include <string.h>
#include <time.h>

void
activate_clock(struct activate *a)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	a->now = (uint64_t)t.tv_sec;
}

int
activate_record(struct activate *a, struct entry_admin *e)
{
	uint8_t entry[ENTRY_MAX];
	uint32_t leaf;
	size_t len;
	int rc;

	pending_finish(a);
	activate_clock(a);
	e->time = a->now;
	if ((len = entry_admin_encode(entry, sizeof(entry), e)) == 0)
		return KMS_E_TOO_LARGE;
	if ((rc = kmsdb_stage(a->db, entry, len, &leaf)) != KMS_OK)
		return rc;
	return pending_commit(a);
}

int
activate_record_start(struct activate *a)
{
	static const char version[] = PACKAGE_STRING;
	uint8_t keys[64];
	struct entry_admin e = {
		.kind = ENTRY_START,
		.text = version,
		.text_len = sizeof(version) - 1,
		.blob = keys,
		.blob_len = sizeof(keys),
	};
	int rc;

	memcpy(e.subject, host_identity_id(a->key), 16);
	memcpy(keys, host_identity_sign_pk(a->key), 32);
	memcpy(keys + 32, host_identity_kx_pk(a->key), 32);
	rc = activate_record(a, &e);
	/* Continue when it cannot be written: clients are told, and space may be freed. */
	if (rc == KMS_E_FULL || rc == KMS_E_IO)
		return KMS_OK;
	return rc;
}
