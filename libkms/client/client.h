/*
 * client.h - the inside of struct kms_client, for libkms's own files.
 */
#ifndef KMS_LIBKMS_CLIENT_CLIENT_H
#define KMS_LIBKMS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/discover.h"
#include "libkms/client/licence.h"
#include "libkms/client/state.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/message.h"
#include "libkms/core/minisig.h"
#include "libkms/core/seal.h"
#include "libkms/kms.h"

/* Times, milliseconds, when the product names none. */
#define CLIENT_CONNECT_TIMEOUT 5000
#define CLIENT_REPLY_TIMEOUT 10000
#define CLIENT_TOTAL_TIMEOUT 30000
/*
 * A request without an answer is repeated unchanged for this long (seconds); then a new one is
 * made.
 */
#define CLIENT_PENDING 3600

struct kms_client {
	struct state_file *file;
	struct state *state; /* in guarded memory, owned by file */
	struct minisig_key publisher;
	uint8_t product[16];
	uint8_t cmid[16];
	char *host; /* the options', copied; NULL: not given */
	char *domain;
	char *nameserver;
	char name[MESSAGE_NAME + 1];
	bool virtual_machine;
	uint32_t grace_minutes;
	uint32_t connect_timeout;
	uint32_t reply_timeout;
	uint32_t total_timeout;
	uint64_t (*now)(void *arg);
	void *now_arg;
};

uint64_t client_now(struct kms_client *c);
/* Remembers the local time; writes it to disk when it has changed enough. */
int client_see_time(struct kms_client *c);

/*
 * stored.c: the lease on disk. Everything but its dates: KMS_OK, KMS_E_NO_LEASE,
 * KMS_E_LEASE_OTHER, ...
 */
int client_lease(struct kms_client *c, struct entry_client *out);
void client_facts(struct kms_client *c, struct licence_facts *out, uint64_t now);

/* A list of hosts to try: the fixed one or the SRV records'. */
int client_hosts(struct kms_client *c, struct discover *d,
    struct discover_host hosts[DISCOVER_HOSTS], size_t *count);

/* One request of a kms_activate, kms_renew or kms_release, over however many hosts it takes. */
struct ask {
	struct kms_client *c;
	uint8_t operation; /* enum message_operation */
	uint8_t request_id[16];
	int64_t deadline; /* clock_ms, of the whole call */
	bool refreshed;   /* certificate fetched in this call from this host */
	bool caught_up;   /* sequence corrected once in this call */
	bool from_host;   /* result->status is what a host said */
	struct kms_result result;
};

/*
 * trust.c: what verifies with the publisher's key, or with the other key of a rotation that
 * contains it. fresh: it came from a host just now, so the dates of the rotation apply; what was
 * stored stays valid.
 */
/* remembers it, if it is ours; NULL: none */
void trust_rotation(struct kms_client *c, const uint8_t *statement);
int trust_certificate(
    struct kms_client *c, struct certificate *cert, const uint8_t *octets, size_t len, bool fresh);
int trust_lease(struct kms_client *c, struct entry_client *out, const uint8_t *bundle, size_t len,
    const struct certificate *cert);

struct transport;
/*
 * converse.c: the whole dialogue on one connection. Sets ask->result and the
 * state. True: this answer is final; false: another host may do better.
 */
bool converse(struct ask *a, struct transport *t);
/*
 * Notes why there is no better answer yet; a host's answer is kept when a later connection fails.
 */
void ask_note(struct ask *a, uint32_t status, bool from_host, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
