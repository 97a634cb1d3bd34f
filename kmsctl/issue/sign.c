/*
 * sign.c - see sign.h. A file's name is never trusted: a signature covers its text and the trusted
 * comment.
 */
#include "kmsctl/issue/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "policy/values.h"

#define PUBLIC_KEY_FILE_MAX 16384 /* its comment may be long */

size_t
sign_text(char out[SIGN_MAX], const struct secret_key *k, const void *file, size_t len,
    const char *trusted_comment)
{
	uint8_t digest[crypto_generichash_BYTES_MAX], octets[2 + 8 + 64] = { 'E', 'D' };
	uint8_t bound[64 + SIGN_COMMENT], global[64];
	char first[128], second[128];
	size_t comment_len = strnlen(trusted_comment, SIGN_COMMENT);
	struct minisig_key public_key;

	secret_key_public(k, &public_key);
	memcpy(octets + 2, public_key.id, 8);
	crypto_generichash(digest, sizeof(digest), file, len, NULL, 0);
	secret_key_sign(k, octets + 10, digest, sizeof(digest));
	memcpy(bound, octets + 10, 64);
	memcpy(bound + 64, trusted_comment, comment_len);
	secret_key_sign(k, global, bound, 64 + comment_len);
	value_base64_format(first, sizeof(first), octets, sizeof(octets));
	value_base64_format(second, sizeof(second), global, sizeof(global));
	return (size_t)snprintf(out, SIGN_MAX,
	    "untrusted comment: signature from kmsissue\n%s\ntrusted comment: %.*s\n%s\n", first,
	    (int)comment_len, trusted_comment, second);
}

static int
fail_key(struct issue *i, int status, const char *path)
{
	switch (status) {
	case KMS_E_PASSPHRASE:
		return fault_set(&i->fault, status, "%s: wrong passphrase", path);
	case KMS_E_FORMAT:
		return fault_set(
		    &i->fault, status, "%s is not a minisign secret key, or it is damaged", path);
	case KMS_E_ARGUMENT:
		return fault_set(&i->fault, status,
		    "%s is encrypted and there is no terminal to ask: use --passphrase-file", path);
	case KMS_E_NO_MEMORY:
		return fault_set(
		    &i->fault, status, "%s: not enough memory to derive its key", path);
	}
	return issue_fail_file(i, status,
	    i->passphrase_file != NULL && !file_exists(AT_FDCWD, i->passphrase_file)
		? i->passphrase_file
		: path);
}

static void
take_companion(struct issue *i, const char *path)
{
	struct minisig_key key;
	char *text;
	size_t len;

	_Static_assert(sizeof(key) == sizeof(i->companions[0]), "a public key");
	if (i->companion_count == ISSUE_COMPANIONS ||
	    file_read(AT_FDCWD, path, FILE_GIVEN, PUBLIC_KEY_FILE_MAX, &text, &len) != KMS_OK)
		return;
	if (minisig_key_parse(&key, text) == KMS_OK)
		memcpy(i->companions[i->companion_count++], &key, sizeof(key));
	free(text);
}

static int
take_name(const char *name, void *arg)
{
	struct issue *i = arg;
	char path[ISSUE_PATH];

	/* The directory's own key vouches for another one only while that one is being made. */
	if (strcmp(name, "publisher.pub") == 0 && !i->new_key)
		return KMS_OK;
	if (strncmp(name, "publisher.", 10) == 0 && issue_path(i, path, "%s/%s", i->dir, name))
		take_companion(i, path);
	return KMS_OK;
}

/*
 * The other keys whose files are also ours: publisher.new.pub during a rotation, publisher.old.pub
 * after one, publisher.ID.pub of those before. The key in use may be among them.
 */
void
sign_take_companions(struct issue *i)
{
	i->companion_count = 0;
	(void)file_each(AT_FDCWD, i->dir, ".pub", take_name, i);
}

int
sign_open_key(struct issue *i, struct secret_key **out, struct minisig_key *public_key)
{
	char path[ISSUE_PATH];
	int rc;

	*out = NULL;
	if (!issue_path(i, path, "%s%s", i->secret_key != NULL ? i->secret_key : i->dir,
		i->secret_key != NULL ? ""
		: i->new_key          ? "/publisher.new.key"
				      : "/publisher.key"))
		return KMS_E_ARGUMENT;
	rc = secret_key_read(out, path, i->passphrase_file);
	if (rc != KMS_OK)
		return fail_key(i, rc, path);
	secret_key_public(*out, public_key);
	sign_take_companions(i);
	return KMS_OK;
}

void
sign_keys(struct publisher_keys *k, const struct issue *i, const struct minisig_key *key)
{
	*k = (struct publisher_keys){ .key = *key };
	for (unsigned n = 0; n < i->companion_count && n < ROTATION_CHAIN_MAX; n++) {
		const struct minisig_key last = *publisher_keys_at(k, k->count);
		struct rotation *r = &k->statements[k->count++];

		r->old = last;
		memcpy(&r->new, i->companions[n], sizeof(r->new));
	}
}

bool
sign_is_publisher(const struct issue *i, const struct minisig_key *key, const uint8_t id[8])
{
	struct publisher_keys keys;

	sign_keys(&keys, i, key);
	return publisher_keys_find(&keys, id) != NULL;
}

static int
fail_signature(struct issue *i, int status, const char *path)
{
	if (status == KMS_E_PUBLISHER)
		return fault_set(&i->fault, status, "%s is signed by another publisher", path);
	if (status == KMS_E_SIGNATURE)
		return fault_set(&i->fault, status, "%s was altered after it was signed", path);
	return fault_set(&i->fault, status, "%s.minisig is not a minisign signature", path);
}

int
sign_read(struct issue *i, const char *path, enum publisher_file_kind kind,
    const struct minisig_key *key, struct publisher_file *out, char *comment, size_t comment_size)
{
	struct publisher_keys keys;
	struct signed_file file;
	struct fault f = { 0 };
	int rc = signed_file_read(&file, AT_FDCWD, path, FILE_GIVEN, &f);

	*out = publisher_file_of(kind, &file);
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s", f.text);
	sign_keys(&keys, i, key);
	rc = publisher_keys_file(&keys, false, file.text, file.len, file.signature,
	    file.signature_len, comment, comment_size, NULL);
	if (rc != KMS_OK)
		fail_signature(i, rc, path);
	else if ((rc = publisher_file_parse(out, &f)) != KMS_OK)
		fault_set(&i->fault, rc, "%s:%d: %s", path, f.line, f.text);
	crypto_hash_sha256(out->digest, (const uint8_t *)file.text, file.len);
	out->text = out->signature = NULL;
	signed_file_free(&file);
	if (rc != KMS_OK)
		publisher_file_free(out);
	return rc;
}

int
sign_write(struct issue *i, const struct secret_key *k, const char *path, const char *text,
    size_t len, const char *trusted_comment)
{
	char signature[SIGN_MAX], beside[ISSUE_PATH];
	size_t signature_len = sign_text(signature, k, text, len, trusted_comment);
	int rc;

	if (!issue_path(i, beside, "%s.minisig", path))
		return KMS_E_ARGUMENT;
	if (file_exists(AT_FDCWD, path)) {
		errno = EEXIST;
		return issue_fail_file(i, KMS_E_EXISTS, path);
	}
	/* A crash between the two leaves a signature without its file: replace it. */
	if ((rc = file_write(AT_FDCWD, beside, signature, signature_len, 0644, true)) != KMS_OK)
		return issue_fail_file(i, rc, beside);
	if ((rc = file_write(AT_FDCWD, path, text, len, 0644, false)) != KMS_OK) {
		issue_fail_file(i, rc, path);
		unlink(beside);
	}
	return rc;
}
