/*
 * minisig.c - minisign's public keys and detached signatures, read strictly:
 * what minisign itself writes is accepted, with LF or CRLF, and nothing more.
 */
#include "libkms/core/minisig.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/kms_error.h"

#define KEY_OCTETS 42       /* "Ed", key id, key */
#define SIGNATURE_OCTETS 74 /* algorithm, key id, signature */
#define TRUSTED_MAX 8192    /* minisign's own limit */

static const char untrusted_prefix[] = "untrusted comment: ";
static const char trusted_prefix[] = "trusted comment: ";

struct line {
	const char *text;
	size_t len;
};

/* Take the next line, without its end; false when nothing is left. */
static bool
next_line(const char **at, size_t *left, struct line *out)
{
	const char *newline;
	size_t taken;

	if (*left == 0)
		return false;
	newline = memchr(*at, '\n', *left);
	taken = newline != NULL ? (size_t)(newline - *at) + 1 : *left;
	out->text = *at;
	out->len = newline != NULL ? taken - 1 : taken;
	if (out->len > 0 && out->text[out->len - 1] == '\r')
		out->len--;
	*at += taken;
	*left -= taken;
	return memchr(out->text, '\0', out->len) == NULL;
}

static bool
has_prefix(const struct line *l, const char *prefix, size_t len)
{
	return l->len >= len && memcmp(l->text, prefix, len) == 0;
}

/* Base64 of exactly size bytes. */
static bool
decode(const struct line *l, uint8_t *out, size_t size)
{
	size_t len;

	return sodium_base642bin(out, size, l->text, l->len, NULL, &len, NULL,
		   sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == size;
}

int
minisig_key_parse(struct minisig_key *out, const char *text)
{
	size_t left = strlen(text);
	struct line l;
	uint8_t octets[KEY_OCTETS];

	if (!next_line(&text, &left, &l))
		return KMS_E_FORMAT;
	if (has_prefix(&l, untrusted_prefix, sizeof(untrusted_prefix) - 1) &&
	    !next_line(&text, &left, &l))
		return KMS_E_FORMAT;
	if (left != 0 || !decode(&l, octets, sizeof(octets)) || memcmp(octets, "Ed", 2) != 0)
		return KMS_E_FORMAT;
	memcpy(out->id, octets + 2, sizeof(out->id));
	memcpy(out->pk, octets + 10, sizeof(out->pk));
	return KMS_OK;
}

void
minisig_key_format(char out[MINISIG_KEY_LINE + 1], const struct minisig_key *key)
{
	uint8_t octets[KEY_OCTETS] = { 'E', 'd' };

	memcpy(octets + 2, key->id, sizeof(key->id));
	memcpy(octets + 10, key->pk, sizeof(key->pk));
	sodium_bin2base64(
	    out, MINISIG_KEY_LINE + 1, octets, sizeof(octets), sodium_base64_VARIANT_ORIGINAL);
}

struct signature {
	uint8_t octets[SIGNATURE_OCTETS];
	struct line comment;
	uint8_t global[crypto_sign_BYTES];
};

static bool
signature_parse(struct signature *s, const char *text, size_t len)
{
	struct line l;

	if (!next_line(&text, &len, &l) ||
	    !has_prefix(&l, untrusted_prefix, sizeof(untrusted_prefix) - 1))
		return false;
	if (!next_line(&text, &len, &l) || !decode(&l, s->octets, sizeof(s->octets)))
		return false;
	if (!next_line(&text, &len, &s->comment) ||
	    !has_prefix(&s->comment, trusted_prefix, sizeof(trusted_prefix) - 1))
		return false;
	s->comment.text += sizeof(trusted_prefix) - 1;
	s->comment.len -= sizeof(trusted_prefix) - 1;
	if (s->comment.len > TRUSTED_MAX)
		return false;
	return next_line(&text, &len, &l) && decode(&l, s->global, sizeof(s->global)) && len == 0;
}

/* Both forms of the signature over the file itself. */
static int
file_verifies(const uint8_t octets[SIGNATURE_OCTETS], const struct minisig_key *key,
    const void *file, size_t len)
{
	uint8_t digest[crypto_generichash_BYTES_MAX];
	bool prehashed = memcmp(octets, "ED", 2) == 0;

	if (!prehashed && memcmp(octets, "Ed", 2) != 0)
		return KMS_E_FORMAT;
	if (memcmp(octets + 2, key->id, sizeof(key->id)) != 0)
		return KMS_E_PUBLISHER;
	if (prehashed) {
		crypto_generichash(digest, sizeof(digest), file, len, NULL, 0);
		file = digest;
		len = sizeof(digest);
	}
	return crypto_sign_verify_detached(octets + 10, file, len, key->pk) == 0 ? KMS_OK
										 : KMS_E_SIGNATURE;
}

/* The second signature binds the trusted comment to the first. */
static bool
comment_verifies(const struct signature *s, const uint8_t pk[32])
{
	uint8_t text[crypto_sign_BYTES + TRUSTED_MAX];

	memcpy(text, s->octets + 10, crypto_sign_BYTES);
	memcpy(text + crypto_sign_BYTES, s->comment.text, s->comment.len);
	return crypto_sign_verify_detached(
		   s->global, text, crypto_sign_BYTES + s->comment.len, pk) == 0;
}

int
minisig_verify(const struct minisig_key *key, const void *file, size_t len, const char *signature,
    size_t signature_len, char *comment, size_t comment_size)
{
	struct signature s;
	int rc;

	if (!signature_parse(&s, signature, signature_len))
		return KMS_E_FORMAT;
	if ((rc = file_verifies(s.octets, key, file, len)) != KMS_OK)
		return rc;
	if (!comment_verifies(&s, key->pk))
		return KMS_E_SIGNATURE;
	if (comment != NULL && comment_size > 0) {
		size_t n = s.comment.len < comment_size ? s.comment.len : comment_size - 1;

		memcpy(comment, s.comment.text, n);
		comment[n] = '\0';
	}
	return KMS_OK;
}

int
minisig_verify_plain(const struct minisig_key *key, const void *file, size_t len,
    const char *signature, size_t signature_len)
{
	uint8_t octets[SIGNATURE_OCTETS];
	struct line l;

	if (!next_line(&signature, &signature_len, &l) ||
	    !has_prefix(&l, untrusted_prefix, sizeof(untrusted_prefix) - 1) ||
	    !next_line(&signature, &signature_len, &l) || !decode(&l, octets, sizeof(octets)) ||
	    signature_len != 0)
		return KMS_E_FORMAT;
	return file_verifies(octets, key, file, len);
}

size_t
minisig_format_plain(char out[MINISIG_PLAIN], const uint8_t id[8], const uint8_t signature[64])
{
	static const char comment[] = "untrusted comment: from a code\n";
	uint8_t octets[SIGNATURE_OCTETS] = { 'E', 'D' };
	size_t len = sizeof(comment) - 1;

	memcpy(octets + 2, id, 8);
	memcpy(octets + 10, signature, 64);
	memcpy(out, comment, len);
	sodium_bin2base64(
	    out + len, MINISIG_PLAIN - len, octets, sizeof(octets), sodium_base64_VARIANT_ORIGINAL);
	len += strlen(out + len);
	out[len++] = '\n';
	out[len] = '\0';
	return len;
}
