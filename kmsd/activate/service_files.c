/*
 * service_files.c - signatures are verified again at every start: whoever can
 * write to the state directory can take service away, but not widen it.
 */
#include "kmsd/activate/service_files.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/log.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define VERSION_MAX 15

void
service_key_path(char out[SERVICE_PATH], const uint8_t key_id[16])
{
	char uuid[37];

	uuid_format(uuid, key_id);
	snprintf(out, SERVICE_PATH, "keys/%s.kmskey", uuid);
}

void
service_certificate_path(char out[SERVICE_PATH], const uint8_t publisher[8])
{
	char hex[17];

	hex_format(hex, publisher, 8);
	snprintf(out, SERVICE_PATH, "certs/%s.kmscert", hex);
}

void
service_policy_path(char out[SERVICE_PATH], const uint8_t publisher[8], const char *version)
{
	char hex[17];

	hex_format(hex, publisher, 8);
	if (version == NULL)
		snprintf(out, SERVICE_PATH, "policy/%s", hex);
	else
		snprintf(out, SERVICE_PATH, "policy/%s/%s.kmspolicy", hex, version);
}

void
service_rotation_path(char out[SERVICE_PATH], const uint8_t publisher[8])
{
	char hex[17];

	hex_format(hex, publisher, 8);
	snprintf(out, SERVICE_PATH, "rotations/%s.kmsrotate", hex);
}

void
service_revocations_path(char out[SERVICE_PATH], const uint8_t publisher[8], uint64_t number)
{
	char hex[17];

	hex_format(hex, publisher, 8);
	snprintf(out, SERVICE_PATH, "revoked/%s-%llu.kmsrevoked", hex, (unsigned long long)number);
}

void
service_policy_current(char out[SERVICE_PATH], const uint8_t publisher[8])
{
	char hex[17];

	hex_format(hex, publisher, 8);
	snprintf(out, SERVICE_PATH, "policy/%s/current", hex);
}

int
service_verify(const struct minisig_key *key, bool host_key, const uint8_t *file, size_t len,
    const uint8_t *signature, size_t signature_len)
{
	int rc = minisig_verify(key, file, len, (const char *)signature, signature_len, NULL, 0);

	if (rc == KMS_E_FORMAT && host_key)
		rc = minisig_verify_plain(key, file, len, (const char *)signature, signature_len);
	return rc;
}

/* The file, when its signature is the publisher's. KMS_E_PUBLISHER: another's, not ours to judge.
 */
static int
read_signed(const struct service *s, const struct service_publisher *p, bool host_key,
    const char *path, uint8_t **file, size_t *len)
{
	char sig_path[SERVICE_PATH + 16];
	uint8_t *sig = NULL;
	size_t sig_len;
	int rc;

	*file = NULL;
	snprintf(sig_path, sizeof(sig_path), "%s.minisig", path);
	if ((rc = file_read(s->dirfd, path, FILE_OURS, PACK_MAX, (char **)file, len)) == KMS_OK &&
	    (rc = file_read(s->dirfd, sig_path, FILE_OURS, SERVICE_SIGNATURE_MAX, (char **)&sig,
		 &sig_len)) == KMS_OK)
		rc = service_verify(&p->key, host_key, *file, *len, sig, sig_len);
	if (rc == KMS_E_PUBLISHER && p->rotated && sig != NULL)
		rc = service_verify(
		    rotation_other(&p->rotation, &p->key), host_key, *file, *len, sig, sig_len);
	free(sig);
	if (rc != KMS_OK) {
		free(*file);
		*file = NULL;
	}
	return rc;
}

static void
complain(const char *path, int status, const char *detail)
{
	log_event(LOG_ERR, "file-refused", "%s: %s%s%s; install it again", path,
	    kms_strerror(status), *detail ? ": " : "", detail);
}

struct key_walk {
	struct service *service;
	struct service_publisher *publisher;
};

static int
load_key(const char *name, void *arg)
{
	struct key_walk *walk = arg;
	struct service_publisher *p = walk->publisher;
	struct fault err = { 0 };
	char path[SERVICE_PATH];
	uint8_t *file;
	size_t len;
	int rc;

	if (p->key_count == SERVICE_KEYS)
		return KMS_OK;
	snprintf(path, sizeof(path), "keys/%.100s", name);
	rc = read_signed(walk->service, p, true, path, &file, &len);
	if (rc == KMS_OK)
		rc = host_key_parse(&p->keys[p->key_count], (const char *)file, len, &err);
	free(file);
	if (rc == KMS_OK && service_signer(p, p->keys[p->key_count].publisher) != NULL)
		p->key_count++;
	else if (rc != KMS_OK && rc != KMS_E_PUBLISHER)
		complain(path, rc, err.text);
	return KMS_OK;
}

/*
 * The certificate carries the publisher's signature inside, so the one beside
 * the file is not asked again: the two files are not replaced in one step.
 */
static void
load_certificate(struct service *s, struct service_publisher *p)
{
	struct fault err = { 0 };
	char path[SERVICE_PATH];
	uint8_t *file;
	size_t len;
	int rc;

	service_certificate_path(path, p->key.id);
	if ((rc = file_read(s->dirfd, path, FILE_OURS, PACK_MAX, (char **)&file, &len)) ==
	    KMS_E_NOT_FOUND)
		return;
	if (rc == KMS_OK) {
		rc = certificate_file_parse(p->certificate_octets, sizeof(p->certificate_octets),
		    &p->certificate_len, (const char *)file, len, &err);
		free(file);
	}
	if (rc == KMS_OK)
		rc = certificate_verify(&p->certificate, p->certificate_octets, p->certificate_len,
		    p->key.id, p->key.pk);
	if (rc == KMS_E_PUBLISHER && p->rotated) {
		const struct minisig_key *other = rotation_other(&p->rotation, &p->key);

		rc = certificate_verify(&p->certificate, p->certificate_octets, p->certificate_len,
		    other->id, other->pk);
	}
	if (rc == KMS_OK && memcmp(p->certificate.host_id, host_identity_id(s->key), 16) != 0)
		rc = KMS_E_UNKNOWN_HOST;
	if (rc == KMS_OK)
		p->confirmed = true;
	else
		complain(path, rc, err.text);
}

static bool
version_ok(const char *version)
{
	size_t n = strlen(version);

	if (n == 0 || n > VERSION_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)version[i]) && version[i] != '.')
			return false;
	}
	return true;
}

int
service_pack_read(const struct service *s, const struct service_publisher *p, const char *version,
    struct policy_pack **out, struct fault *err)
{
	char path[SERVICE_PATH];
	uint8_t *file = NULL;
	size_t len;
	int rc;

	*out = NULL;
	service_policy_path(path, p->key.id, version);
	if ((rc = read_signed(s, p, false, path, &file, &len)) != KMS_OK)
		return rc;
	if ((*out = malloc(sizeof **out)) == NULL)
		rc = KMS_E_NO_MEMORY;
	else
		rc = policy_pack_parse(*out, (const char *)file, len, err);
	free(file);
	if (rc != KMS_OK) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

static void
load_policy(struct service *s, struct service_publisher *p)
{
	struct fault err = { 0 };
	char path[SERVICE_PATH];
	uint8_t *version = NULL;
	size_t len;
	int rc;

	service_policy_current(path, p->key.id);
	if ((rc = file_read(s->dirfd, path, FILE_OURS, VERSION_MAX + 1, (char **)&version, &len)) ==
	    KMS_E_NOT_FOUND)
		return;
	if (rc == KMS_OK) {
		version[strcspn((char *)version, "\n")] = 0;
		rc = version_ok((char *)version) ? KMS_OK : KMS_E_FORMAT;
	}
	if (rc == KMS_OK) {
		service_policy_path(path, p->key.id, (char *)version);
		rc = service_pack_read(s, p, (char *)version, &p->pack, &err);
	}
	free(version);
	if (rc != KMS_OK)
		complain(path, rc, err.text);
}

/* The newest list that verifies; one that does not is another publisher's or damaged. */
static int
load_revocations(const char *name, void *arg)
{
	struct key_walk *walk = arg;
	struct service_publisher *p = walk->publisher;
	struct revocation_list *list = NULL;
	struct fault err = { 0 };
	char path[SERVICE_PATH], hex[17];
	uint8_t *file = NULL;
	size_t len;
	int rc;

	hex_format(hex, p->key.id, 8);
	if (strncmp(name, hex, 16) != 0)
		return KMS_OK;
	snprintf(path, sizeof(path), "revoked/%.100s", name);
	rc = read_signed(walk->service, p, false, path, &file, &len);
	if (rc == KMS_OK && (list = malloc(sizeof(*list))) == NULL)
		rc = KMS_E_NO_MEMORY;
	if (rc == KMS_OK)
		rc = revocation_list_parse(list, (const char *)file, len, &err);
	free(file);
	if (rc != KMS_OK)
		complain(path, rc, err.text);
	else if (p->revocations == NULL || list->number > p->revocations->number) {
		free(p->revocations);
		p->revocations = list;
		return KMS_OK;
	}
	free(list);
	return KMS_OK;
}

void
service_files_load(struct service *s, struct service_publisher *p)
{
	struct key_walk walk = { s, p };
	int rc;

	if ((rc = service_load_rotation(s, p)) != KMS_OK)
		complain("rotations", rc, "");
	if (file_each(s->dirfd, "keys", ".kmskey", load_key, &walk) != KMS_OK)
		complain("keys", KMS_E_IO, "");
	load_certificate(s, p);
	load_policy(s, p);
	if (file_each(s->dirfd, "revoked", ".kmsrevoked", load_revocations, &walk) != KMS_OK)
		complain("revoked", KMS_E_IO, "");
	service_update_revoked(p);
	for (unsigned i = 0; p->confirmed && p->pack != NULL && i < p->pack->product_count; i++)
		p->covered[i] = certificate_covers(&p->certificate, p->pack->products[i].id);
}
