/*
 * limits.h - the size of everything that travels or is stored, in bytes, in one place, and the
 * longest times that a policy pack may set. Each number is an expression over those above it. The
 * codec of a structure asserts its own numbers; nobody else defines one.
 */
#ifndef KMS_LIBKMS_CORE_LIMITS_H
#define KMS_LIBKMS_CORE_LIMITS_H

/* TLV tails: type 2, length 2 and value, of all TLVs together. */
#define TAIL_HELLO 64
#define TAIL_REQUEST 512
#define TAIL_REPLY 256

/* Widths of texts. */
#define MESSAGE_NAME 64 /* of a host or a user */

/* Texts inside REQUEST and REPLY: the fixed part. */
#define MESSAGE_REQUEST_TEXT 144
#define MESSAGE_REPLY_TEXT 52

/* What a publisher and a host sign for clients. */
#define TAIL_CERTIFICATE 1024
#define CERTIFICATE_FIXED 200
#define CERTIFICATE_PRODUCTS 128
#define CERTIFICATE_SIGNATURE 64
#define CERTIFICATE_MAX                                                                            \
	(CERTIFICATE_FIXED + 16 * CERTIFICATE_PRODUCTS + 2 + TAIL_CERTIFICATE +                    \
	    CERTIFICATE_SIGNATURE)
#define ENTITLEMENTS_MAX 512
#define EXCHANGE_SIZE 160 /* a statement of an exchange key */
#define ROTATION_SIZE 232 /* a statement of a publisher's rotation */
#define ROTATION_CHAIN_MAX 32

/* HELLO_REPLY: time, exchange statement, certificate, rotations. */
#define TAIL_HELLO_REPLY (ROTATION_CHAIN_MAX * (4 + ROTATION_SIZE))
#define HELLO_REPLY_MAX (8 + EXCHANGE_SIZE + 2 + CERTIFICATE_MAX + TAIL_HELLO_REPLY)

/* What is in the ledger. Aside: form, salt, address, and two texts with their lengths. */
#define ASIDE_MAX (1 + 16 + 16 + 2 * (1 + MESSAGE_NAME))
#define ENTRY_CLIENT_FIXED 168
#define TAIL_ENTRY_CLIENT 256
#define ENTRY_CLIENT_MAX (ENTRY_CLIENT_FIXED + TAIL_ENTRY_CLIENT)
#define ENTRY_MAX 8192 /* any kind */
#define ITEM_CLIENT_MAX (2 + ENTRY_CLIENT_MAX + 1 + ASIDE_MAX)
#define ITEM_MAX (2 + ENTRY_MAX + 1 + ASIDE_MAX)

#define BATCH_HEADER 108
#define BATCH_SIGNATURE 64
#define MERKLE_HASH 32
#define MERKLE_MAX_PROOF 20 /* trees of at most 2^20 leaves */
#define LEASE_MAX                                                                                  \
	(2 + ENTRY_CLIENT_MAX + BATCH_HEADER + BATCH_SIGNATURE + 4 + 1 +                           \
	    MERKLE_MAX_PROOF * MERKLE_HASH + 1 + ASIDE_MAX)

/* Payloads of frames: a REQUEST's and a REPLY's, and what is allowed. */
#define REQUEST_MAX (16 + 8 + 32 + 24 + MESSAGE_REQUEST_TEXT + TAIL_REQUEST + 16)
#define REPLY_MAX (24 + MESSAGE_REPLY_TEXT + LEASE_MAX + TAIL_REPLY + 16)
#define FRAME_MAX_REQUEST 1024
#define FRAME_MAX_REPLY 12288

/* A client's two files, and a lease and evidence for others to verify. */
#define AFTER_HOSTS 32
#define AFTER_IDS 9
#define CLIENT_KEY_FIXED 128
#define CLIENT_KEY_MAX (CLIENT_KEY_FIXED + 2 + AFTER_HOSTS * (54 + 16 * AFTER_IDS) + 32)
#define CLIENT_HOSTS 8
#define CLIENT_HOST_MAX (25 + 3 * (BATCH_HEADER + BATCH_SIGNATURE))
#define CLIENT_STATE_MAX                                                                           \
	(200 + 1 + ROTATION_CHAIN_MAX * ROTATION_SIZE + 2 * (2 + CERTIFICATE_MAX) + 1 +            \
	    EXCHANGE_SIZE + 2 + LEASE_MAX + 1 + CLIENT_HOSTS * CLIENT_HOST_MAX + 32)
#define LEASE_FILE_MAX                                                                             \
	(8 + 1 + ROTATION_CHAIN_MAX * ROTATION_SIZE + 2 + CERTIFICATE_MAX + LEASE_MAX)
#define EVIDENCE_FILE_MAX                                                                          \
	(8 + 1 + ROTATION_CHAIN_MAX * ROTATION_SIZE + 2 + CERTIFICATE_MAX +                        \
	    2 * (BATCH_HEADER + BATCH_SIGNATURE))

/* A batch in the journal: entries, bytes of items, and the whole record in sectors of 512. */
#define RECORD_ENTRIES 1024
#define RECORD_OCTETS (640 * 1024)
#define RECORD_HEAD 204
#define RECORD_TRAILER 12
#define RECORD_MAX ((RECORD_HEAD + RECORD_OCTETS + RECORD_TRAILER + 511) / 512 * 512)

/* What a pack may set, in minutes; a client believes no host that says more (told.h). */
#define PACK_YEAR (366 * 24 * 60)
#define PACK_ACTIVATION_MAX (30 * 24 * 60)
#define PACK_RENEWAL_MAX PACK_YEAR
#define PACK_VALIDITY_MAX (10 * PACK_YEAR)

_Static_assert(REQUEST_MAX <= FRAME_MAX_REQUEST, "a frame takes a request");
_Static_assert(
    REPLY_MAX <= FRAME_MAX_REPLY && HELLO_REPLY_MAX <= FRAME_MAX_REPLY, "a frame takes an answer");
_Static_assert(ASIDE_MAX <= 255, "its length is one byte");
_Static_assert(RECORD_OCTETS >= RECORD_ENTRIES * ITEM_CLIENT_MAX && RECORD_OCTETS >= ITEM_MAX,
    "a batch holds as many of the largest entries of clients as it may have entries");

#endif
