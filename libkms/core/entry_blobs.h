/*
 * entry_blobs.h - entries about the host, its files and its relay: kinds 16 to 30, 40, 41,
 * and 48 to 52.
 *
 * All kinds: head of 16 (entry_kind.h), flags and status zero
 *                      16 16  subject
 *                      32 32  digest
 *                      64  2  length n of the text
 *                      66  n  text
 *                          2  length m of the blob
 *                          m  blob
 *                          .. TLV tail
 *
 * kind               subject            digest                 text               blob
 * 16 START           host id            0                      kmsd VERSION       S (32)
 * 17 KEY             host key id        SHA-256 of the file    customer
 * 18 CERTIFICATE     host key id        SHA-256 of it                             certificate
 * 19 POLICY          publisher, zeros   SHA-256 of the file    name and version
 * 22 KEY_REMOVE      host key id        0                      customer
 * 24 RELAYED         entry_relayed.h
 * 25 ROTATION        publisher, zeros   0                                         statement 232
 * 26 REVOCATIONS     publisher, zeros   SHA-256 of the file                       number 4
 * 27 RELAYED_NAME    entry_relayed.h
 * 28 WITNESS         CMID               SHA-256 of the header                     header 108,
 *                                                                                 signature 64
 * 29 RESTORED        host id            SHA-256 of the last                       its number 8, its
 *                                       header that is left                       time 8, cause 1
 * 30 CLOCK           host id            0                                         time of the batch
 *                                                                                 before 8, seconds
 *                                                                                 it is ahead 8
 * 40 COUNTERS        entry_counters.h
 * 41 BASE            entry_base.h
 * 48 to 52           entry_share.h
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_BLOBS_H
#define KMS_LIBKMS_CORE_ENTRY_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/entry_kind.h"

/* Sizes of the blobs of the two kinds of entry_relayed.h. */
#define ENTRY_RELAYED_BLOB 39
#define ENTRY_RELAYED_NAME_BLOB 28

/* Cause of RESTORED. */
enum entry_restored {
	RESTORED_BACKUP = 1,  /* kmsctl ledger restore */
	RESTORED_TAIL = 2,    /* a part that the share does not have was set aside */
	RESTORED_NOTHING = 3, /* the ledger was missing */
};

struct entry_admin {
	uint8_t kind;
	uint64_t time;
	uint8_t subject[16];
	uint8_t digest[32];
	const char *text; /* borrowed, not terminated */
	size_t text_len;
	const uint8_t *blob; /* borrowed */
	size_t blob_len;
};

/* Is the kind one of these, and known? */
bool entry_blobs_kind(int kind);
/* As in entry.h. KMS_E_FORMAT too for a blob whose length is not that of its kind. */
size_t entry_admin_encode(uint8_t *out, size_t size, const struct entry_admin *e);
int entry_admin_decode(struct entry_admin *e, const uint8_t *in, size_t len);

#endif
