/*
 * client.c - kms_open and kms_close: the product's options, checked and copied,
 * and the state file behind them.
 */
#include "libkms/client/client.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libkms/base/uuid.h"
#include "libkms/base/wire.h"
#include "libkms/client/machine.h"
#include "libkms/client/order.h"
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
	int rc = state_read(c->file, NULL);

	if (rc == KMS_OK)
		seal_cmid(c->cmid, c->state->pk);
	return rc;
}

int
client_see_time(struct kms_client *c)
{
	uint64_t now = client_now(c);
	int rc;

	if (now < c->state->highest_seen + SEE_EVERY)
		return KMS_OK;
	if ((rc = state_lock(c->file, NULL)) != KMS_OK)
		return rc == KMS_E_EXISTS || rc == KMS_E_DENIED ? KMS_OK : rc;
	if (c->state->highest_seen < now) {
		c->state->highest_seen = now;
		rc = state_save(c->file, NULL);
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

/* The caller's struct may be older (shorter) or newer (longer) than ours. */
static int
take_options(struct kms_options *o, const struct kms_options *from)
{
	if (from == NULL || from->size < offsetof(struct kms_options, host))
		return KMS_E_ARGUMENT;
	memset(o, 0, sizeof(*o));
	memcpy(o, from, from->size < sizeof(*o) ? from->size : sizeof(*o));
	if (o->publisher_key == NULL || o->product == NULL || o->state_file == NULL ||
	    o->state_file[0] == '\0' || o->virtual_machine < -1 || o->virtual_machine > 1)
		return KMS_E_ARGUMENT;
	return KMS_OK;
}

static int
copy_text(char **out, const char *from)
{
	if (from == NULL || from[0] == '\0')
		return KMS_OK;
	if (strlen(from) >= DISCOVER_NAME)
		return KMS_E_ARGUMENT;
	*out = strdup(from);
	return *out != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

/* The record's name: what fits of it, cut between characters. The system's own is made to follow
 * the text rule; the product's has to. */
static int
copy_name(struct kms_client *c, const char *from)
{
	char own[256] = "";
	size_t len;

	if (from == NULL) {
		if (gethostname(own, sizeof(own) - 1) != 0 || own[0] == '\0')
			return KMS_OK; /* the name is a courtesy, its absence no failure */
		from = own;
	}
	len = strlen(from);
	if (len > MESSAGE_NAME)
		for (len = MESSAGE_NAME; len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80;
		     len--)
			;
	if (from == own)
		len = wire_text_clean(own, len);
	else if (!wire_text_ok(from, len))
		return KMS_E_ARGUMENT;
	memcpy(c->name, from, len);
	return KMS_OK;
}

/* An empty pin would be none, and nobody would notice. */
static int
copy_pins(struct kms_client *c, const struct kms_options *o)
{
	size_t len = o->customer == NULL ? 0 : strlen(o->customer);

	if (o->host_key != NULL) {
		if (!uuid_parse(c->host_key, o->host_key))
			return KMS_E_FORMAT;
		c->has_host_key = true;
	}
	if (o->customer == NULL)
		return KMS_OK;
	if (len == 0 || len > CERTIFICATE_CUSTOMER || !wire_text_ok(o->customer, len))
		return KMS_E_ARGUMENT;
	c->customer = strdup(o->customer);
	return c->customer != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

static int
fill(struct kms_client *c, const struct kms_options *o)
{
	struct discover_host fixed;
	int rc;

	if ((rc = minisig_key_parse(&c->publisher, o->publisher_key)) != KMS_OK ||
	    (rc = uuid_parse(c->product, o->product) ? KMS_OK : KMS_E_FORMAT) != KMS_OK ||
	    (rc = copy_text(&c->host, o->host)) != KMS_OK ||
	    (rc = copy_text(&c->domain, o->domain)) != KMS_OK ||
	    (rc = copy_text(&c->nameserver, o->nameserver)) != KMS_OK ||
	    (rc = copy_name(c, o->name)) != KMS_OK || (rc = copy_pins(c, o)) != KMS_OK)
		return rc;
	if (c->host != NULL && discover_parse(&fixed, c->host, KMS_PORT) != KMS_OK)
		return KMS_E_ARGUMENT;
	c->virtual_machine =
	    o->virtual_machine < 0 ? machine_is_virtual("") : o->virtual_machine != 0;
	c->grace_minutes = o->grace_minutes;
	c->connect_timeout = o->connect_timeout ? o->connect_timeout : CLIENT_CONNECT_TIMEOUT;
	c->reply_timeout = o->reply_timeout ? o->reply_timeout : CLIENT_REPLY_TIMEOUT;
	c->total_timeout = o->total_timeout ? o->total_timeout : CLIENT_TOTAL_TIMEOUT;
	c->now = o->now;
	c->now_arg = o->now_arg;
	return KMS_OK;
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
	if ((rc = fill(c, o)) != KMS_OK ||
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
	if ((rc = take_options(&o, options)) != KMS_OK)
		return rc;
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
