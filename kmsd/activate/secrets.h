/*
 * secrets.h - what kmsd hands over to unlock the host's keys: a passphrase, or the machine file's
 * secret. Each comes by descriptor and is kept in guarded memory.
 */
#ifndef KMSD_ACTIVATE_SECRETS_H
#define KMSD_ACTIVATE_SECRETS_H

#include <stddef.h>
#include <stdint.h>

struct secrets {
	uint8_t *passphrase; /* NULL: none; from sodium_malloc, as is machine */
	size_t passphrase_len;
	uint8_t *machine; /* IDENTITY_MACHINE_SECRET bytes; NULL: none */
};

/*
 * which: enum ipc_secret. KMS_E_CONFIG (logged: empty, too long, no machine file), KMS_E_IO,
 * KMS_E_NO_MEMORY, KMS_E_PEER.
 */
int secrets_read(struct secrets *s, unsigned which, int fd);
/* Call when they are no longer needed. */
void secrets_forget_passphrase(struct secrets *s);
void secrets_free(struct secrets *s);

#endif
