/*
 * player.h - pretend clients for load and kill tests: keys from a seed, requests
 * sealed and replies verified with libkms's own codecs, no state file.
 */
#ifndef KMS_T_LIB_PLAYER_H
#define KMS_T_LIB_PLAYER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "libkms/core/certificate.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/frame.h"
#include "libkms/core/hash16.h"
#include "libkms/core/message.h"
#include "libkms/core/minisig.h"
#include "libkms/core/seal.h"

#define PLAYER_REQUEST (FRAME_HEADER + SEAL_REQUEST_OVERHEAD + MESSAGE_REQUEST_TEXT)
#define PLAYER_REPLY (FRAME_HEADER + FRAME_MAX_REPLY)
#define PLAYER_NAME "pc-%llu.example" /* of a client, from its number */

struct player_host {
	struct sockaddr_in address;
	struct minisig_key publisher;
	struct certificate certificate; /* filled by player_hello, as is exchange */
	struct exchange exchange;
};

/* Plain memory: it is mapped to a file so that a million of them cost no start-up. */
struct player {
	uint8_t pk[SEAL_PUBLIC];
	uint8_t salt[HASH16_SIZE];
	struct seal_keys keys;
	uint64_t sequence; /* last used */
	bool leased;       /* its last answer was a lease: load.c's own */
};

/* Print what went wrong with errno and exit 1. */
void player_die(const char *what) __attribute__((noreturn));

/* Address, port and publisher key from text; player_die when they are invalid. */
void player_host_set(struct player_host *h, const char *address, uint16_t port, const char *key);
/* A connected socket, TCP_NODELAY; -1 and errno. */
int player_connect(const struct player_host *h);
/*
 * HELLO on a fresh connection; the certificate must verify. KMS_OK, KMS_E_IO or the check's
 * error.
 */
int player_hello(struct player_host *h);

/* The same client for the same seed and number. */
void player_make(struct player *p, const struct player_host *h, uint64_t seed, uint64_t number);
/* Its CMID alone. */
void player_cmid(uint8_t cmid[SEAL_CMID], uint64_t seed, uint64_t number);
/*
 * Seal the next request of p into frame; m's sequence, request id, name, product and time are
 * set here.
 */
void player_seal(uint8_t frame[PLAYER_REQUEST], struct player *p, const struct player_host *h,
    struct message_request *m, const uint8_t product[16], uint64_t number);
/*
 * Open a whole reply frame. Returns the host's status, or the local error that makes the
 * reply worthless. With KMS_OK the lease has passed every check; bundle and bundle_len
 * (may be NULL) point into text.
 */
int player_open(const struct player *p, const struct player_host *h, const uint8_t product[16],
    const uint8_t *frame, size_t len, uint8_t text[FRAME_MAX_REPLY], const uint8_t **bundle,
    size_t *bundle_len);

/* 16 bytes from "xxxxxxxx-xxxx-..."; player_die when it is no UUID. */
void player_uuid(uint8_t out[16], const char *text);

#endif
