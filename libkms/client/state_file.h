/*
 * state_file.h - the client's two files on disk (kms.state(5)): FILE, which everybody may read,
 * and FILE.key with the secret.
 *
 * Reading FILE needs no lock: it is replaced whole. Who writes, or needs the secret, holds
 * FILE.lock: one process at a time. When a save has returned KMS_OK, the file survives a power
 * cut.
 *
 * A client without state has neither file. Then the struct is the client: its secret is in guarded
 * memory from open to close, and nothing here can be in use, missing or damaged.
 */
#ifndef KMS_LIBKMS_CLIENT_STATE_FILE_H
#define KMS_LIBKMS_CLIENT_STATE_FILE_H

#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/client/secret.h"
#include "libkms/client/state.h"

struct state_file;

/*
 * Reads FILE. Without it, makes a new client at the time now, or makes FILE anew for the FILE.key
 * that is there. KMS_OK, KMS_E_STATE (damaged), KMS_E_SCHEMA, KMS_E_EXISTS (must be made, and
 * another process has had the lock for two seconds), KMS_E_ARGUMENT (path too long),
 * KMS_E_NO_MEMORY, and those of file_status. *state belongs to the file and stays where it is.
 * path NULL: a new client without state. fault may be NULL.
 */
int state_open(struct state_file **out, struct state **state, const char *path, uint64_t now,
    struct fault *fault);
void state_close(struct state_file *f);

/* Reads FILE again, since another process may have replaced it. As state_open, but makes nothing.
 */
int state_read(struct state_file *f, struct fault *fault);

/*
 * Takes the lock and reads FILE again. KMS_E_EXISTS: another process has it. KMS_E_DENIED: this
 * user may not write here.
 */
int state_lock(struct state_file *f, struct fault *fault);
/*
 * With the lock: reads FILE.key. KMS_E_STATE: it is missing, damaged or not of FILE's client.
 * *secret is in guarded memory until state_unlock.
 */
int state_secret(struct state_file *f, struct secret **secret, struct fault *fault);
/* With the lock: write FILE, and FILE.key. */
int state_save(struct state_file *f, struct fault *fault);
int state_save_secret(struct state_file *f, struct fault *fault);
/* Wipes the secret and gives the lock back. */
void state_unlock(struct state_file *f);

#endif
