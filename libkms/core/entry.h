/*
 * entry.h - an entry of the journal: a leaf of a batch's Merkle tree, and,
 * for ENTRY_LEASE, the lease itself. Big-endian, layout fixed per kind, with a
 * TLV tail that the signature covers too.
 *
 * All kinds             0  1  version, 1
 *                       1  1  kind
 *                       2  2  flags (ENTRY_VM, ENTRY_CLONE, ...)
 *                       4  4  status (enum kms_status)
 *                       8  8  time, seconds since 1970 UTC
 * Client kinds (< 16)  16 16  CMID
 *                      32 16  product UUID
 *                      48 16  request id
 *                      64  8  sequence number
 *                      72  8  expires, seconds (0: no lease)
 *                      80  8  renew after, seconds
 *                      88  4  current count
 *                      92  4  required count
 *                      96  8  publisher key id
 *                     104  2  pool number
 *                     106  1  operation
 *                     107  1  licence state told by the client
 *                     108  4  minutes of grace told by the client
 *                     112 16  source address (IPv4 as ::ffff:a.b.c.d)
 *                     128  1  length n of the host name, at most 64
 *                     129  n  host name, UTF-8
 *                          .. TLV tail
 * Other kinds          16 16  subject (key id, host id, CMID, pack id, or zero)
 *                      32 32  SHA-256 of the file it is about, or zero
 *                      64  2  length n of the text
 *                      66  n  text, UTF-8
 *                          2  length m of the blob
 *                          m  blob (a host certificate, ...)
 *                          .. TLV tail
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_H
#define KMS_LIBKMS_CORE_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/message.h"

#define ENTRY_VERSION 1
#define ENTRY_MAX 8192 /* bytes, any kind */
#define ENTRY_CLIENT_FIXED 129
#define ENTRY_CLIENT_MAX (ENTRY_CLIENT_FIXED + MESSAGE_NAME)

#define ENTRY_VM 0x0001    /* client says: virtual machine */
#define ENTRY_CLONE 0x0002 /* sequence collision seen */

enum entry_kind {
	ENTRY_LEASE = 1,        /* activated: this entry is the lease */
	ENTRY_SEEN = 2,         /* counted, below the threshold */
	ENTRY_RELEASE = 3,      /* seat given back */
	ENTRY_REFUSAL = 4,      /* refused: status says why; not counted */
	ENTRY_START = 16,       /* activation process started; text: version */
	ENTRY_KEY = 17,         /* host key installed; subject: host key id */
	ENTRY_CERTIFICATE = 18, /* host confirmed; blob: the certificate */
	ENTRY_POLICY = 19,      /* pack installed; text: name and version */
	ENTRY_REVOKE = 20,      /* client revoked; subject: CMID */
	ENTRY_FORGET = 21,      /* client record dropped; subject: CMID */
	ENTRY_KEY_REMOVE = 22,
	/* another host's answer passed through the relay; entry_relayed */
	ENTRY_RELAYED = 24,
	ENTRY_ROTATION = 25,    /* new publisher key announced; blob: the statement */
	ENTRY_REVOCATIONS = 26, /* revocation list installed; subject: publisher */
	/* what that host's own log says about a client; entry_relayed_name */
	ENTRY_RELAYED_NAME = 27,
};

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
	uint8_t operation;
	uint8_t state;
	uint32_t grace_minutes;
	uint8_t address[16];
	char name[MESSAGE_NAME + 1];
};

struct entry_admin {
	uint8_t kind;
	uint32_t status;
	uint64_t time;
	uint8_t subject[16];
	uint8_t digest[32];
	const char *text; /* borrowed, not terminated */
	size_t text_len;
	const uint8_t *blob; /* borrowed */
	size_t blob_len;
};

/* Kind of an encoded entry; 0 when it is not an entry. */
int entry_kind(const uint8_t *entry, size_t len);
static inline int
entry_kind_is_client(int kind)
{
	return kind > 0 && kind < 16;
}

/*
 * Encoders return the size, 0 when it does not fit; decoders KMS_OK, KMS_E_TRUNCATED,
 * KMS_E_TRAILING, KMS_E_FORMAT.
 */
size_t entry_client_encode(uint8_t *out, size_t size, const struct entry_client *e);
int entry_client_decode(struct entry_client *e, const uint8_t *in, size_t len);
size_t entry_admin_encode(uint8_t *out, size_t size, const struct entry_admin *e);
int entry_admin_decode(struct entry_admin *e, const uint8_t *in, size_t len);

#endif
