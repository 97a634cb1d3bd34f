/*
 * client.c - kms_open and kms_close: an object for the product, and the state file behind it.
 */
#include "libkms/client/client.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libkms/base/wire.h"
#include "libkms/client/options.h"
#include "libkms/core/seal.h"
#include "libkms/kms_error.h"

/* Seconds the clock may run ahead of the disk: not every kms_status needs a write. */
#define SEE_EVERY 60
/* Milliseconds: a process that only remembers the time has the lock no longer. */
#define PATIENCE 1000

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
	int rc = state_read(c->file, NULL);

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
	if ((rc = state_lock(c->file, 0, NULL)) != KMS_OK)
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
	int rc = state_lock(c->file, PATIENCE, fault);

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

static int
open_client(struct kms_client **out, const struct kms_options *o, struct fault *fault)
{
	struct kms_client *c;
	int rc;

	if (sodium_init() < 0) /* safe to repeat, and from several threads */
		return KMS_E_NO_MEMORY;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = options_copy(c, o, fault)) != KMS_OK ||
	    (rc = state_open(&c->file, &c->state, o->state_file, client_now(c), fault)) != KMS_OK) {
		kms_close(c);
		return rc;
	}
	seal_cmid(c->cmid, c->state->pk);
	*out = c;
	return KMS_OK;
}

int
kms_open(struct kms_client **out, const struct kms_options *options)
{
	struct fault fault = { 0 };
	struct kms_options o;
	int rc;

	if (out == NULL)
		return KMS_E_ARGUMENT;
	*out = NULL;
	if ((rc = options_take(&o, options, &fault)) == KMS_OK)
		rc = open_client(out, &o, &fault);
	if (o.detail != NULL && o.detail_size > 0) {
		snprintf(o.detail, o.detail_size, "%s", rc == KMS_OK ? "" : fault_text(&fault, rc));
		o.detail[wire_text_clean(o.detail, strlen(o.detail))] = '\0';
	}
	return rc;
}

void
kms_close(struct kms_client *c)
{
	if (c == NULL)
		return;
	state_close(c->file);
	free(c->host);
	free(c->domain);
	free(c->nameserver);
	free(c->customer);
	free(c);
}
