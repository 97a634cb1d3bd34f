/*
 * entry.h - an entry of the journal: a leaf of a batch's Merkle tree, and,
 * for ENTRY_LEASE, the lease itself. Big-endian, layout fixed per kind, with a
 * TLV tail that the signature covers too.
 *
 * All kinds             0 16  head (entry_kind.h)
 * Client kinds (< 16)  16 16  CMID
 *                      32 16  product UUID
 *                      48 16  request id
 *                      64  8  sequence number, 1 to 2^62
 *                      72  8  expires, seconds. LEASE: after time. SEEN: end of the lease that the
 *                             client holds from before, or 0. Else 0
 *                      80  8  renew after, seconds. LEASE: not after expires. Else 0
 *                      88  4  count told
 *                      92  4  required count
 *                      96  8  publisher key id
 *                     104  2  pool number
 *                     106  2  class, 0 none
 *                     108  4  counts until, minutes since 1970, exclusive; 0: does not count
 *                     112  2  width of a slot, minutes, 1 to 1440: counts until is a multiple of it
 *                     114  1  operation
 *                     115  1  licence state told by the client
 *                     116  4  minutes of grace told by the client
 *                     120 16  commitment to the host name (aside.h), not zero
 *                     136 16  commitment to the user name; zero: none was told
 *                     152 16  commitment to the source address, not zero
 *                     168 ..  TLV tail, at most 256: 0x0001 binding (16)
 * Counts until and width: LEASE and SEEN, else 0.
 * Kinds 16 to 30, 40, 41, and 48 to 52: entry_blobs.h. Kinds 32 to 38: entry_about.h.
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_H
#define KMS_LIBKMS_CORE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/aside.h"
#include "libkms/core/entry_kind.h"
#include "libkms/core/limits.h"
#include "libkms/core/message.h"

#define ENTRY_SLOT_MAX 1440 /* minutes */

#define ENTRY_VM 0x0001          /* client says: virtual machine */
#define ENTRY_CLONE 0x0002       /* sequence collision seen */
#define ENTRY_CAUGHT_UP 0x0004   /* came with a right echo */
#define ENTRY_BORROWED 0x0008    /* LEASE and SEEN, as the next two */
#define ENTRY_OVERDRAFT 0x0010   /* above the capacity */
#define ENTRY_RIGHT 0x0020       /* used a right of the share */
#define ENTRY_STATELESS 0x0040   /* the client keeps no state */
#define ENTRY_BOUND_OTHER 0x0080 /* the binding changed, or was left out */

/* Every field of a client kind; pointers are never inside. */
struct entry_client {
	uint8_t kind;
	uint16_t flags;
	uint32_t status;
	uint64_t time;
	uint8_t cmid[16];
	uint8_t product[16];
	uint8_t request_id[16];
	uint64_t sequence;
	uint64_t expires;
	uint64_t renew_after;
	uint32_t count;
	uint32_t required;
	uint8_t publisher[8];
	uint16_t pool;
	uint16_t class;
	uint32_t until; /* minutes: counts until */
	uint16_t width; /* minutes, of a slot */
	uint8_t operation;
	uint8_t state;
	uint32_t grace_minutes;
	struct commitments commitments;
	bool bound;
	uint8_t binding[16];
};

/* Kind of an encoded entry of a known kind and version; else 0. */
int entry_kind(const uint8_t *entry, size_t len);
/* False: of a known kind that has no aside. */
bool entry_may_have_aside(const uint8_t *entry, size_t len);
/* Its time; 0 for what is too short. */
uint64_t entry_time(const uint8_t *entry, size_t len);
/*
 * Is it an entry of a kind, version and form that is known here? KMS_OK, KMS_E_SCHEMA: by another
 * version; KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT.
 */
int entry_check(const uint8_t *entry, size_t len);

struct entry_base_kept;
/* Does the encoded entry restate another, as it was (entry_base.h)? */
bool entry_base_kept_in(struct entry_base_kept *k, const uint8_t *entry, size_t len);

/*
 * Encoders return the size, 0 when it does not fit or a field is out of range. Decoders: as
 * entry_check.
 */
size_t entry_client_encode(uint8_t *out, size_t size, const struct entry_client *e);
int entry_client_decode(struct entry_client *e, const uint8_t *in, size_t len);

/*
 * When a client that is seen at a time no longer counts, in minutes, for a window in minutes: the
 * first end of a slot that is later than the window. And the width of the slots of such a window.
 */
uint16_t entry_slot_width(uint32_t window);
uint32_t entry_counts_until(uint64_t time, uint32_t window);
/* The first end of a slot that is not before that second. */
uint32_t entry_counts_through(uint64_t time, uint32_t window);

#endif
