/*
 * installed.c - reading policy/ and certs/ of the state directory. A file that does not verify is
 * an error here: a forecast that rests on less than kmsd has would be wrong.
 */
#include "kmsctl/installed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/kmsctl.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"
#include "policy/rotation_file.h"

#define PATH_SIZE 160

/* Whole file, malloc'd and terminated. KMS_E_NOT_FOUND, KMS_E_DENIED, KMS_E_TOO_LARGE, KMS_E_IO,
 * KMS_E_NO_MEMORY. */
static int
read_at(int dirfd, const char *path, char **out, size_t *len)
{
	/* A FIFO would be waited for. */
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *data;
	ssize_t n = 1;

	*out = NULL;
	if (fd < 0)
		return errno == ENOENT   ? KMS_E_NOT_FOUND
		       : errno == EACCES ? KMS_E_DENIED
					 : KMS_E_IO;
	data = malloc(PACK_MAX + 2);
	*len = 0;
	while (data != NULL && n > 0 && *len <= PACK_MAX) {
		n = read(fd, data + *len, PACK_MAX + 1 - *len);
		if (n > 0)
			*len += (size_t)n;
	}
	close(fd);
	if (data == NULL)
		return KMS_E_NO_MEMORY;
	if (n < 0 || *len > PACK_MAX) {
		free(data);
		return n < 0 ? KMS_E_IO : KMS_E_TOO_LARGE;
	}
	data[*len] = '\0';
	*out = data;
	return KMS_OK;
}

static int
verify_with(const struct minisig_key *key, bool host_key, const void *file, size_t len,
    const char *signature, size_t signature_len)
{
	int rc = minisig_verify(key, file, len, signature, signature_len, NULL, 0);

	/* A key that was typed as a code has no more than the signature itself. */
	if (rc == KMS_E_FORMAT && host_key)
		rc = minisig_verify_plain(key, file, len, signature, signature_len);
	return rc;
}

int
installed_verify(const struct installed *in, bool host_key, const void *file, size_t len,
    const char *signature, size_t signature_len, const struct minisig_key **signer)
{
	int rc = verify_with(&in->key, host_key, file, len, signature, signature_len);

	*signer = &in->key;
	if (rc == KMS_E_PUBLISHER && in->rotated) {
		*signer = rotation_other(&in->rotation, &in->key);
		rc = verify_with(*signer, host_key, file, len, signature, signature_len);
	}
	return rc;
}

int
installed_verify_certificate(
    const struct installed *in, struct certificate *out, const uint8_t *octets, size_t len)
{
	const struct minisig_key *other;
	int rc = certificate_verify(out, octets, len, in->key.id, in->key.pk);

	if (rc == KMS_E_PUBLISHER && in->rotated) {
		other = rotation_other(&in->rotation, &in->key);
		rc = certificate_verify(out, octets, len, other->id, other->pk);
	}
	return rc;
}

/* The file with its signature beside it. */
static int
read_signed(const struct installed *in, int dirfd, const char *path, bool host_key, char **file,
    size_t *len)
{
	char name[PATH_SIZE + 16], *signature = NULL;
	const struct minisig_key *signer;
	size_t signature_len;
	int rc;

	snprintf(name, sizeof(name), "%s.minisig", path);
	if ((rc = read_at(dirfd, path, file, len)) == KMS_OK &&
	    (rc = read_at(dirfd, name, &signature, &signature_len)) == KMS_OK)
		rc = installed_verify(in, host_key, *file, *len, signature, signature_len, &signer);
	free(signature);
	if (rc != KMS_OK) {
		free(*file);
		*file = NULL;
	}
	return rc;
}

/* Its own signatures inside are enough. */
static int
read_rotation(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	uint8_t octets[ROTATION_SIZE];
	struct fault err;
	char hex[17], *file;
	size_t len;
	int rc;

	hex_format(hex, in->key.id, 8);
	snprintf(path, PATH_SIZE, "rotations/%s.kmsrotate", hex);
	if ((rc = read_at(dirfd, path, &file, &len)) != KMS_OK)
		return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
	rc = rotation_file_parse(&in->rotation, octets, file, len, &err);
	free(file);
	if (rc == KMS_OK && rotation_other(&in->rotation, &in->key) == NULL)
		rc = KMS_E_PUBLISHER;
	in->rotated = rc == KMS_OK;
	return rc;
}

/* kmsd leaves out what does not verify, another publisher's among it. */
static void
read_key(struct installed *in, int dirfd, const char *path)
{
	struct installed_key *k = &in->keys[in->key_count];
	struct fault err;
	char *file = NULL;
	size_t len;

	if (read_signed(in, dirfd, path, true, &file, &len) == KMS_OK &&
	    host_key_parse(&k->key, file, len, &err) == KMS_OK) {
		crypto_hash_sha256(k->digest, (const uint8_t *)file, len);
		in->key_count++;
	}
	free(file);
}

static int
read_keys(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	int fd = openat(dirfd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *e;
	const char *end;
	DIR *dir;

	snprintf(path, PATH_SIZE, "keys");
	if (fd == -1)
		return errno == ENOENT ? KMS_OK : errno == EACCES ? KMS_E_DENIED : KMS_E_IO;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return KMS_E_IO;
	}
	while (in->key_count < INSTALLED_KEYS && (e = readdir(dir)) != NULL) {
		end = strrchr(e->d_name, '.');
		if (end == NULL || strcmp(end, ".kmskey") != 0)
			continue;
		snprintf(path, PATH_SIZE, "keys/%.100s", e->d_name);
		read_key(in, dirfd, path);
	}
	closedir(dir);
	return KMS_OK;
}

static int
read_pack(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	char hex[17], *version = NULL, *file = NULL;
	struct fault err;
	size_t len;
	int rc;

	hex_format(hex, in->key.id, 8);
	snprintf(path, PATH_SIZE, "policy/%s/current", hex);
	if ((rc = read_at(dirfd, path, &version, &len)) == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	version[strcspn(version, "\n")] = '\0';
	if (version[strspn(version, "0123456789.")] != '\0' || strlen(version) > 15) {
		free(version);
		return KMS_E_FORMAT;
	}
	snprintf(path, PATH_SIZE, "policy/%s/%.15s.kmspolicy", hex, version);
	free(version);
	rc = read_signed(in, dirfd, path, false, &file, &len);
	if (rc == KMS_OK && (in->pack = malloc(sizeof(*in->pack))) == NULL)
		rc = KMS_E_NO_MEMORY;
	if (rc == KMS_OK)
		rc = policy_pack_parse(in->pack, file, len, &err);
	if (rc == KMS_OK)
		crypto_hash_sha256(in->digest, (const uint8_t *)file, len);
	free(file);
	return rc;
}

static int
read_certificate(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	struct fault err;
	char hex[17], *file;
	size_t len;
	int rc;

	hex_format(hex, in->key.id, 8);
	snprintf(path, PATH_SIZE, "certs/%s.kmscert", hex);
	if ((rc = read_at(dirfd, path, &file, &len)) == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	rc = certificate_file_parse(in->certificate_octets, sizeof(in->certificate_octets),
	    &in->certificate_len, file, len, &err);
	free(file);
	if (rc == KMS_OK)
		rc = installed_verify_certificate(
		    in, &in->certificate, in->certificate_octets, in->certificate_len);
	in->confirmed = rc == KMS_OK;
	return rc;
}

/* r: what reading it came to. The first that is bad gives *first and why. */
static void
judge(char bad[200], int rc, const char *path, int *first, char why[256])
{
	if (rc == KMS_OK)
		return;
	snprintf(bad, 200, "%.120s: %.70s", path, kms_strerror((uint32_t)rc));
	if (*first != KMS_OK)
		return;
	*first = rc;
	snprintf(why, 256, "%s", bad);
}

static int
read_publisher(struct installed *in, int state_fd, char why[256])
{
	char path[PATH_SIZE] = "", bad[200];
	int first = KMS_OK, rc;

	judge(bad, read_rotation(in, state_fd, path), path, &first, why);
	judge(bad, read_keys(in, state_fd, path), path, &first, why);
	rc = read_pack(in, state_fd, path);
	judge(in->bad_pack, rc, path, &first, why);
	if (rc != KMS_OK) {
		free(in->pack);
		in->pack = NULL;
	}
	judge(in->bad_certificate, read_certificate(in, state_fd, path), path, &first, why);
	return first;
}

int
installed_read(struct installed **out, int state_fd, const struct config *config, char why[256])
{
	struct installed *list = calloc(config->publisher_count + 1, sizeof(*list));
	int first = KMS_OK, rc;
	char text[256];

	*out = list;
	if (list == NULL) {
		snprintf(why, 256, "out of memory");
		return KMS_E_NO_MEMORY;
	}
	for (unsigned i = 0; i < config->publisher_count; i++) {
		struct installed *in = &list[i];

		snprintf(in->name, sizeof(in->name), "%s", config->publishers[i].name);
		if (minisig_key_parse(&in->key, config->publishers[i].key) != KMS_OK) {
			snprintf(
			    why, 256, "[publisher %s] key: not a minisign public key", in->name);
			return KMS_E_CONFIG;
		}
		if (state_fd == -1)
			continue;
		rc = read_publisher(in, state_fd, text);
		if (rc == KMS_E_NO_MEMORY || (rc != KMS_OK && first == KMS_OK)) {
			first = rc;
			memcpy(why, text, sizeof(text));
		}
		if (rc == KMS_E_NO_MEMORY)
			break;
	}
	return first;
}

void
installed_free(struct installed *list, unsigned count)
{
	for (unsigned i = 0; list != NULL && i < count; i++)
		free(list[i].pack);
	free(list);
}

const struct installed *
installed_claims(const struct installed *list, unsigned count, const struct installed *except,
    const struct policy_pack *pack, const char **product)
{
	for (unsigned i = 0; i < count; i++) {
		const struct policy_pack *theirs = list[i].pack;

		for (unsigned k = 0;
		     &list[i] != except && theirs != NULL && k < pack->product_count; k++) {
			*product = pack->products[k].name;
			if (policy_product_find(theirs, pack->products[k].id) != NULL)
				return &list[i];
		}
	}
	return NULL;
}
