/*
 * client.h - the inside of struct kms_client, for libkms's own files.
 */
#ifndef KMS_LIBKMS_CLIENT_CLIENT_H
#define KMS_LIBKMS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/client/state_file.h"
#include "libkms/core/message.h"
#include "libkms/core/minisig.h"
#include "libkms/kms.h"

/* Times, milliseconds, when the product names none. */
#define CLIENT_CONNECT_TIMEOUT 5000
#define CLIENT_REPLY_TIMEOUT 10000
#define CLIENT_TOTAL_TIMEOUT 30000
/*
 * A request without an answer is repeated unchanged for this long (seconds); then a new one is
 * made, unless it echoes a challenge.
 */
#define CLIENT_PENDING 3600

struct kms_client {
	struct state_file *file;
	struct state *state;   /* owned by file */
	struct secret *secret; /* owned by file; NULL outside client_begin and client_end */
	struct minisig_key publisher;
	uint8_t product[16];
	uint8_t cmid[16];
	char *host; /* the options', copied; NULL: not given */
	char *domain;
	char *nameserver;
	char name[MESSAGE_NAME + 1];
	/* Pins: NULL, false: any */
	char *customer;
	bool has_host_key;
	uint8_t host_key[16];
	bool virtual_machine;
	uint32_t grace_minutes;
	uint32_t connect_timeout;
	uint32_t reply_timeout;
	uint32_t total_timeout;
	uint64_t (*now)(void *arg);
	void *now_arg;
};

/* Is the certificate one that the product asked for? KMS_OK or KMS_E_PINNED. */
int client_pinned(const struct kms_client *c, const struct certificate *cert);
uint64_t client_now(struct kms_client *c);
/*
 * A struct of kms.h for the caller, whose first member says how much of it he knows. full: of ours
 * bytes.
 */
void client_give(void *out, const void *full, size_t ours);
/* Reads FILE again: another process may have asked meanwhile. */
int client_refresh(struct kms_client *c);
/*
 * Remembers the local time; writes it to disk when it has changed enough. KMS_OK also when this
 * user may not write FILE, another process is writing it, or the disk is full.
 */
int client_see_time(struct kms_client *c);
/* Takes the lock and the secret, to ask a host. What state_lock and state_secret return. */
int client_begin(struct kms_client *c, struct fault *fault);
void client_end(struct kms_client *c);

#endif
