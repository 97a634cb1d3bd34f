/*
 * service_rotation.c - a publisher's key that gives way to another. The publisher stays the one of
 * kms.ini, with its counts and its place in the journal; it only has a second key. The times
 * bind what is installed; what was installed in its time stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/service_files.h"
#include "libkms/kms_error.h"
#include "policy/rotation_file.h"

const struct minisig_key *
service_signer(const struct service_publisher *p, const uint8_t id[8])
{
	const struct minisig_key *other;

	if (memcmp(p->key.id, id, 8) == 0)
		return &p->key;
	if (!p->rotated)
		return NULL;
	other = rotation_other(&p->rotation, &p->key);
	return memcmp(other->id, id, 8) == 0 ? other : NULL;
}

int
service_check_time(
    const struct service_publisher *p, const struct minisig_key *key, uint64_t now, char why[256])
{
	if (!p->rotated || rotation_accepts(&p->rotation, key, now))
		return KMS_OK;
	snprintf(why, 256, "publisher %s signed this with its %s", p->name,
	    memcmp(key, &p->rotation.old, sizeof(*key)) == 0
		? "old key, which is no longer accepted"
		: "new key, which is not yet accepted");
	return KMS_E_PUBLISHER;
}

static struct service_publisher *
find(struct service *s, const struct rotation *r)
{
	for (unsigned i = 0; i < s->count; i++)
		if (rotation_other(r, &s->publishers[i].key) != NULL)
			return &s->publishers[i];
	return NULL;
}

/* Another publisher of this host has the id that would become this one's. */
static bool
taken(const struct service *s, const struct service_publisher *p, const uint8_t id[8])
{
	for (unsigned i = 0; i < s->count; i++)
		if (&s->publishers[i] != p && service_signer(&s->publishers[i], id) != NULL)
			return true;
	return false;
}

int
service_check_rotation(struct service *s, struct service_candidate *c, char why[256])
{
	struct rotation *r = &c->rotation;
	struct fault err = { 0 };
	int rc;

	if (c->file_len > PACK_MAX || c->signature_len > SERVICE_SIGNATURE_MAX) {
		snprintf(why, 256, "the file is too large");
		return KMS_E_TOO_LARGE;
	}
	rc = rotation_file_parse(r, c->rotation_octets, (const char *)c->file, c->file_len, &err);
	if (rc != KMS_OK) {
		snprintf(why, 256, "key rotation, line %d: %.200s", err.line, err.text);
		return rc;
	}
	if ((c->publisher = find(s, r)) == NULL) {
		snprintf(
		    why, 256, "neither the old nor the new key belongs to a publisher in kms.ini");
		return KMS_E_PUBLISHER;
	}
	rc = service_verify(&r->old, false, c->file, c->file_len, c->signature, c->signature_len);
	if (rc != KMS_OK) {
		snprintf(
		    why, 256, "the .minisig file is not a signature of this file by the old key");
		return rc;
	}
	if (taken(s, c->publisher, rotation_other(r, &c->publisher->key)->id)) {
		snprintf(why, 256, "another publisher in kms.ini has a key with that id");
		return KMS_E_EXISTS;
	}
	if (!c->publisher->rotated)
		return KMS_OK;
	if (memcmp(c->rotation_octets, c->publisher->rotation_octets, ROTATION_SIZE) == 0)
		snprintf(why, 256, "this key rotation is already installed");
	else
		snprintf(why, 256,
		    "publisher %s already has a key rotation: put the newer key into kms.ini first",
		    c->publisher->name);
	return KMS_E_EXISTS;
}

int
service_load_rotation(struct service *s, struct service_publisher *p)
{
	struct fault err = { 0 };
	char path[SERVICE_PATH];
	uint8_t *file;
	size_t len;
	int rc;

	service_rotation_path(path, p->key.id);
	if ((rc = file_read(s->dirfd, path, FILE_OURS, PACK_MAX, (char **)&file, &len)) != KMS_OK)
		return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
	/* Its own signatures inside are enough: they are over all that counts. */
	rc = rotation_file_parse(&p->rotation, p->rotation_octets, (const char *)file, len, &err);
	free(file);
	if (rc == KMS_OK && rotation_other(&p->rotation, &p->key) == NULL)
		rc = KMS_E_PUBLISHER;
	p->rotated = rc == KMS_OK;
	return rc;
}
