/*
 * print_code.c - see print_code.h. A code is first read back as the other side will read it, so
 * that nobody types fifty groups in vain.
 */
#include "kmsctl/issue/print_code.h"

#include <sodium.h>
#include <string.h>

#include "libkms/core/certificate.h"

/* To a program in one line, '-' where a line ended. */
static void
tell_code(struct issue *i, char *code)
{
	for (char *c = code; i->json && *c != '\0'; c++)
		if (*c == '\n')
			*c = '-';
	output_block(i->out, "code", code);
}

int
issue_key_code(struct issue *i, const struct secret_key *k, const struct host_key *key,
    const char *text, size_t len)
{
	uint8_t digest[crypto_generichash_BYTES_MAX], signature[64], again_signature[64];
	char code[CODE_TEXT], again_text[2048];
	struct host_key again;
	struct fault err;

	/* Ed25519 is deterministic: this is the signature in the file's .minisig. */
	crypto_generichash(digest, sizeof(digest), (const uint8_t *)text, len, NULL, 0);
	secret_key_sign(k, signature, digest, sizeof(digest));
	if (key->entitlements.len > 0)
		return fault_set(&i->fault, KMS_E_FORMAT,
		    "a host key with entitlements cannot be given as a code: send the file");
	if (host_key_code(code, key, signature) != KMS_OK ||
	    host_key_code_parse(&again, again_signature, code, strlen(code), &err) != KMS_OK ||
	    host_key_format(again_text, sizeof(again_text), &again) != len ||
	    memcmp(again_text, text, len) != 0)
		return fault_set(&i->fault, KMS_E_FORMAT, "this key cannot be given as a code");
	tell_code(i, code);
	return KMS_OK;
}

int
issue_confirm_code(struct issue *i, const struct host_key *key, const struct policy_pack *pack,
    const uint8_t *cert, size_t len)
{
	uint8_t octets[CODE_OCTETS], again[CERTIFICATE_MAX];
	struct certificate c;
	struct confirm_code code;
	char text[CODE_TEXT];
	size_t n, again_len;

	if (certificate_decode(&c, cert, len) != KMS_OK)
		return KMS_E_FORMAT;
	code = (struct confirm_code){ .serial = c.serial,
		.issued = c.issued,
		.confirmation = c.confirmation,
		.major = pack->major,
		.minor = pack->minor };
	memcpy(code.key, key->id, sizeof(code.key));
	memcpy(code.signature, cert + len - 64, 64);
	n = confirm_code_octets(octets, &code);
	if (n == 0 || confirm_code_decode(&code, octets, n) != KMS_OK ||
	    confirm_code_certificate(
		again, sizeof(again), &again_len, &code, key, pack, c.sign_pk) != KMS_OK ||
	    again_len != len || memcmp(again, cert, len) != 0 ||
	    code_format(text, sizeof(text), CODE_CONFIRMATION, octets, n) == 0)
		return fault_set(&i->fault, KMS_E_FORMAT,
		    "this certificate contains more than fits into a code: send the file");
	tell_code(i, text);
	return KMS_OK;
}
