/*
 * aside.h - the personal fields of an entry, which are beside it and not in it. The entry, which
 * is hashed and signed, contains three commitments to them. So a name can be erased later, and
 * every proof remains valid.
 *
 *   0   1  form: 1; 0: erased, the rest is zeros
 *   1  16  salt
 *  17  16  address, IPv4 as ::ffff:a.b.c.d
 *  33   1  length n of the name, at most 64
 *  34   n  name, text
 *       1  length m of the user, at most 64
 *       m  user, text
 *
 * Erasing keeps the length. Commitments: 16 bytes of BLAKE2b over a label, the salt and the field.
 */
#ifndef KMS_LIBKMS_CORE_ASIDE_H
#define KMS_LIBKMS_CORE_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

#define ASIDE_SALT 16
#define COMMITMENT 16

struct commitments {
	uint8_t name[COMMITMENT]; /* zeros: none, only of the relay */
	uint8_t user[COMMITMENT]; /* zeros: no user was told */
	uint8_t address[COMMITMENT];
};

struct aside {
	uint8_t salt[ASIDE_SALT];
	uint8_t address[16];
	char name[MESSAGE_NAME + 1];
	char user[MESSAGE_NAME + 1]; /* "": not told */
};

/* Size; 0: does not fit, or a field is not text. */
size_t aside_encode(uint8_t *out, size_t size, const struct aside *a);
/*
 * KMS_OK; KMS_E_NOT_FOUND: erased, or there is none (len 0); KMS_E_FORMAT: a length that the form
 * does not explain, an unknown form, not text. *a is zeros unless KMS_OK.
 */
int aside_decode(struct aside *a, const uint8_t *in, size_t len);

/* Each of the three alone, and all. */
void commit_name(uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const char *name);
void commit_user(uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const char *user);
void commit_address(
    uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const uint8_t address[16]);
void aside_commit(struct commitments *out, const struct aside *a);
/*
 * Does the aside give these three? An exchange of the relay has no name, and commits to none: its
 * zeros are given by an empty name. A client's entry never has these zeros.
 */
bool aside_gives(const struct aside *a, const struct commitments *c);

#endif
