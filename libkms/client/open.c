/*
 * open.c - kms_open and kms_close: an object for the product, and the state file behind it.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/client.h"
#include "libkms/client/options.h"
#include "libkms/core/seal.h"
#include "libkms/kms_error.h"

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
	kms_cancel(c);
	if (c->stateless && c->seat)
		client_give_back(c);
	watch_close(c->watch);
	state_close(c->file);
	free(c->host);
	free(c->domain);
	free(c->nameserver);
	free(c->customer);
	free(c);
}
