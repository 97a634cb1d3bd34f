/*
 * service_install.c - a key, certificate or policy pack on its way in: checked
 * against the publishers of the ini file, stored, adopted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/service.h"
#include "kmsd/activate/service_files.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

static int
check_signature(struct service *s, struct service_candidate *c, uint64_t now, char why[256])
{
	const struct minisig_key *key = NULL;
	int rc = KMS_E_PUBLISHER;

	if (s->count == 0) {
		snprintf(why, 256,
		    "no publisher is configured: add a [publisher NAME] section with its key to kms.ini and reload");
		return rc;
	}
	if (c->file_len > PACK_MAX || c->signature_len > SERVICE_SIGNATURE_MAX) {
		snprintf(why, 256, "the file is too large");
		return KMS_E_TOO_LARGE;
	}
	for (unsigned i = 0; i < s->count && rc == KMS_E_PUBLISHER; i++) {
		c->publisher = &s->publishers[i];
		key = &c->publisher->key;
		rc = service_verify(key, c->kind == SERVICE_KEY, c->file, c->file_len, c->signature,
		    c->signature_len);
		if (rc != KMS_E_PUBLISHER || !c->publisher->rotated)
			continue;
		key = rotation_other(&c->publisher->rotation, key);
		rc = service_verify(key, c->kind == SERVICE_KEY, c->file, c->file_len, c->signature,
		    c->signature_len);
	}
	if (rc == KMS_E_PUBLISHER)
		snprintf(
		    why, 256, "not signed by any configured publisher (%u in kms.ini)", s->count);
	else if (rc == KMS_E_SIGNATURE)
		snprintf(why, 256,
		    "the signature does not fit this file: the file was changed after publisher %s signed it",
		    c->publisher->name);
	else if (rc != KMS_OK)
		snprintf(why, 256, "the .minisig file is not a minisign signature");
	return rc == KMS_OK ? service_check_time(c->publisher, key, now, why) : rc;
}

static void
explain(char why[256], const char *what, const struct fault *err)
{
	if (err->line > 0)
		snprintf(why, 256, "%s, line %d: %.200s", what, err->line, err->text);
	else
		snprintf(why, 256, "%s: %.200s", what, err->text);
}

/*
 * Keys are stored under their UUID, whichever publisher signed them: one publisher cannot replace
 * another's.
 */
static bool
key_of_another(const struct service *s, const struct service_candidate *c)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (&s->publishers[i] != c->publisher &&
		    service_key(&s->publishers[i], c->key.id) != NULL)
			return true;
	}
	return false;
}

static int
check_key(const struct service *s, struct service_candidate *c, uint64_t now, char why[256])
{
	struct fault err = { 0 };
	int rc = host_key_parse(&c->key, (const char *)c->file, c->file_len, &err);

	if (rc != KMS_OK) {
		explain(why, "host key", &err);
		return rc;
	}
	if (service_signer(c->publisher, c->key.publisher) == NULL) {
		snprintf(
		    why, 256, "the host key names another publisher than the one that signed it");
		return KMS_E_KEY_INVALID;
	}
	if (c->key.not_after < now) {
		snprintf(why, 256, "the host key has expired: ask publisher %s for a new one",
		    c->publisher->name);
		return KMS_E_KEY_EXPIRED;
	}
	if ((rc = service_check_revoked(
		 c->publisher, c->key.id, host_identity_id(s->key), 0, why)) != KMS_OK)
		return rc;
	if (service_key(c->publisher, c->key.id) != NULL) {
		snprintf(why, 256, "this host key is already installed");
		return KMS_E_EXISTS;
	}
	if (key_of_another(s, c)) {
		snprintf(why, 256,
		    "a host key of another publisher has this id: ask publisher %s for another key",
		    c->publisher->name);
		return KMS_E_EXISTS;
	}
	if (c->publisher->key_count == SERVICE_KEYS) {
		snprintf(why, 256, "%d host keys of this publisher are installed: remove one first",
		    SERVICE_KEYS);
		return KMS_E_LIMIT;
	}
	return KMS_OK;
}

static int
check_against_host(
    const struct service *s, const struct service_candidate *c, uint64_t now, char why[256])
{
	const struct certificate *cert = &c->certificate;
	const struct service_publisher *p = c->publisher;
	int rc;

	if (memcmp(cert->sign_pk, host_identity_sign_pk(s->key), 32) != 0 ||
	    memcmp(cert->kx_pk, host_identity_kx_pk(s->key), 32) != 0) {
		snprintf(why, 256,
		    "this confirmation is for another host: it names other host identity keys (compare kmsctl key request)");
		return KMS_E_UNKNOWN_HOST;
	}
	if ((rc = service_check_revoked(p, cert->host_key_id, cert->host_id, cert->serial, why)) !=
	    KMS_OK)
		return rc;
	if (service_key(p, cert->host_key_id) == NULL) {
		snprintf(why, 256,
		    "the host key for this confirmation is not installed: run kmsctl key install first");
		return KMS_E_NOT_ENABLED;
	}
	if (cert->not_after < now) {
		snprintf(why, 256, "the confirmation has expired: send a new kmsctl key request");
		return KMS_E_KEY_EXPIRED;
	}
	if (!p->confirmed)
		return KMS_OK;
	if (c->certificate_len == p->certificate_len &&
	    memcmp(c->certificate_octets, p->certificate_octets, p->certificate_len) == 0) {
		snprintf(why, 256, "this confirmation is already installed");
		return KMS_E_EXISTS;
	}
	if (cert->issued < p->certificate.issued) {
		snprintf(why, 256, "this confirmation is older than the installed one");
		return KMS_E_OLDER;
	}
	return KMS_OK;
}

static int
check_certificate(struct service *s, struct service_candidate *c, uint64_t now, char why[256])
{
	struct fault err = { 0 };
	int rc = certificate_file_parse(c->certificate_octets, sizeof(c->certificate_octets),
	    &c->certificate_len, (const char *)c->file, c->file_len, &err);

	if (rc != KMS_OK) {
		explain(why, "host certificate", &err);
		return rc;
	}
	rc = certificate_verify(&c->certificate, c->certificate_octets, c->certificate_len,
	    c->publisher->key.id, c->publisher->key.pk);
	if (rc == KMS_E_PUBLISHER && c->publisher->rotated) {
		const struct minisig_key *other =
		    rotation_other(&c->publisher->rotation, &c->publisher->key);

		rc = certificate_verify(&c->certificate, c->certificate_octets, c->certificate_len,
		    other->id, other->pk);
	}
	if (rc == KMS_E_SIGNATURE && c->code != NULL) {
		snprintf(why, 256,
		    "the code belongs to another host, host key or policy pack: the publisher's signature does not fit those of this host");
		return rc;
	}
	if (rc != KMS_OK) {
		snprintf(why, 256, "host certificate: %s", kms_strerror((uint32_t)rc));
		return rc;
	}
	return check_against_host(s, c, now, why);
}

/* "1.0 or 1.1" */
static void
list_versions(char *out, size_t size, const char list[][16], unsigned count)
{
	size_t n = 0;

	out[0] = 0;
	for (unsigned i = 0; i < count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? " or " : "", list[i]);
}

/* Why the pack may not follow old (NULL: nothing). */
static void
explain_order(
    char why[256], int status, const struct policy_pack *new, const struct policy_pack *old)
{
	char needs[100];

	list_versions(needs, sizeof(needs), new->requires_any, new->requires_count);
	if (old == NULL)
		snprintf(why, 256, "%.64s %u.%u needs %s: install that first", new->id, new->major,
		    new->minor, needs);
	else if (strcmp(new->id, old->id) != 0)
		snprintf(why, 256,
		    "the pack has the id %.64s, but %.64s %u.%u is installed: all packs of a publisher must have the same id",
		    new->id, old->id, old->major, old->minor);
	else if (status == KMS_E_PREREQUISITE)
		snprintf(why, 256, "%.64s %u.%u needs %s, but %u.%u is installed", new->id,
		    new->major, new->minor, needs, old->major, old->minor);
	else if (status == KMS_E_OLDER)
		snprintf(why, 256, "%.64s %u.%u is older than the installed %u.%u", new->id,
		    new->major, new->minor, old->major, old->minor);
	else
		snprintf(
		    why, 256, "%.64s %u.%u is already installed", new->id, new->major, new->minor);
}

static int
check_products(const struct service *s, const struct service_candidate *c, char why[256])
{
	for (unsigned i = 0; i < c->pack->product_count; i++) {
		const struct policy_product *product = &c->pack->products[i];
		const struct service_publisher *other =
		    service_claims(s, c->publisher, product->id);
		char id[37];

		if (other == NULL)
			continue;
		uuid_format(id, product->id);
		snprintf(why, 256,
		    "product %s (%s) belongs to publisher %s, whose installed pack names it too",
		    id, product->name, other->name);
		return KMS_E_EXISTS;
	}
	return KMS_OK;
}

static int
check_policy(const struct service *s, struct service_candidate *c, char why[256])
{
	const struct policy_pack *old = c->publisher->pack;
	struct fault err = { 0 };
	int rc;

	if ((c->pack = malloc(sizeof(*c->pack))) == NULL) {
		snprintf(why, 256, "out of memory");
		return KMS_E_NO_MEMORY;
	}
	if ((rc = policy_pack_parse(c->pack, (const char *)c->file, c->file_len, &err)) != KMS_OK) {
		explain(why, "policy pack", &err);
		return rc;
	}
	if ((rc = policy_pack_succeeds(c->pack, old)) != KMS_OK) {
		explain_order(why, rc, c->pack, old);
		return rc;
	}
	return check_products(s, c, why);
}

int
service_check(struct service *s, struct service_candidate *c, uint64_t now, char why[256])
{
	int rc;

	if (c->kind == SERVICE_ROTATION)
		return service_check_rotation(s, c, why);
	rc = c->code != NULL ? service_from_code(s, c, why) : check_signature(s, c, now, why);
	if (rc != KMS_OK)
		return rc;
	if (c->kind == SERVICE_KEY)
		return check_key(s, c, now, why);
	if (c->kind == SERVICE_CERTIFICATE)
		return check_certificate(s, c, now, why);
	if (c->kind == SERVICE_REVOCATIONS)
		return service_check_revocations(c, why);
	return check_policy(s, c, why);
}

/* The signature first: a file is only ever there with its signature beside it. */
static int
store_signed(struct service *s, const struct service_candidate *c, const char *path)
{
	char sig_path[SERVICE_PATH + 16];
	int rc;

	snprintf(sig_path, sizeof(sig_path), "%s.minisig", path);
	if (c->code != NULL) /* the certificate has its own signature inside, and no other */
		rc = file_remove(s->dirfd, sig_path);
	else
		rc = file_write(s->dirfd, sig_path, c->signature, c->signature_len, 0600, true);
	if (rc != KMS_OK)
		return rc;
	return file_write(s->dirfd, path, c->file, c->file_len, 0600, true);
}

static int
store_policy(struct service *s, const struct service_candidate *c)
{
	const uint8_t *id = c->publisher->key.id;
	char path[SERVICE_PATH], version[16];
	int rc;

	snprintf(version, sizeof(version), "%u.%u", c->pack->major, c->pack->minor);
	service_policy_path(path, id, NULL);
	if ((rc = file_make_dir(s->dirfd, "policy", 0700)) != KMS_OK ||
	    (rc = file_make_dir(s->dirfd, path, 0700)) != KMS_OK)
		return rc;
	service_policy_path(path, id, version);
	if ((rc = store_signed(s, c, path)) != KMS_OK)
		return rc;
	service_policy_current(path, id);
	return file_write(s->dirfd, path, version, strlen(version), 0600, true);
}

/* Each list under its own name: a crash while one is written must not take away the one before. */
static int
store_revocations(struct service *s, const struct service_candidate *c)
{
	char path[SERVICE_PATH];
	int rc;

	if ((rc = file_make_dir(s->dirfd, "revoked", 0700)) != KMS_OK)
		return rc;
	service_revocations_path(path, c->publisher->key.id, c->revocations->number);
	return store_signed(s, c, path);
}

int
service_store(struct service *s, const struct service_candidate *c)
{
	char path[SERVICE_PATH];
	int rc;

	if (c->kind == SERVICE_POLICY)
		return store_policy(s, c);
	if (c->kind == SERVICE_REVOCATIONS)
		return store_revocations(s, c);
	if (c->kind == SERVICE_ROTATION) {
		service_rotation_path(path, c->publisher->key.id);
		rc = file_make_dir(s->dirfd, "rotations", 0700);
		return rc == KMS_OK ? store_signed(s, c, path) : rc;
	}
	if (c->kind == SERVICE_KEY)
		service_key_path(path, c->key.id);
	else
		service_certificate_path(path, c->publisher->key.id);
	if ((rc = file_make_dir(s->dirfd, c->kind == SERVICE_KEY ? "keys" : "certs", 0700)) !=
	    KMS_OK)
		return rc;
	return store_signed(s, c, path);
}

void
service_adopt(struct service_candidate *c)
{
	struct service_publisher *p = c->publisher;

	if (c->kind == SERVICE_KEY) {
		p->keys[p->key_count++] = c->key;
		return;
	}
	if (c->kind == SERVICE_ROTATION) {
		p->rotation = c->rotation;
		memcpy(p->rotation_octets, c->rotation_octets, ROTATION_SIZE);
		p->rotated = true;
		return;
	}
	if (c->kind == SERVICE_REVOCATIONS) {
		free(p->revocations);
		p->revocations = c->revocations;
		c->revocations = NULL;
		service_update_revoked(p);
		return;
	}
	if (c->kind == SERVICE_CERTIFICATE) {
		p->certificate = c->certificate;
		memcpy(p->certificate_octets, c->certificate_octets, c->certificate_len);
		p->certificate_len = c->certificate_len;
		p->confirmed = true;
		service_update_revoked(p);
	} else {
		free(p->pack);
		p->pack = c->pack;
		c->pack = NULL;
	}
	memset(p->covered, 0, sizeof(p->covered));
	for (unsigned i = 0; p->confirmed && p->pack != NULL && i < p->pack->product_count; i++)
		p->covered[i] = certificate_covers(&p->certificate, p->pack->products[i].id);
}

void
service_candidate_free(struct service_candidate *c)
{
	free(c->pack);
	free(c->text);
	free(c->revocations);
	c->revocations = NULL;
	c->pack = NULL;
	c->text = NULL;
}
