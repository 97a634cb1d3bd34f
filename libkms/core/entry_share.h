/*
 * entry_share.h - entries of a host that counts together with others: kinds 48 to 52. The form of
 * entry_blobs.h; subject: host id of the host that writes it; digest zero. Text and blob:
 *
 * 48 SHARE   text: name of the share. blob:
 *            0  1  1: this host has the first rights, those of its certificate; else 0
 * 49 HEARD   how far it heard the others: these batches are on its disk, and in its rows. blob, 1
 *            to 64 times, by host id ascending, none twice, and none the subject:
 *            0 16  host id      16  8  number of the batch, not 0     24 32  hash of its header
 * 50 GIVE    rights that this host no longer has. blob:
 *            0  8  publisher     8  2  pool
 *           10 16  host id of the host that gets them, not the subject
 *           26  4  rights, not 0
 * 51 ALONE   text: reason, where an administrator said so, at most 100; none with 0. blob:
 *            0  1  1: it counts as alone from now on; 0: no longer
 * 52 HELD    rights that it may have used, and lost what it wrote of them: not its own for now.
 *            0  8  publisher     8  2  pool     10  4  rights, not 0
 *           14  8  until, seconds by its own clock, after the entry's time
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_SHARE_H
#define KMS_LIBKMS_CORE_ENTRY_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_SHARE_BLOB 1
#define ENTRY_HEARD_MAX 64
#define ENTRY_HEARD_ONE 56
#define ENTRY_HEARD_BLOB (ENTRY_HEARD_MAX * ENTRY_HEARD_ONE)
#define ENTRY_GIVE_BLOB 30
#define ENTRY_ALONE_BLOB 1
#define ENTRY_ALONE_REASON 100
#define ENTRY_HELD_BLOB 22

struct entry_heard {
	uint8_t host[16];
	uint64_t number; /* of a batch of that host's chain */
	uint8_t hash[32];
};
struct entry_give {
	uint8_t publisher[8];
	uint16_t pool;
	uint8_t to[16]; /* host id */
	uint32_t rights;
};
struct entry_held {
	uint8_t publisher[8];
	uint16_t pool;
	uint32_t rights;
	uint64_t until; /* seconds */
};

/*
 * The blobs, for entry_admin_encode, which checks the whole; each returns its size, 0: it does not
 * fit. heard: ascending by host id. SHARE and ALONE: the blob is one octet, 1 or 0.
 */
size_t entry_heard_put(uint8_t *out, size_t size, const struct entry_heard *heard, unsigned count);
size_t entry_give_put(uint8_t *out, size_t size, const struct entry_give *g);
size_t entry_held_put(uint8_t *out, size_t size, const struct entry_held *h);

/* Of an entry of one of these kinds whose blob has a length that the kind may have. */
struct entry_share_parts {
	int kind;
	uint64_t time;
	const uint8_t *subject; /* 16 */
	const char *text;
	size_t text_len;
	const uint8_t *blob;
	size_t blob_len;
};
bool entry_share_ok(const struct entry_share_parts *p);

/* Of a blob that is ok. */
unsigned entry_heard_count(size_t len);
void entry_heard_get(struct entry_heard *out, const uint8_t *blob, unsigned i);
void entry_give_get(struct entry_give *out, const uint8_t *blob);
void entry_held_get(struct entry_held *out, const uint8_t *blob);

#endif
