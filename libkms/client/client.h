/*
 * client.h - the inside of struct kms_client, for libkms's own files.
 */
#ifndef KMS_LIBKMS_CLIENT_CLIENT_H
#define KMS_LIBKMS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libkms/client/discover.h"
#include "libkms/client/state_file.h"
#include "libkms/client/watch.h"
#include "libkms/core/message.h"
#include "libkms/core/minisig.h"
#include "libkms/kms.h"

/* Times, milliseconds, when the product names none. */
#define CLIENT_CONNECT_TIMEOUT 5000
#define CLIENT_REPLY_TIMEOUT 10000
#define CLIENT_TOTAL_TIMEOUT 30000
#define CLIENT_CLOSE_TIMEOUT 2000
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
	char user[MESSAGE_NAME + 1]; /* "": not told */
	/* Pins: NULL, false: any */
	char *customer;
	bool has_host_key;
	uint8_t host_key[16];
	bool virtual_machine;
	uint32_t grace_minutes;
	uint32_t connect_timeout;
	uint32_t reply_timeout;
	uint32_t total_timeout;
	uint32_t close_timeout;
	bool stateless;
	/* A host counts this client, or may: a request was sent, and nothing says the contrary. */
	bool seat;
	pid_t owner; /* the process that asked last */
	/* Where this client without state is counted. */
	bool has_served;
	struct discover_address served;
	struct ask *ask;     /* of kms_start, until it has an end; NULL: none */
	struct watch *watch; /* NULL: nobody asked for a descriptor */
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
/*
 * Takes the lock and the secret, to ask a host: c->secret is not NULL until client_end. What
 * state_lock and state_secret return; KMS_E_EXISTS also: this object asks already.
 */
int client_begin(struct kms_client *c, struct fault *fault);
void client_end(struct kms_client *c);
/* Gives the seat of a client without state back, if it has one, within its close_timeout. */
void client_give_back(struct kms_client *c);

#endif
