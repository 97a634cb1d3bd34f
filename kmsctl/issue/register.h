/*
 * register.h - the publisher's register, DIR/issued/ledger: everything that was ever issued, as
 * numbered events that are only added. Serial numbers, the limits of host keys and the revocation
 * list come from it. Kept in LMDB (register.c is the only file here that knows it), one
 * transaction for each command: after a crash, an event is complete, with everything derived from
 * it, or absent.
 *
 * Event, all integers big-endian:
 *   0  1  version, 2                    94  8  not before, or from
 *   1  1  kind                         102  8  not after, or until
 *   2  2  flags (EVENT_OVERRIDE)       110  4  capacity
 *   4  8  time                         114  2  hosts
 *  12  8  publisher key id             116  2  confirmations
 *  20 16  host key                     118 32  SHA-256 of the request
 *  36 16  host id                      150 32  SHA-256 of the certificate's signed bytes
 *  52  8  serial, list number, batch   182  8  new publisher key id
 *  60  2  number of this confirmation  190 32  new publisher key
 *  62 32  group, zero padded           222     customer, host name, reason: u8 length, text, each;
 *                                       then entitlements: u16 length, entitlement.h's bytes
 * and in the register 32 bytes behind it: SHA-256 of the 32 of the event before (zeros for the
 * first) and of this one. Fields that a kind does not have are zero. AUDIT: host; serial, the last
 * batch; request, the hash of its header; from and until, the period; capacity, the most clients
 * that a pool counted on a day of it; customer.
 */
#ifndef KMSCTL_ISSUE_REGISTER_H
#define KMSCTL_ISSUE_REGISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "policy/host_key.h"

#define EVENT_MAX (768 + 2 + ENTITLEMENTS_MAX)
#define EVENT_REASON 100
/* Confirmed beyond a limit, or audited in spite of the last audit; reason says why. */
#define EVENT_OVERRIDE 0x0001

enum event_kind {
	EVENT_KEY = 1,           /* KMS host key issued */
	EVENT_CONFIRM = 2,       /* host confirmed */
	EVENT_REVOKE_KEY = 3,    /* host_key */
	EVENT_REVOKE_HOST = 4,   /* host */
	EVENT_REVOKE_SERIAL = 5, /* certificate, serial */
	EVENT_REVOCATIONS = 6,   /* list number `serial` signed */
	EVENT_ROTATE = 7,        /* new_publisher announced */
	EVENT_AUDIT = 8,         /* journal of host verified up to batch `serial` */
};

struct register_event {
	uint64_t number; /* from 1, without gaps; not encoded: the key */
	uint8_t kind;
	uint16_t flags;
	uint64_t time;
	uint8_t publisher[8];
	uint8_t host_key[16];
	uint8_t host[16];
	uint64_t serial;
	uint16_t confirmation;
	char group[33];
	uint64_t from, until;
	uint32_t capacity;
	uint16_t hosts, confirmations;
	uint8_t request[32];
	uint8_t certificate[32];
	uint8_t new_publisher[8];
	uint8_t new_pk[32];
	char customer[65];
	char host_name[65];
	char reason[EVENT_REASON + 1];
	struct entitlements entitlements;
};

/*
 * register_event.c, pure. 0: does not fit. KMS_OK, KMS_E_TRUNCATED, KMS_E_TRAILING,
 * KMS_E_FORMAT, KMS_E_SCHEMA (another version, or a kind of a later one).
 */
size_t register_event_encode(uint8_t *out, size_t size, const struct register_event *e);
int register_event_decode(struct register_event *e, const uint8_t *in, size_t len);
const char *register_event_name(uint8_t kind);

struct issue_register;

/* Opens and begins a transaction; write: waits for the writer. KMS_E_ALTERED: f says what to do.
 */
int register_open(struct issue_register **out, const char *issued, bool write, struct fault *f);
/* When it returns KMS_OK, the added events are on disk; only register_close may follow. */
int register_commit(struct issue_register *r);
/* drops what was not committed; NULL is fine */
void register_close(struct issue_register *r);

/* The confirmation that answered exactly this request. KMS_E_NOT_FOUND. */
int register_answered(
    struct issue_register *r, const uint8_t request[32], struct register_event *out);
/*
 * Serial and number of the next confirmation of host under key, filled into e (host_key and host
 * are set). KMS_E_LIMIT: e is filled anyway, f says which limit; KMS_E_KEY_INVALID: revoked.
 */
int register_next(struct issue_register *r, const struct host_key *key, struct register_event *e,
    struct fault *f);
/*
 * May what the event confirms be used? KMS_E_KEY_INVALID: its key, host or certificate was
 * revoked; f says so.
 */
int register_check(struct issue_register *r, const struct register_event *e, struct fault *f);
/* Was it revoked before? (kind and subject of e) KMS_E_NOT_FOUND: no. */
int register_revoked(struct issue_register *r, const struct register_event *e);
/* Is that key, host or serial number in the register? KMS_E_NOT_FOUND. */
int register_known(struct issue_register *r, const struct register_event *e);
/* Number of the next revocation list. */
int register_next_list(struct issue_register *r, uint64_t *number);
/* Sets e->number. KMS_E_FULL, KMS_E_IO, KMS_E_ARGUMENT (a text too long). */
int register_append(struct issue_register *r, struct register_event *e);
/*
 * Every event in order, the chain of hashes checked. Callback non-zero stops and is returned.
 * KMS_E_ALTERED.
 */
int register_each(struct issue_register *r, int (*fn)(const struct register_event *e, void *arg),
    void *arg, struct fault *f);

#endif
