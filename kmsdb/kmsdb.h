/*
 * kmsdb.h - the ledger: a signed, hash-chained journal of batches, and LMDB as its index. The
 * journal is the record; the index can be rebuilt from it.
 *
 * One writer (kmsd-activate). Everything below is called from one thread; a writer thread of kmsdb
 * writes the overlay to LMDB.
 *
 * Way of a batch: kmsdb_stage (an entry; its effect on clients and counters is
 * visible to the next lookup at once) ... kmsdb_commit (tree, header, sign,
 * append, fdatasync) or, when commit fails, everything staged is undone.
 */
#ifndef KMSDB_KMSDB_H
#define KMSDB_KMSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/core/batch.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

#define KMSDB_BATCH_MAX 1024 /* entries in a batch */

/* Index row of a client: what a decision needs. Derived from entries alone. */
struct kmsdb_client {
	uint8_t cmid[16];
	uint8_t product[16];
	uint8_t publisher[8];
	uint16_t pool;
	uint8_t kind;           /* enum entry_kind of its last entry that counted */
	uint8_t flags;          /* KMSDB_REVOKED ... */
	uint16_t clones;        /* entries marked ENTRY_CLONE, saturating */
	uint32_t status;        /* of its last entry */
	uint32_t entries;       /* how many client entries, saturating */
	uint32_t seen_day;      /* day (time / 86400) it counts on; 0: not counted */
	uint64_t last_seen;     /* seconds */
	uint64_t expires;       /* of its last lease, 0 none */
	uint64_t sequence;      /* highest */
	uint8_t request_id[16]; /* of that sequence number */
	uint64_t batch;         /* batch of the entry with that sequence number */
	uint32_t leaf;
};
#define KMSDB_REVOKED 0x01
#define KMSDB_RELEASED 0x02
#define KMSDB_VM 0x04

/* The rest of a client, stored separately because it seldom changes. */
struct kmsdb_host {
	uint8_t cmid[16];
	char name[MESSAGE_NAME + 1];
	uint8_t address[16];
	uint64_t first_seen;
};

/*
 * What the relay observed of one source, which is not a client of this host and is counted nowhere.
 */
#define KMSDB_RELAYED_OUTCOMES 6 /* IPC_RELAYED_OUTCOMES, in its order */
#define KMSDB_RELAYED_VERSIONS 4
#define KMSDB_RELAYED_HOSTS 3
struct kmsdb_relayed {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint64_t first_seen, last_seen;
	uint32_t outcomes[KMSDB_RELAYED_OUTCOMES];
	uint8_t outcome;          /* of the last exchange, from 1 */
	uint32_t status, latency; /* the same; microseconds */
	struct kmsdb_relayed_version {
		uint16_t major, minor;
		uint32_t count; /* 0: free */
	} versions[KMSDB_RELAYED_VERSIONS];
	uint32_t other_versions;
	struct kmsdb_relayed_host {
		uint8_t address[16];
		uint16_t port;
		uint32_t count;
	} hosts[KMSDB_RELAYED_HOSTS];
	uint32_t other_hosts;
	uint8_t cmid[16]; /* by the KMS host's own log; name "": not imported */
	uint32_t count;
	uint64_t told;
	char name[MESSAGE_NAME + 1];
};

struct kmsdb_options {
	uint64_t segment_size;       /* bytes, default 64 MiB, at least 1 MiB */
	size_t overlay_records;      /* default 150000; two generations exist at once */
	uint64_t map_size;           /* LMDB map at start; grows by itself; default 1 GiB */
	unsigned checkpoint_seconds; /* longest age of an overlay, default 60 */
	bool read_only;              /* kmsctl: no journal lock, no replay, no thread */
	uint8_t sign_pk[32];         /* to verify the last batch at start */
	bool have_sign_pk;
	/* syslog levels */
	void (*log)(int level, const char *event, const char *text, void *arg);
	void *log_arg;
};

struct kmsdb;

/*
 * Open kmsdb/ under dirfd (creates it when absent: journal/NNNN.seg, index/). Repairs a torn tail
 * (and logs that), replays from the index's last batch. KMS_OK, KMS_E_ALTERED, KMS_E_MISSING,
 * KMS_E_CHAIN, KMS_E_SCHEMA, KMS_E_FULL, KMS_E_IO, KMS_E_NO_MEMORY, KMS_E_EXISTS (another writer).
 * fault: where, and what to do.
 */
int kmsdb_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, struct fault *fault);
void kmsdb_close(struct kmsdb *db); /* last checkpoint, then frees; NULL is fine */
/*
 * Starts the writer thread; otherwise the first commit does. A process that confines itself calls
 * this after uid, chroot and Landlock, which a thread inherits when it starts, and before
 * RLIMIT_NPROC and seccomp (whose filter must then cover all threads: TSYNC). KMS_E_LIMIT: no
 * thread can be started; checkpoints then delay the caller, nothing else changes.
 */
int kmsdb_start(struct kmsdb *db);

/* KMS_OK or KMS_E_NOT_FOUND. */
int kmsdb_client_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_client *out);
int kmsdb_host_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_host *out);
/* Clients of the pool seen on day today - window .. today (and later). */
uint32_t kmsdb_pool_count(
    struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t today, uint16_t window);

/* Adds an encoded entry (copied). *leaf: its index. KMS_E_TOO_LARGE when the batch is full. */
int kmsdb_stage(struct kmsdb *db, const uint8_t *entry, size_t len, uint32_t *leaf);
size_t kmsdb_staged(const struct kmsdb *db);

typedef int (*kmsdb_sign_fn)(
    uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg);
/*
 * Signs what is staged and writes it to disk (nothing staged: KMS_OK; calling it now and then
 * while idle lets an old overlay be written). On failure the staged entries are undone, the
 * journal is unchanged, and the next commit may succeed: KMS_E_FULL, KMS_E_IO. After KMS_OK,
 * kmsdb_bundle gives leases until the next kmsdb_stage.
 */
int kmsdb_commit(
    struct kmsdb *db, const uint8_t host_id[16], uint64_t now, kmsdb_sign_fn sign, void *arg);
/*
 * Lease bundle (lease.h) of a leaf of the batch just committed; returns its size; 0: no such leaf,
 * or no room.
 */
size_t kmsdb_bundle(struct kmsdb *db, uint32_t leaf, uint8_t *out, size_t size);
/*
 * The same for an older batch, read back from its segment. KMS_E_NOT_FOUND: dropped by
 * retention.
 */
int kmsdb_bundle_read(
    struct kmsdb *db, uint64_t batch, uint32_t leaf, uint8_t *out, size_t size, size_t *len);

/* Writes the whole overlay to LMDB now, and waits for it. */
int kmsdb_checkpoint(struct kmsdb *db);

struct kmsdb_info {
	uint64_t last_batch;  /* in the journal */
	uint64_t index_batch; /* in the index */
	uint64_t clients;     /* rows in the index */
	uint64_t segments;
	uint64_t journal_bytes;
	uint64_t index_bytes;
	uint64_t map_size;
	uint64_t checkpoints;
	size_t overlay; /* records waiting */
	unsigned schema;
	uint8_t last_hash[32];
};
void kmsdb_info(struct kmsdb *db, struct kmsdb_info *out);

/*
 * Rows in CMID order from LMDB as it is (kmsctl; read_only). Callback non-zero stops and is
 * returned.
 */
int kmsdb_each_client(struct kmsdb *db,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_host *h, void *arg), void *arg);
int kmsdb_each_relayed(
    struct kmsdb *db, int (*fn)(const struct kmsdb_relayed *r, void *arg), void *arg);
int kmsdb_each_day(struct kmsdb *db,
    int (*fn)(const uint8_t publisher[8], uint16_t pool, uint32_t day, uint32_t count, void *arg),
    void *arg);

/*
 * Read the journal from batch `from` on without opening the index: for each batch its
 * header, signature and entries, all checked against root and chain. Used by check,
 * rebuild, audit and the kill tests.
 */
struct kmsdb_batch_view {
	struct batch_header header;
	const uint8_t *header_octets;
	const uint8_t *signature;
	const uint8_t *const *entries;
	const size_t *entry_lens;
	const char *segment; /* file name */
	uint64_t offset;
};
int kmsdb_journal_each(int dirfd, uint64_t from,
    int (*fn)(const struct kmsdb_batch_view *b, void *arg), void *arg, struct fault *fault);

/*
 * Where to begin to read the newest part of the journal: the first batch of the newest segments
 * that contain at least this many bytes (without the one being written). *all: that is the whole
 * journal.
 */
int kmsdb_journal_newest(
    int dirfd, uint64_t octets, uint64_t *from, bool *all, struct fault *fault);

/*
 * Copy the journal, up to its last complete batch: kmsdb/journal below `to` (made when absent)
 * becomes that below `from`. A closed segment that is there already is not copied again. A writer
 * may be at work; what was copied can be read with kmsdb_journal_each.
 */
struct kmsdb_backup {
	uint64_t batch;        /* the last one */
	unsigned copied, kept; /* segments */
};
int kmsdb_backup(int from, int to, struct kmsdb_backup *count, struct fault *fault);

/*
 * Whole check: every root, chain link and signature (sign_pk, or the keys that
 * ENTRY_CERTIFICATE / ENTRY_START entries introduce), counters against a recount, index against
 * a replay into a scratch index. Problems go to report, one line each; returns the first error.
 */
int kmsdb_check(int dirfd, const uint8_t *sign_pk,
    void (*report)(int status, const char *line, void *arg), void *arg);
/*
 * Makes a new index from the journal and renames it into place; kmsd must be stopped
 * (KMS_E_EXISTS).
 */
int kmsdb_rebuild(int dirfd, const struct kmsdb_options *opt, struct fault *fault);

#endif
