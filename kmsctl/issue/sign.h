/*
 * sign.h - minisign signatures made with the publisher's key, and signed
 * files: FILE with FILE.minisig beside it.
 */
#ifndef KMSCTL_ISSUE_SIGN_H
#define KMSCTL_ISSUE_SIGN_H

#include <stddef.h>

#include "kmsctl/issue/issue.h"
#include "kmsctl/issue/secret_key.h"
#include "libkms/core/publisher_keys.h"
#include "policy/files/publisher_file.h"

#define SIGN_MAX 1024    /* bytes of a signature file that we make */
#define SIGN_COMMENT 300 /* of a trusted comment that we make */

/*
 * Prehashed ("ED"), minisign's default. Text into out; its length. comment: no line end inside.
 */
size_t sign_text(char out[SIGN_MAX], const struct secret_key *k, const void *file, size_t len,
    const char *trusted_comment);

/* The publisher's secret key of the command line, with a message for every failure. */
int sign_open_key(struct issue *i, struct secret_key **out, struct minisig_key *public_key);
/*
 * Takes the other keys of the publisher's directory too: that of a rotation in progress, those of
 * rotations before. sign_open_key does that itself.
 */
void sign_take_companions(struct issue *i);
/* This key and the companions. The register knows their dates, which do not count here. */
void sign_keys(struct publisher_keys *k, const struct issue *i, const struct minisig_key *key);
/* Is it the id of the current key or, during a rotation, of the other key? */
bool sign_is_publisher(const struct issue *i, const struct minisig_key *key, const uint8_t id[8]);
/*
 * Reads path and path.minisig, verifies and parses, with every failure in words. Afterwards out
 * has contents (publisher_file_free) and digest, and no text. comment may be NULL.
 */
int sign_read(struct issue *i, const char *path, enum publisher_file_kind kind,
    const struct minisig_key *key, struct publisher_file *out, char *comment, size_t comment_size);
/*
 * Writes path.minisig, then path, so that path is never unsigned. Refuses to replace path.
 */
int sign_write(struct issue *i, const struct secret_key *k, const char *path, const char *text,
    size_t len, const char *trusted_comment);

#endif
