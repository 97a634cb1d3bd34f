/*
 * installed.c - reading policy/ and certs/ of the state directory. A file that does not verify is
 * an error here: a forecast that rests on less than kmsd has would be wrong.
 */
#include "kmsctl/installed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "kmsctl/ctl.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"
#include "libkms/hex.h"

#define PATH_SIZE 160

/* Whole file, malloc'd and terminated. KMS_E_NOT_FOUND, KMS_E_DENIED, KMS_E_TOO_LARGE, KMS_E_IO, KMS_E_NO_MEMORY. */
static int
read_at(int dirfd, const char *path, char **out, size_t *len)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
read_pack(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	char hex[17], name[PATH_SIZE + 16], *version = NULL, *file = NULL, *signature = NULL;
	struct pack_error err;
	size_t len, signature_len;
	int r;

	hex_format(hex, in->key.id, 8);
	snprintf(path, PATH_SIZE, "policy/%s/current", hex);
	if ((r = read_at(dirfd, path, &version, &len)) == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (r != KMS_OK)
		return r;
	version[strcspn(version, "\n")] = '\0';
	if (version[strspn(version, "0123456789.")] != '\0' || strlen(version) > 15) {
		free(version);
		return KMS_E_FORMAT;
	}
	snprintf(path, PATH_SIZE, "policy/%s/%.15s.kmspolicy", hex, version);
	snprintf(name, sizeof name, "%s.minisig", path);
	free(version);
	if ((r = read_at(dirfd, path, &file, &len)) == KMS_OK &&
	    (r = read_at(dirfd, name, &signature, &signature_len)) == KMS_OK)
		r = minisig_verify(&in->key, file, len, signature, signature_len, NULL, 0);
	if (r == KMS_OK && (in->pack = malloc(sizeof *in->pack)) == NULL)
		r = KMS_E_NO_MEMORY;
	if (r == KMS_OK)
		r = policy_pack_parse(in->pack, file, len, &err);
	if (r == KMS_OK)
		crypto_hash_sha256(in->digest, (const uint8_t *)file, len);
	free(file);
	free(signature);
	return r;
}

static int
read_certificate(struct installed *in, int dirfd, char path[PATH_SIZE])
{
	uint8_t octets[CERTIFICATE_MAX];
	struct pack_error err;
	char hex[17], *file;
	size_t len, n;
	int r;

	hex_format(hex, in->key.id, 8);
	snprintf(path, PATH_SIZE, "certs/%s.kmscert", hex);
	if ((r = read_at(dirfd, path, &file, &len)) == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (r != KMS_OK)
		return r;
	r = certificate_file_parse(octets, sizeof octets, &n, file, len, &err);
	free(file);
	if (r == KMS_OK)
		r = certificate_verify(&in->certificate, octets, n, in->key.id, in->key.pk);
	in->confirmed = r == KMS_OK;
	return r;
}

int
installed_read(struct installed **out, int state_fd, const struct config *config, char why[256])
{
	struct installed *list = calloc(config->publisher_count + 1, sizeof *list);
	char path[PATH_SIZE] = "";
	int r;

	*out = list;
	if (list == NULL) {
		snprintf(why, 256, "out of memory");
		return KMS_E_NO_MEMORY;
	}
	for (unsigned i = 0; i < config->publisher_count; i++) {
		struct installed *in = &list[i];

		snprintf(in->name, sizeof in->name, "%s", config->publishers[i].name);
		if (minisig_key_parse(&in->key, config->publishers[i].key) != KMS_OK) {
			snprintf(
			    why, 256, "[publisher %s] key: not a minisign public key", in->name);
			return KMS_E_CONFIG;
		}
		if ((r = read_pack(in, state_fd, path)) != KMS_OK ||
		    (r = read_certificate(in, state_fd, path)) != KMS_OK) {
			snprintf(why, 256, "%.150s: %s", path, kms_strerror((uint32_t)r));
			return r;
		}
	}
	return KMS_OK;
}

void
installed_free(struct installed *list, unsigned count)
{
	for (unsigned i = 0; list != NULL && i < count; i++)
		free(list[i].pack);
	free(list);
}
