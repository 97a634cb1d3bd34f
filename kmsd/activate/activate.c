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

/* len 0: it does not fit. */
static int
commit_alone(struct activate *a, const uint8_t *entry, size_t len)
{
	const struct item item = { .entry = entry, .entry_len = len };
	uint32_t leaf;
	int rc;

	if (len == 0)
		return KMS_E_TOO_LARGE;
	rc = kmsdb_stage(a->db, &item, &leaf);
	return rc != KMS_OK ? rc : pending_commit(a);
}

int
activate_record(struct activate *a, struct entry_admin *e)
{
	uint8_t entry[ENTRY_MAX];

	pending_finish(a);
	activate_clock(a);
	e->time = a->now;
	return commit_alone(a, entry, entry_admin_encode(entry, sizeof(entry), e));
}

int
activate_record_about(struct activate *a, struct entry_about *e)
{
	uint8_t entry[ENTRY_ABOUT_MAX];

	pending_finish(a);
	activate_clock(a);
	e->time = a->now;
	e->counter = kmsdb_counter(a->db);
	return commit_alone(a, entry, entry_about_encode(entry, sizeof(entry), e));
}

int
activate_record_start(struct activate *a)
{
	static const char version[] = PACKAGE_STRING;
	struct entry_admin e = {
		.kind = ENTRY_START,
		.text = version,
		.text_len = sizeof(version) - 1,
		.blob = host_identity_sign_pk(a->key),
		.blob_len = 32,
	};
	int rc;

	memcpy(e.subject, host_identity_id(a->key), 16);
	rc = activate_record(a, &e);
	/* Continue when it cannot be written: clients are told, and space may be freed. */
	if (rc == KMS_E_FULL || rc == KMS_E_IO)
		return KMS_OK;
	return rc;
}
