/*
 * publisher.h - a publisher for one test: a throw-away key, and the files it would
 * sign, without kmsissue and without a file on disk.
 */
#ifndef KMS_T_LIB_PUBLISHER_H
#define KMS_T_LIB_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/minisig.h"

#define PUBLISHER_FILE 16384
/* Products of its pack: activated at once, and from the fifth client on. */
#define PUBLISHER_ONE "11111111-1111-4111-8111-111111111111"
#define PUBLISHER_FIVE "55555555-5555-4555-8555-555555555555"

struct test_publisher {
	struct minisig_key key;
	uint8_t sk[64];
	char line[MINISIG_KEY_LINE + 1]; /* for the ini file */
};

/* A file and the text of its .minisig. */
struct test_file {
	char text[PUBLISHER_FILE];
	size_t len;
	char signature[512];
	size_t signature_len;
};

void publisher_make(struct test_publisher *p);
/* The same one for the same seed. */
void publisher_make_from(struct test_publisher *p, const uint8_t seed[32]);
/* Sign f->text. */
void publisher_sign(const struct test_publisher *p, struct test_file *f);
void publisher_pack(const struct test_publisher *p, struct test_file *f, const char *version);
void publisher_host_key(const struct test_publisher *p, struct test_file *f, const uint8_t id[16]);
/* The certificate for a confirmation request's text. KMS_OK or why not. */
int publisher_confirm(
    const struct test_publisher *p, struct test_file *f, const char *request, size_t len);

#endif
