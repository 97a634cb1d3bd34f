/*
 * seal.c - how the host's keys are protected on disk: unlocking them after a start, and sealing
 * them in another way. Somebody who guesses passphrases must wait, and then restart kmsd.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/common/log.h"
#include "libkms/base/clock.h"

#define WRONG_MAX 10 /* in a row */
#define WAIT_MAX 60  /* seconds */

static int
may_try(struct control_request *q)
{
	const struct activate *a = q->activate;
	uint64_t now = clock_seconds();

	if (a->wrong_passphrases >= WRONG_MAX) {
		snprintf(q->why, CONTROL_WHY,
		    "%u wrong passphrases in a row: no other passphrase is tried until kmsd is restarted",
		    a->wrong_passphrases);
		return KMS_E_PASSPHRASE;
	}
	if (now >= a->try_again)
		return KMS_OK;
	snprintf(q->why, CONTROL_WHY,
	    "not tried, because the previous passphrase was wrong: try again in %u seconds",
	    (unsigned)(a->try_again - now));
	return KMS_E_OVERLOAD;
}

/* 1, 2, 4 ... seconds. */
static void
note_wrong(struct control_request *q)
{
	struct activate *a = q->activate;
	unsigned wait = a->wrong_passphrases < 6 ? 1u << a->wrong_passphrases : WAIT_MAX;

	a->wrong_passphrases++;
	/* Whole seconds: add one, or the first wait might be zero. */
	a->try_again = clock_seconds() + wait + 1;
	snprintf(q->why, CONTROL_WHY,
	    "wrong passphrase; try again in %u seconds; after %u more, kmsd must be restarted",
	    wait + 1, WRONG_MAX - a->wrong_passphrases);
}

/* Tries the passphrase in that argument on the key as it is sealed now. */
static int
try_passphrase(struct control_request *q, const char *argument)
{
	struct control_field f;
	int rc;

	if (!control_argument(q, 'b', argument, &f)) {
		snprintf(q->why, CONTROL_WHY,
		    "keys/host.key is sealed with a passphrase: give the passphrase");
		return KMS_E_PASSPHRASE;
	}
	if ((rc = may_try(q)) != KMS_OK)
		return rc;
	rc = host_identity_unlock(q->activate->key, f.value, f.value_len);
	if (rc == KMS_OK) {
		q->activate->wrong_passphrases = 0;
		q->activate->try_again = 0;
	} else if (rc == KMS_E_PASSPHRASE) {
		note_wrong(q);
	} else if (rc == KMS_E_NO_MEMORY) {
		snprintf(q->why, CONTROL_WHY, "not enough memory to try a passphrase");
	}
	return rc;
}

static void
row_sealed(struct control_request *q)
{
	control_row(q->out, "sealed");
	control_text(q->out, "kind", identity_kind_name(host_identity_kind(q->activate->key)));
}

int
control_unlock(struct control_request *q)
{
	struct activate *a = q->activate;
	int rc;

	if (!host_identity_locked(a->key)) {
		snprintf(q->why, CONTROL_WHY, "the host is not locked");
		return KMS_E_EXISTS;
	}
	if ((rc = try_passphrase(q, "passphrase")) != KMS_OK)
		return rc;
	if ((rc = activate_open_exchange(a)) != KMS_OK)
		return rc;
	log_event(LOG_NOTICE, "host-unlocked", "clients are served");
	row_sealed(q);
	return activate_begin(a);
}

static bool
find_kind(const struct control_field *f, enum identity_kind *kind)
{
	for (*kind = IDENTITY_PLAIN; *kind <= IDENTITY_MACHINE; (*kind)++) {
		const char *name = identity_kind_name(*kind);

		if (strlen(name) == f->value_len && memcmp(name, f->value, f->value_len) == 0)
			return true;
	}
	return false;
}

/* What the new kind needs. */
static int
check_new(struct control_request *q, enum identity_kind kind, struct control_field *passphrase)
{
	memset(passphrase, 0, sizeof(*passphrase));
	if (kind == IDENTITY_MACHINE && q->activate->secrets.machine == NULL) {
		snprintf(q->why, CONTROL_WHY,
		    "kms.ini has no machine file: set [keys] machine_file and restart kmsd");
		return KMS_E_CONFIG;
	}
	if (kind != IDENTITY_PASSPHRASE)
		return KMS_OK;
	if (!control_argument(q, 'b', "passphrase", passphrase) || passphrase->value_len == 0 ||
	    passphrase->value_len > IDENTITY_PASSPHRASE_MAX) {
		snprintf(q->why, CONTROL_WHY, "the passphrase must have 1 to %d bytes",
		    IDENTITY_PASSPHRASE_MAX);
		return KMS_E_ARGUMENT;
	}
	return KMS_OK;
}

int
control_key_seal(struct control_request *q)
{
	struct activate *a = q->activate;
	struct control_field f, passphrase;
	enum identity_kind kind;
	int rc;

	if (!control_argument(q, 's', "kind", &f) || !find_kind(&f, &kind)) {
		snprintf(q->why, CONTROL_WHY, "kind must be no, passphrase or machine");
		return KMS_E_ARGUMENT;
	}
	if ((rc = check_new(q, kind, &passphrase)) != KMS_OK)
		return rc;
	/* The right to use the control socket is not enough to remove the passphrase. */
	if (host_identity_kind(a->key) == IDENTITY_PASSPHRASE &&
	    (rc = try_passphrase(q, "current")) != KMS_OK)
		return rc;
	rc = host_identity_seal(
	    a->key, a->state_dir, kind, passphrase.value, passphrase.value_len, &a->secrets);
	if (rc != KMS_OK) {
		snprintf(q->why, CONTROL_WHY,
		    "keys/host.key cannot be written: %s; it was not changed",
		    kms_strerror((uint32_t)rc));
		return rc;
	}
	log_event(LOG_NOTICE, "host-key-sealed", "keys/host.key is now sealed with: %s",
	    kind == IDENTITY_PLAIN ? "nothing" : identity_kind_name(kind));
	row_sealed(q);
	return KMS_OK;
}
