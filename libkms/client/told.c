/*
 * told.c - see told.h.
 */
#include "libkms/client/told.h"

#include "libkms/kms_error.h"

int
told_status(uint32_t status)
{
	return status < KMS_E_LOCAL ? KMS_OK : KMS_E_FORMAT;
}

int
told_sequence(uint64_t highest, uint64_t used)
{
	return highest >= used && highest - used <= TOLD_LEAP && highest < TOLD_SEQUENCE_END
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

static uint32_t
at_most(uint32_t value, uint32_t max)
{
	return value < max ? value : max;
}

uint32_t
told_retry(uint32_t seconds)
{
	return at_most(seconds, TOLD_RETRY_MAX);
}

uint32_t
told_interval(uint32_t minutes, uint32_t before)
{
	return at_most(minutes > 0 ? minutes : before, TOLD_INTERVAL_MAX);
}

int
told_lease(const struct entry_client *e)
{
	/* Differences, since a sum may wrap. A lease ends after its time (entry.h). */
	if (e->expires - e->time > TOLD_LIFE_MAX)
		return KMS_E_FORMAT;
	return e->renew_after <= e->time || e->renew_after - e->time <= TOLD_RENEWAL_MAX
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

bool
told_replaces(uint64_t now, uint64_t expires, uint64_t stored)
{
	if (expires >= stored || now >= stored)
		return true;
	return expires > now && expires - now >= TOLD_LIFE_LEAST;
}
