/*
 * state_file.h - the client state on disk (kms.state(5)).
 *
 * One process at a time: state_open takes a lock that state_close gives back. When state_save has
 * returned KMS_OK, the state survives a power cut.
 */
#ifndef KMS_LIBKMS_CLIENT_STATE_FILE_H
#define KMS_LIBKMS_CLIENT_STATE_FILE_H

#include <stdint.h>

#include "libkms/client/state.h"

struct state_file;

/*
 * Lock and read, or make a new one with a new key pair and first use = now.
 * KMS_OK, KMS_E_EXISTS (another process has it), KMS_E_STATE, KMS_E_SCHEMA,
 * KMS_E_IO, KMS_E_FULL, KMS_E_DENIED, KMS_E_NO_MEMORY. *state belongs to *out.
 */
int state_open(struct state_file **out, struct state **state, const char *path, uint64_t now);
/* Whole or not at all, and on disk. KMS_OK, KMS_E_IO, KMS_E_FULL, KMS_E_DENIED. */
int state_save(struct state_file *f);
void state_close(struct state_file *f);

#endif
