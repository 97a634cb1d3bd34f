/*
 * code.h - what can be typed: a KMS host key or a confirmation as a code of
 * groups of five characters, and the installation id. kms.key(5) defines them.
 *
 * The fifth character of each group is a check over the four before it and over the group's place,
 * so that a mistake is found in its group. A code carries the publisher's whole signature: a code
 * reveals nothing that a file would not.
 */
#ifndef KMS_POLICY_CODE_H
#define KMS_POLICY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/kms_error.h"
#include "policy/host_key.h"
#include "policy/policy.h"

#define CODE_GROUP 5       /* characters, including the check */
#define CODE_OCTETS 240    /* most that a code carries */
#define CODE_GROUPS_MAX 99 /* groups of that many bytes */
#define CODE_TEXT (CODE_GROUPS_MAX * (CODE_GROUP + 1) + 1)
#define CODE_INPUT 4096 /* bytes of text that are read */

/* The first character of a code. */
enum code_kind { CODE_HOST_KEY = 'K', CODE_CONFIRMATION = 'C' };

/* Groups with '-' between them, five a line; the length, 0 when it does not fit. */
size_t code_format(char *out, size_t size, enum code_kind kind, const uint8_t *octets, size_t len);
/*
 * KMS_E_FORMAT: err names the group that is wrong, and how. KMS_E_TRUNCATED: the groups are right,
 * but groups are missing at the end (err->line: how many there are). KMS_E_TOO_LARGE.
 */
int code_parse(uint8_t out[CODE_OCTETS], size_t *len, enum code_kind kind, const char *text,
    size_t text_len, struct fault *err);
/* Could text be a code, and nothing else? To distinguish it from a file's name. */
bool code_looks_like(const char *text);

/*
 * The host key, and the signature of its file as host_key_format writes it (minisign's,
 * prehashed, without algorithm and key id). KMS_E_ARGUMENT when the key does not fit, or has
 * entitlements, which go as a file only.
 */
int host_key_code(char out[CODE_TEXT], const struct host_key *key, const uint8_t signature[64]);
int host_key_code_parse(
    struct host_key *out, uint8_t signature[64], const char *text, size_t len, struct fault *err);

/*
 * A confirmation: the parts of the certificate that the host does not know. The rest comes from
 * the host key, the policy pack of that version and the host's own keys.
 */
struct confirm_code {
	uint8_t key[8]; /* host key's UUID: its first bytes */
	uint64_t serial, issued;
	uint16_t confirmation;
	uint16_t major, minor; /* of the pack whose products are covered */
	uint8_t signature[64]; /* the certificate's */
};
size_t confirm_code_octets(uint8_t out[CODE_OCTETS], const struct confirm_code *c);
int confirm_code_decode(struct confirm_code *out, const uint8_t *octets, size_t len);
/*
 * The certificate's bytes, its signature at their end: not verified here. KMS_E_NOT_COVERED:
 * the pack does not know the key's group, or the group covers nothing; KMS_E_TOO_LARGE.
 */
int confirm_code_certificate(uint8_t *out, size_t size, size_t *len, const struct confirm_code *c,
    const struct host_key *key, const struct policy_pack *pack, const uint8_t sign_pk[32]);

/*
 * Nine groups of six digits with a check digit each, to be read over a telephone: one host
 * under one host key.
 */
#define INSTALLATION_ID 71
void installation_id(
    char out[INSTALLATION_ID + 1], const uint8_t host_id[16], const uint8_t host_key_id[16]);

#endif
