/*
 * refusal.c - a direct-mapped table of the last recorded refusals. A collision costs one more
 * entry; the limit for all clients together applies anyway.
 */
#include "kmsd/activate/refusal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

#define ROWS 4096

struct refusals {
	struct {
		uint8_t cmid[16];
		uint64_t time;
	} rows[ROWS];
	uint64_t minute;
	unsigned recorded;
};

static const uint32_t worth_keeping[] = { KMS_E_VM_REFUSED, KMS_E_CLONE, KMS_E_CAPACITY,
	KMS_E_REVOKED, KMS_E_NOT_COVERED, KMS_E_UNKNOWN_PRODUCT, KMS_E_TIME_SKEW, KMS_E_KEY_INVALID,
	KMS_E_BINDING, KMS_E_CLASS_FULL, KMS_E_RECLAIMED, KMS_E_STATELESS, KMS_E_BORROW,
	KMS_E_BORROWED_OUT };

struct refusals *
refusals_new(void)
{
	return calloc(1, sizeof(struct refusals));
}

void
refusals_free(struct refusals *r)
{
	free(r);
}

static bool
kept(uint32_t status)
{
	for (size_t i = 0; i < sizeof(worth_keeping) / sizeof(worth_keeping[0]); i++) {
		if (worth_keeping[i] == status)
			return true;
	}
	return false;
}

bool
refusal_due(struct refusals *r, const uint8_t cmid[16], uint32_t status, uint64_t now)
{
	uint32_t at;

	if (!kept(status))
		return false;
	if (now / 60 != r->minute) {
		r->minute = now / 60;
		r->recorded = 0;
	}
	if (r->recorded >= REFUSAL_MINUTE_MAX)
		return false;
	/* A CMID is already a hash. */
	memcpy(&at, cmid, sizeof(at));
	at %= ROWS;
	if (memcmp(r->rows[at].cmid, cmid, 16) == 0 && now >= r->rows[at].time &&
	    now - r->rows[at].time < REFUSAL_SECONDS)
		return false;
	memcpy(r->rows[at].cmid, cmid, 16);
	r->rows[at].time = now;
	r->recorded++;
	return true;
}
