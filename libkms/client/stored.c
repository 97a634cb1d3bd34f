/*
 * stored.c - see stored.h; and what a product asks offline, kms_verify and kms_status.
 */
#include "libkms/client/stored.h"

#include <stdio.h>
#include <string.h>

#include "libkms/base/seat_status.h"
#include "libkms/client/told.h"
#include "libkms/client/trust.h"
#include "libkms/client/witness.h"
#include "libkms/kms_error.h"

#define NEXT_MAX 86400 /* seconds, of kms_next */

int
client_stored(struct kms_client *c, struct entry_client *out, struct certificate *cert)
{
	const struct state *s = c->state;
	struct publisher_keys keys;
	int rc;

	if (s->bundle_len == 0)
		return KMS_E_NO_LEASE;
	trust_stored(&keys, c);
	rc = trust_certificate(&keys, cert, s->lease_certificate, s->lease_certificate_len, 0);
	if (rc == KMS_OK)
		rc = client_pinned(c, cert);
	if (rc != KMS_OK)
		return rc;
	return trust_lease(&keys, out, s->bundle, s->bundle_len, cert, c->cmid, c->product);
}

int
client_lease(struct kms_client *c, struct entry_client *out)
{
	struct certificate cert;

	return client_stored(c, out, &cert);
}

int
kms_entitlement(struct kms_client *c, const char *key, char *value, size_t *size)
{
	struct entry_client lease;
	struct certificate cert;
	struct entitlement e;
	size_t room;
	int rc;

	if (c == NULL || key == NULL || size == NULL || (value == NULL && *size != 0))
		return KMS_E_ARGUMENT;
	if ((rc = client_refresh(c)) != KMS_OK || (rc = client_stored(c, &lease, &cert)) != KMS_OK)
		return rc;
	if (!entitlements_find(&cert.entitlements, key, &e))
		return KMS_E_NOT_FOUND;
	room = *size;
	*size = (size_t)e.value_len + 1;
	if (room < *size)
		return KMS_E_TOO_LARGE;
	memcpy(value, e.value, e.value_len);
	value[e.value_len] = '\0';
	return KMS_OK;
}

/*
 * When the host told how long to wait. For a seat that is to come back it is a hope, and a seat
 * that is given back comes sooner: such a client asks no later than at its interval.
 */
static uint32_t
retry_of(const struct state *s)
{
	uint32_t retry = told_retry(s->retry_after),
		 interval = told_interval(0, s->activation_interval);

	if (interval == 0)
		interval = LICENCE_ACTIVATION_INTERVAL;
	if (status_lacks_seat(s->last_status) && retry / 60 >= interval)
		return 0; /* the interval then */
	return retry;
}

void
client_facts(
    struct kms_client *c, struct licence_facts *out, struct certificate *cert, uint64_t now)
{
	const struct state *s = c->state;
	struct entry_client lease;

	*out = (struct licence_facts){
		.now = now,
		.highest_seen = s->highest_seen,
		.first_use = s->first_use,
		.last_attempt = s->last_attempt,
		.grace_minutes = c->grace_minutes,
		/* An earlier version of this library kept what it was told. */
		.activation_interval = told_interval(0, s->activation_interval),
		.retry_after = retry_of(s),
		.lease = client_stored(c, &lease, cert) == KMS_OK,
	};
	memcpy(out->cmid, c->cmid, sizeof(out->cmid));
	if (out->lease) {
		out->borrowed = (lease.flags & ENTRY_BORROWED) != 0;
		out->expires = lease.expires;
		out->renew_after = lease.renew_after;
	}
}

int
kms_verify(struct kms_client *c)
{
	struct entry_client lease;
	uint64_t now;
	int rc;

	if (c == NULL)
		return KMS_E_ARGUMENT;
	now = client_now(c);
	if ((rc = client_refresh(c)) != KMS_OK || (rc = client_see_time(c)) != KMS_OK ||
	    (rc = client_lease(c, &lease)) != KMS_OK)
		return rc;
	if (licence_clock_back(now, c->state->highest_seen))
		return KMS_E_CLOCK_BACK;
	if (licence_time(now, c->state->highest_seen) >= lease.expires)
		return KMS_E_LEASE_EXPIRED;
	return KMS_OK;
}

int
kms_status(struct kms_client *c, struct kms_status_info *info)
{
	struct kms_status_info full;
	struct licence_facts f;
	struct certificate cert;
	int rc;

	if (c == NULL || info == NULL || info->size < sizeof(info->size))
		return KMS_E_ARGUMENT;
	if ((rc = client_refresh(c)) == KMS_OK)
		rc = client_see_time(c);
	client_facts(c, &f, &cert, client_now(c));
	memset(&full, 0, sizeof(full));
	full.licence = licence_state(&f);
	full.expires = f.expires;
	full.renew_after = f.renew_after;
	full.next_attempt = licence_next_attempt(&f);
	full.grace_left = licence_grace_left(&f);
	full.count = c->state->count;
	full.required = c->state->required;
	full.last_status = c->state->last_status;
	full.last_exchange = c->state->last_exchange;
	memcpy(full.cmid, c->cmid, sizeof(full.cmid));
	snprintf(full.host, sizeof(full.host), "%s", c->state->host);
	full.warning = witness_evidence(c->state) ? KMS_E_HISTORY : 0;
	if (f.lease) {
		snprintf(full.customer, sizeof(full.customer), "%s", cert.customer);
		snprintf(full.group, sizeof(full.group), "%s", cert.group);
		full.borrowed = f.borrowed;
	}
	client_give(info, &full, sizeof(full));
	return rc;
}

int
kms_next(struct kms_client *c, enum kms_operation *operation)
{
	struct licence_facts f;
	struct certificate cert;
	enum kms_licence licence;
	uint64_t at;

	if (c == NULL || c->ask != NULL)
		return -1;
	(void)client_refresh(c);
	client_facts(c, &f, &cert, client_now(c));
	licence = licence_state(&f);
	if (operation != NULL)
		*operation = licence == KMS_ACTIVATED || licence == KMS_RENEWAL_DUE ? KMS_RENEW
										    : KMS_ACTIVATE;
	at = licence_next_attempt(&f);
	if (at <= f.now)
		return 0;
	return at - f.now < NEXT_MAX ? (int)(at - f.now) * 1000 : NEXT_MAX * 1000;
}
