/*
 * publisher_file.h - one file of a publisher, on its way in. The way is the same for each kind:
 *
 *   publisher_file_read    who signed it, and what is in it
 *   publisher_file_check   may it be installed now, over what is there?
 *   publisher_file_store   into the state directory
 *   publisher_file_adopt   into memory
 *
 * An installation has all four steps, so that memory is never ahead of the disk. A start reads and
 * adopts (publishers_read). A forecast leaves out publisher_file_store.
 */
#ifndef KMS_POLICY_FILES_PUBLISHER_FILE_H
#define KMS_POLICY_FILES_PUBLISHER_FILE_H

#include "policy/files/file_contents.h"
#include "policy/files/signed_file.h"

/* Kind and text (borrowed from s) of a file that was read. */
struct publisher_file publisher_file_of(enum publisher_file_kind kind, const struct signed_file *s);
/*
 * Instead of a file: a typed confirmation (policy/code.h), whose certificate is made from the code
 * and from what this host has. KMS_E_FORMAT, KMS_E_NOT_ENABLED (no such host key),
 * KMS_E_PREREQUISITE (no such pack).
 */
int publisher_file_of_code(const struct publishers *s, struct publisher_file *out,
    const uint8_t *code, size_t len, const uint8_t sign_pk[32], struct fault *f);
/* Reads only the contents, without signatures. KMS_E_FORMAT and other statuses of the parsers. */
int publisher_file_parse(struct publisher_file *c, struct fault *f);
/*
 * Also KMS_E_PUBLISHER: signed by, or issued for, another publisher; KMS_E_SIGNATURE,
 * KMS_E_TOO_LARGE, KMS_E_UNKNOWN_HOST: a certificate of another host.
 */
int publisher_file_read(const struct publishers *s, struct publisher_file *c, struct fault *f);
/*
 * Statuses as kmsctl gives them: KMS_E_PUBLISHER (a key that is not accepted at this time),
 * KMS_E_EXISTS, KMS_E_OLDER, KMS_E_PREREQUISITE, KMS_E_KEY_INVALID (revoked), KMS_E_KEY_EXPIRED,
 * KMS_E_NOT_ENABLED, KMS_E_LIMIT.
 */
int publisher_file_check(
    const struct publishers *s, struct publisher_file *c, uint64_t now, struct fault *f);
int publisher_file_store(const struct publishers *s, const struct publisher_file *c);
void publisher_file_adopt(struct publisher_file *c);
void publisher_file_free(struct publisher_file *c);

/* "policy pack", "host key", ... */
const char *publisher_file_name(enum publisher_file_kind kind);
/* The kind of a text, by its sections; FILE_KINDS: none of them. */
enum publisher_file_kind publisher_file_guess(const char *text);
/* In a few words: "host key for Example Ltd, group server". */
void publisher_file_describe(const struct publisher_file *c, char *out, size_t size);

/*
 * find.c: reads everything in the state directory for the publishers of s. A file that does not
 * verify is left out and reported to left_out (may be NULL); the others count.
 */
typedef void (*publisher_left_out_fn)(
    const struct publisher *p, enum publisher_file_kind kind, const struct fault *f, void *arg);
void publishers_read(struct publishers *s, publisher_left_out_fn left_out, void *arg);
/* A pack that was installed once, malloc'd. KMS_E_NOT_FOUND. */
int publisher_pack_read(const struct publishers *s, const struct publisher *p, const char *version,
    struct policy_pack **out);

/*
 * remove.c: taking a host key out of service, in three steps like an installation. The files of
 * the key and of its certificate are renamed so that no start reads them (KMS_E_NOT_FOUND: no such
 * key); then, after the journal's entry, they are deleted, or they are renamed back.
 */
struct publisher_removal {
	struct publisher *publisher;
	uint8_t key[16];
	bool confirmed; /* by this key */
};
int publisher_remove(
    const struct publishers *s, struct publisher_removal *m, const uint8_t key[16]);
/* KMS_E_IO: a file could not be removed; f names it. The key is out of service all the same. */
int publisher_removed(
    const struct publishers *s, const struct publisher_removal *m, struct fault *f);
int publisher_restore(
    const struct publishers *s, const struct publisher_removal *m, struct fault *f);

#endif
