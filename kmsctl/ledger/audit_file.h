/*
 * audit_file.h - an audit file (kms.audit(5)): a part of a host's journal, with the documents that
 * name its owner. kmsctl writes it, kmsissue reads it. Pure: no file, no key, no clock.
 *
 *   0   8  "KMSAUDIT"
 *   8   2  version, 2
 *  10   2  flags: 1 the asides are in it; all other bits zero
 *  12  16  host id
 *  28   8  first batch
 *  36   8  last batch
 *  44   8  from, seconds
 *  52   8  to
 *  60   2  number of documents
 *          each: u8 kind, u16 length, bytes: certificates by ascending serial, none twice, then
 *          the publisher's rotations as a chain
 *          then batches up to the end, each:
 *       4  length n of the items
 *     108  batch header (batch.h)
 *      64  its signature
 *       n  items (item.h); header.size of them, without asides unless the flag is set
 *
 * The head holds claims: a reader of the file compares them with what is proved.
 */
#ifndef KMSCTL_LEDGER_AUDIT_FILE_H
#define KMSCTL_LEDGER_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"
#include "libkms/core/batch.h"
#include "libkms/core/item.h"

#define AUDIT_VERSION 2
#define AUDIT_NAMES 0x0001 /* flag */
#define AUDIT_DOCUMENTS 1000
#define AUDIT_HEAD 62
#define AUDIT_DOCUMENT_HEAD 3
#define AUDIT_BATCH_HEAD (4 + BATCH_HEADER + BATCH_SIGNATURE)
#define AUDIT_ENTRIES 1024 /* of one batch, as in the journal */

enum audit_document_kind { AUDIT_CERTIFICATE = 1, AUDIT_ROTATION = 2 };

struct audit_document {
	uint8_t kind;
	const uint8_t *octets; /* borrowed */
	uint16_t len;
};
struct audit_batch {
	struct batch_header header;
	const uint8_t *header_octets, *signature; /* borrowed */
	struct item items[AUDIT_ENTRIES];         /* header.size */
	uint64_t offset;                          /* in the file */
};

struct audit_head {
	uint16_t version; /* read only */
	bool names;
	uint8_t host[16];
	uint64_t first, last; /* batches */
	uint64_t from, to;    /* the period, both ends included */
	uint16_t documents;
};

struct audit_reader {
	const uint8_t *start;
	struct wire_reader r;
	struct audit_head head;
	unsigned documents; /* left */
};

/*
 * KMS_OK, KMS_E_FORMAT (another kind of file), KMS_E_TRUNCATED, KMS_E_SCHEMA (another version,
 * which head.version holds, or an unknown flag).
 */
int audit_reader_init(struct audit_reader *a, const void *data, size_t len);
/*
 * KMS_OK, KMS_E_NOT_FOUND (there are no more), KMS_E_TRUNCATED, KMS_E_FORMAT (a batch of another
 * shape, or an aside without the flag), KMS_E_SCHEMA (a document of an unknown kind). All
 * documents come before the first batch.
 */
int audit_next_document(struct audit_reader *a, struct audit_document *out);
int audit_next_batch(struct audit_reader *a, struct audit_batch *out);
/* audit_reader_init, and past the documents: the next is the first batch. */
int audit_reader_batches(struct audit_reader *a, const void *data, size_t len);

void audit_head_encode(uint8_t out[AUDIT_HEAD], const struct audit_head *head);
void audit_document_head_encode(uint8_t out[AUDIT_DOCUMENT_HEAD], uint8_t kind, uint16_t len);

#endif
