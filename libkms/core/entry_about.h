/*
 * entry_about.h - entries about one client that the host makes: kinds 32 to 38.
 *
 *   0  16  head (entry_kind.h); flags zero; status HOLD KMS_E_CLONE, RECLAIM
 *          KMS_E_RECLAIMED, else 0
 *  16  16  CMID; ERASE: zero is all clients; EXPIRE: zero
 *  32   8  counter, at least 1: a clock of the host that only counts
 *  40   8  through, at most 2^62: the highest sequence number of the client that this host had
 *          seen, 0 without; EXPIRE: the rows that it means, ENTRY_EXPIRE_REFUSALS ..., at least 1
 *  48   8  value: HOLD: end of the hold; ERASE: asides of entries up to this time are erased, not
 *          after the entry's time; EXPIRE: rows last seen up to this time, likewise; else 0
 *  56  16  other: RECLAIM: CMID of the client that gets the seat; else zero
 *  72  16  product of the seat that ends, zero: not known
 *  88   8  its publisher
 *  96   2  its pool
 *  98   2  its class
 * 100   1  length n of the reason, at most 100
 * 101   n  reason, text, by the administrator
 *          TLV tail, none defined
 *
 * REVOKE, UNREVOKE, FORGET and RECLAIM end the client's seat, up to through. HOLD, ERASE and EXPIRE
 * leave it: for them the fields of the seat, and for ERASE through, are zero. EXPIRE has no reason.
 * Rows that it means are absent from then on, but for those of a client that is revoked or held.
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_ABOUT_H
#define KMS_LIBKMS_CORE_ENTRY_ABOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/entry_kind.h"

#define ENTRY_REASON 100
/* Rows that an EXPIRE means. */
#define ENTRY_EXPIRE_REFUSALS 1  /* of clients that were only ever refused */
#define ENTRY_EXPIRE_FORGOTTEN 2 /* of clients that an administrator's FORGET ended */
#define ENTRY_EXPIRE_RELAYED 4   /* of sources that the relay observed */
#define ENTRY_EXPIRE_ALL 7
#define ENTRY_ABOUT_FIXED 101
#define ENTRY_ABOUT_MAX (ENTRY_ABOUT_FIXED + ENTRY_REASON) /* as written here: without a tail */

struct entry_about {
	uint8_t kind;
	uint64_t time;
	uint8_t cmid[16];
	uint64_t counter;
	uint64_t through;
	uint64_t value;
	uint8_t other[16];
	uint8_t product[16];
	uint8_t publisher[8];
	uint16_t pool;
	uint16_t class;
	char reason[ENTRY_REASON + 1];
};

/* REVOKE, UNREVOKE, FORGET, RECLAIM. */
bool entry_about_ends_seat(int kind);
/* As in entry.h; the status follows from the kind. */
size_t entry_about_encode(uint8_t *out, size_t size, const struct entry_about *e);
int entry_about_decode(struct entry_about *e, const uint8_t *in, size_t len);

#endif
