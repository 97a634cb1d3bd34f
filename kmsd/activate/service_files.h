/*
 * service_files.h - the files of a publisher under the state directory: where
 * they are and how they are read at start.
 */
#ifndef KMSD_ACTIVATE_SERVICE_FILES_H
#define KMSD_ACTIVATE_SERVICE_FILES_H

#include "kmsd/activate/service.h"
#include "libkms/base/file.h"

/* Fill p from keys/, certs/ and policy/; what is damaged is logged and left out. */
void service_files_load(struct service *s, struct service_publisher *p);

/* A pack of the publisher's, of that version; malloc'd. KMS_E_NOT_FOUND: never installed. */
int service_pack_read(const struct service *s, const struct service_publisher *p,
    const char *version, struct policy_pack **out, struct fault *err);
/*
 * Is the file the publisher's? A host key's signature may be the plain one that a typed code
 * gives.
 */
int service_verify(const struct minisig_key *key, bool host_key, const uint8_t *file, size_t len,
    const uint8_t *signature, size_t signature_len);
/*
 * c->code into a certificate file, c->publisher its publisher. Signature and host are not
 * checked here.
 */
int service_from_code(struct service *s, struct service_candidate *c, char why[256]);

/* Paths; a signature stands beside each file, with ".minisig" after its name. */
void service_key_path(char out[SERVICE_PATH], const uint8_t key_id[16]);
void service_certificate_path(char out[SERVICE_PATH], const uint8_t publisher[8]);
/* version NULL: the directory alone. */
void service_policy_path(char out[SERVICE_PATH], const uint8_t publisher[8], const char *version);
void service_rotation_path(char out[SERVICE_PATH], const uint8_t publisher[8]);
void service_revocations_path(char out[SERVICE_PATH], const uint8_t publisher[8], uint64_t number);
void service_policy_current(char out[SERVICE_PATH], const uint8_t publisher[8]);

#endif
