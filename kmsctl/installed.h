/*
 * installed.h - what is installed for a publisher, read from the state directory: its
 * policy pack and its host certificate, each verified as kmsd does at its start.
 */
#ifndef KMSCTL_INSTALLED_H
#define KMSCTL_INSTALLED_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/core/certificate.h"
#include "libkms/core/minisig.h"
#include "libkms/core/rotation.h"
#include "policy/pack.h"
#include "policy/policy.h"

#define INSTALLED_KEYS 16

struct installed_key {
	struct host_key key;
	uint8_t digest[32]; /* SHA-256 of its file */
};
struct installed {
	char name[65]; /* the publisher's in kms.ini */
	struct minisig_key key;
	bool rotated; /* a second key, by rotation */
	struct rotation rotation;
	struct policy_pack *pack;                  /* NULL: none */
	uint8_t digest[32];                        /* SHA-256 of its file */
	struct installed_key keys[INSTALLED_KEYS]; /* those that verify */
	unsigned key_count;
	bool confirmed;
	struct certificate certificate;
	uint8_t certificate_octets[CERTIFICATE_MAX];
	size_t certificate_len;
	/* what is wrong with a file that kmsd leaves out; "": nothing */
	char bad_pack[200], bad_certificate[200];
};

/*
 * One row for each publisher of kms.ini, malloc'd; installed_free in every case. state_fd -1:
 * there is no state directory, so nothing. KMS_OK; KMS_E_CONFIG, KMS_E_NO_MEMORY; or what is
 * wrong with the first bad file, the list being whole but for those. why is set.
 */
int installed_read(
    struct installed **out, int state_fd, const struct config *config, char why[256]);
void installed_free(struct installed *list, unsigned count);

/*
 * Did the publisher sign the file, with its own key or, during a rotation, with the other one?
 * KMS_OK with the key in *signer, KMS_E_PUBLISHER: another publisher did, KMS_E_SIGNATURE,
 * KMS_E_FORMAT: no signature.
 */
int installed_verify(const struct installed *in, bool host_key, const void *file, size_t len,
    const char *signature, size_t signature_len, const struct minisig_key **signer);
/* The certificate in bytes, of either key: as certificate_verify. */
int installed_verify_certificate(
    const struct installed *in, struct certificate *out, const uint8_t *octets, size_t len);
/*
 * Another publisher of the list whose pack has a product of pack; NULL: none. product: the
 * first such one's name.
 */
const struct installed *installed_claims(const struct installed *list, unsigned count,
    const struct installed *except, const struct policy_pack *pack, const char **product);

#endif
