/*
 * entry_relayed.h - the two kinds of entry that a relay makes: ENTRY_RELAYED and
 * ENTRY_RELAYED_NAME, as blobs of entry_blobs.h.
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_RELAYED_H
#define KMS_LIBKMS_CORE_ENTRY_RELAYED_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/aside.h"

/*
 * ENTRY_RELAYED: subject is the commitment to the client's address, digest zero, text the name of
 * the KMS host, blob
 *    0  1  outcome (enum ipc_relayed_outcome)   1  2  major   3  2  minor version, 0.0: not known
 *    5  4  bytes of payload sent               9  4  received
 *   13  4  RPC status                          17  4  latency, microseconds
 *   21 16  address of the KMS host             37  2  its port
 * ENTRY_RELAYED_NAME: subject the same commitment, digest that to the client's host name and 16
 * zeros, no text, blob
 *    0 16  CMID   16  4  count   20  8  time of the request, as the KMS host logged them
 * The aside of each has the address; that of the second the name too. Its salt is made from the
 * address with a key of the host, so that all entries of one address have one subject.
 */
struct entry_relayed {
	uint64_t time;
	uint8_t subject[COMMITMENT];
	uint8_t outcome;
	uint16_t major, minor;
	uint32_t sent, received, status, latency;
	uint8_t address[16];
	uint16_t port;
	char name[65];
};
struct entry_relayed_name {
	uint64_t time;
	uint8_t subject[COMMITMENT];
	uint8_t name[COMMITMENT];
	uint8_t cmid[16];
	uint32_t count;
	uint64_t told;
};
/* As in entry.h. */
size_t entry_relayed_encode(uint8_t *out, size_t size, const struct entry_relayed *e);
int entry_relayed_decode(struct entry_relayed *e, const uint8_t *in, size_t len);
size_t entry_relayed_name_encode(uint8_t *out, size_t size, const struct entry_relayed_name *e);
int entry_relayed_name_decode(struct entry_relayed_name *e, const uint8_t *in, size_t len);

#endif
