/*
 * file_contents.h - a publisher's file in memory: its kind, its text, and what is in it.
 */
#ifndef KMS_POLICY_FILES_FILE_CONTENTS_H
#define KMS_POLICY_FILES_FILE_CONTENTS_H

#include "policy/files/publisher_list.h"

/* In the order in which they are read: each needs the ones before it. */
enum publisher_file_kind {
	FILE_ROTATION,
	FILE_KEY,
	FILE_CERTIFICATE,
	FILE_PACK,
	FILE_REVOCATIONS,
	FILE_KINDS
};

struct publisher_file {
	enum publisher_file_kind kind;
	const char *text, *signature; /* borrowed */
	size_t len, signature_len;
	char *made; /* owned: the text that was made of a typed confirmation, without signature */

	/* filled in by publisher_file_read */
	struct publisher *publisher;
	const struct minisig_key *signer;
	uint8_t digest[32]; /* SHA-256 of text */
	bool installed;     /* exactly the same file is installed */
	uint64_t time;  /* seconds: when it is or was installed; publisher_file_check, or a start */
	uint64_t batch; /* with its entry in the journal; 0: not known */
	/* what is in it, by kind */
	struct rotation rotation;
	uint8_t rotation_octets[ROTATION_SIZE];
	struct host_key key;
	struct certificate certificate;
	uint8_t certificate_octets[CERTIFICATE_MAX];
	size_t certificate_len;
	struct policy_pack *pack; /* owned until adopted, as is revocations */
	struct revocation_list *revocations;
};

#endif
