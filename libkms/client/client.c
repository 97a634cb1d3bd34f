/*
 * client.c - see client.h.
 */
#include "libkms/client/client.h"

#include <string.h>
#include <time.h>

#include "libkms/core/seal.h"
#include "libkms/kms_error.h"

/* Seconds the clock may run ahead of the disk: not every kms_status needs a write. */
#define SEE_EVERY 60

uint64_t
client_now(struct kms_client *c)
{
	return c->now != NULL ? c->now(c->now_arg) : (uint64_t)time(NULL);
}

int
client_pinned(const struct kms_client *c, const struct certificate *cert)
{
	if (c->customer != NULL && strcmp(c->customer, cert->customer) != 0)
		return KMS_E_PINNED;
	if (c->has_host_key && memcmp(c->host_key, cert->host_key_id, sizeof(c->host_key)) != 0)
		return KMS_E_PINNED;
	return KMS_OK;
}

int
client_refresh(struct kms_client *c)
{
	int rc;

	/* While this object asks, nobody else writes the file, and what it was told is here. */
	if (c->secret != NULL)
		return KMS_OK;
	rc = state_read(c->file, NULL);
	if (rc == KMS_OK)
		seal_cmid(c->cmid, c->state->pk);
	return rc;
}

/* Not to be able to write the time makes no lease invalid; kms(3) says what is lost. */
static int
may_go_on(int rc)
{
	return rc == KMS_E_EXISTS || rc == KMS_E_DENIED || rc == KMS_E_FULL ? KMS_OK : rc;
}

int
client_see_time(struct kms_client *c)
{
	uint64_t now = client_now(c);
	int rc;

	if (now < c->state->highest_seen + SEE_EVERY)
		return KMS_OK;
	if (c->secret != NULL) {
		c->state->highest_seen = now; /* written at the end of the request */
		return KMS_OK;
	}
	if ((rc = state_lock(c->file, NULL)) != KMS_OK)
		return may_go_on(rc);
	if (c->state->highest_seen < now) {
		c->state->highest_seen = now;
		rc = may_go_on(state_save(c->file, NULL));
	}
	state_unlock(c->file);
	return rc;
}

int
client_begin(struct kms_client *c, struct fault *fault)
{
	int rc = state_lock(c->file, fault);

	if (rc != KMS_OK)
		return rc;
	seal_cmid(c->cmid, c->state->pk);
	if ((rc = state_secret(c->file, &c->secret, fault)) != KMS_OK)
		client_end(c);
	return rc;
}

void
client_end(struct kms_client *c)
{
	c->secret = NULL;
	state_unlock(c->file);
}

void
client_give(void *out, const void *full, size_t ours)
{
	size_t size;

	memcpy(&size, out, sizeof(size));
	memcpy(out, full, size < ours ? size : ours);
	memcpy(out, &size, sizeof(size));
}
