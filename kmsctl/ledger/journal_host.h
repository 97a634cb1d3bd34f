/*
 * journal_host.h - whose journal is it? A host continues no journal but its own: kmsd would refuse
 * it at its next start, when the ledger that was there is gone.
 */
#ifndef KMSCTL_LEDGER_JOURNAL_HOST_H
#define KMSCTL_LEDGER_JOURNAL_HOST_H

#include <stdint.h>

#include "libkms/base/fault.h"

/*
 * Is the last batch of the journal below `from` (a path for people: from_name) signed by the host
 * identity below the state directory? KMS_E_UNKNOWN_HOST: by another one. KMS_E_NOT_FOUND: there is
 * no host identity, or no batch. Else why the journal or keys/host.key cannot be read.
 */
int journal_host_check(
    int from, const char *from_name, int state, const char *state_name, struct fault *fault);
/* The public key of the host identity below the state directory. KMS_E_NOT_FOUND: there is none. */
int journal_host_key(uint8_t sign_pk[32], int state, const char *state_name, struct fault *fault);

#endif
