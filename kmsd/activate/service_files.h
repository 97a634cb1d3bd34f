/*
 * service_files.h - the files of a publisher under the state directory: where
 * they are and how they are read at start.
 */
#ifndef KMS_ACTIVATE_SERVICE_FILES_H
#define KMS_ACTIVATE_SERVICE_FILES_H

#include "kmsd/activate/service.h"
#include "kmsd/activate/store.h"

/* Fill p from keys/, certs/ and policy/; what is damaged is logged and left out. */
void service_files_load(struct service *s, struct service_publisher *p);

/* Paths; a signature stands beside each file, with ".minisig" after its name. */
void service_key_path(char out[STORE_PATH], const uint8_t key_id[16]);
void service_certificate_path(char out[STORE_PATH], const uint8_t publisher[8]);
/* version NULL: the directory alone. */
void service_policy_path(char out[STORE_PATH], const uint8_t publisher[8], const char *version);
void service_policy_current(char out[STORE_PATH], const uint8_t publisher[8]);

#endif
