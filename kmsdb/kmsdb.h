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
#include "libkms/core/entry_about.h"
#include "libkms/core/history.h"
#include "libkms/core/item.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

#define KMSDB_BATCH_MAX RECORD_ENTRIES /* entries in a batch */

/*
 * Hot row of a client: what a decision needs. Derived from entries alone (apply.h). "Its act": the
 * last, in the order of kms.journal(5), of what the client did and what was done to it.
 */
struct kmsdb_client {
	uint8_t cmid[16];
	uint8_t product[16];
	uint8_t publisher[8];
	uint16_t pool;
	uint16_t class;
	bool seated;        /* the four above say something */
	uint8_t kind;       /* enum entry_kind of its act; 0: only refusals so far */
	uint16_t flags;     /* KMSDB_REVOKED ..., and ENTRY_VM ... of its act in the low 8 bits */
	uint32_t status;    /* last told */
	uint32_t until;     /* minutes: counts until, unless revoked; 0: does not count */
	uint64_t last_seen; /* seconds; 0: never asked */
	uint64_t expires;   /* of its lease, 0 none */
	uint64_t sequence;  /* of its act */
	uint8_t request_id[16]; /* zero when ended */
	uint16_t chain;         /* where its act is: 0 this host's journal, */
	uint64_t batch;
	uint32_t leaf;
	uint8_t header[8]; /* first bytes of the hash of that batch's header */
};
#define KMSDB_RELEASED 0x0100
#define KMSDB_ENDED 0x0200 /* the host ended the seat */
#define KMSDB_FORGOTTEN 0x0400
#define KMSDB_REVOKED 0x0800
#define KMSDB_HELD 0x1000      /* see kmsdb_cold.hold.end */
#define KMSDB_STATELESS 0x2000 /* it said once that it keeps no state */

/* A value of which the last writer wins: the one with the highest counter. */
struct kmsdb_register {
	uint64_t counter; /* 0: nobody wrote it */
	uint16_t chain;
};
/* Cold row: the rest of a client, which seldom changes. */
struct kmsdb_cold {
	uint8_t cmid[16];
	uint64_t first_seen;
	uint64_t last_clone; /* last entry marked ENTRY_CLONE, 0 never */
	uint32_t caught_up;  /* last entry marked ENTRY_CAUGHT_UP, minutes, 0 never */
	struct kmsdb_register revocation;
	struct kmsdb_register hold;
	uint64_t hold_end; /* seconds, 0 none */
	uint64_t erased;   /* asides of entries up to this time no longer exist */
	uint64_t forgotten;
	bool bound;
	uint8_t binding[16]; /* of its act; zeros: none */
	/* of the entry that is last seen; address zeros, name "": not known, or erased */
	uint8_t address[16];
	char name[MESSAGE_NAME + 1];
	char user[MESSAGE_NAME + 1];
};

/*
 * What the relay observed of one source, which is not a client of this host and is counted nowhere.
 */
#define KMSDB_RELAYED_OUTCOMES 6 /* IPC_RELAYED_OUTCOMES, in its order */
#define KMSDB_RELAYED_VERSIONS 4
#define KMSDB_RELAYED_HOSTS 3
struct kmsdb_relayed {
	uint8_t subject[COMMITMENT]; /* commitment to the address */
	uint8_t address[16];         /* IPv4 as ::ffff:a.b.c.d; zeros: erased */
	uint64_t address_time;       /* of the entry that brought it, seconds */
	uint64_t name_time;          /* the same of name */
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
	/* Opening goes on, however long it takes: called often meanwhile. May be NULL. */
	void (*busy)(void *arg);
	void *log_arg; /* of both */
};

struct kmsdb;

/*
 * Open kmsdb/ under dirfd (creates it when absent: journal/NNNN.seg, index/). Repairs a torn tail
 * (and logs that), makes an index of an earlier version again, replays from the index's last batch.
 * KMS_OK, KMS_E_ALTERED, KMS_E_MISSING, KMS_E_CHAIN, KMS_E_SCHEMA, KMS_E_FULL, KMS_E_IO,
 * KMS_E_NO_MEMORY, KMS_E_EXISTS (another writer). fault: where, and what to do.
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

/*
 * So many rows of clients are kept in memory, beside those that wait for the index. The table grows
 * by half at least, up to most, and is never made smaller, but for 0: none. Without memory for a
 * larger one it stays as it is.
 */
void kmsdb_remember(struct kmsdb *db, size_t rows, size_t most);
size_t kmsdb_remembered(const struct kmsdb *db); /* bytes */
/*
 * These clients will be looked up soon: their rows are fetched from memory for all at once.
 */
void kmsdb_expect(const struct kmsdb *db, const uint8_t *const cmid[], size_t count);
/* KMS_OK or KMS_E_NOT_FOUND. */
int kmsdb_client_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_client *out);
int kmsdb_cold_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_cold *out);
/* Does the client count in this pool at that minute? */
bool kmsdb_client_counts(
    const struct kmsdb_client *c, const uint8_t publisher[8], uint16_t pool, uint32_t minute);
/* "activated", "expired", ... as control.h lists them; a lease has ended at its last second. */
const char *kmsdb_client_state(const struct kmsdb_client *c, uint64_t now);
/*
 * What stays of a client that was forgotten only refuses its old requests: it is no client, unless
 * it is revoked.
 */
bool kmsdb_client_gone(const struct kmsdb_client *c);
/*
 * What of a pool counts at a minute. next: when the first of them no longer counts, unless its
 * client asks again; 0: none counts.
 */
struct kmsdb_pool {
	uint32_t counted, next;           /* clients of all classes */
	uint32_t borrowed, next_borrowed; /* those among them whose seat is BORROWED */
};
void kmsdb_pool_get(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_pool *out);
/* The same of some of its classes: class is given. */
struct kmsdb_class {
	uint16_t class;
	uint32_t counted, next;
};
void kmsdb_class_counts(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool,
    uint32_t minute, struct kmsdb_class *classes, unsigned count);
/* Clients of the pool that count, of all classes. */
uint32_t kmsdb_pool_count(
    struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t minute);
/* For the next entry about a client: one more than the highest counter in any entry. */
uint64_t kmsdb_counter(const struct kmsdb *db);

/*
 * Adds an entry with its aside (both copied). *leaf: its index. KMS_E_TOO_LARGE: the batch has no
 * room, in entries or in bytes: commit, and stage it again.
 */
int kmsdb_stage(struct kmsdb *db, const struct item *item, uint32_t *leaf);
size_t kmsdb_staged(const struct kmsdb *db);
/* The next entry may be too large, whatever it is. */
bool kmsdb_full(const struct kmsdb *db);
/* Is there room for so many entries of or about clients? */
bool kmsdb_has_room(const struct kmsdb *db, unsigned entries);
/*
 * What is staged is no longer whole: kmsdb_commit undoes it and returns KMS_E_LIMIT.
 */
void kmsdb_abandon(struct kmsdb *db);

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

/*
 * Drops whole segments that are older than is kept, once a base in the chain restates what they
 * still say (retain.h). A step, which takes some milliseconds: it may stage entries, which the
 * caller commits; only what begins a batch may be staged before. In KMSDB_RETAIN_NOW, nothing else
 * is staged before the next step, and now stays. An error: the next call begins with what is on
 * disk.
 */
struct kmsdb_retention {
	uint64_t keep; /* seconds; 0: for ever */
	uint64_t now;
	uint8_t host_id[16];
};
enum kmsdb_retain_next {
	KMSDB_RETAIN_IDLE, /* nothing to do for now */
	KMSDB_RETAIN_SOON,
	KMSDB_RETAIN_NOW,
};
int kmsdb_retain(struct kmsdb *db, const struct kmsdb_retention *how, enum kmsdb_retain_next *next);

/* Writes the whole overlay to LMDB now, and waits for it. */
int kmsdb_checkpoint(struct kmsdb *db);

struct kmsdb_info {
	uint64_t first_batch; /* in the journal; 1: nothing was dropped */
	uint64_t last_batch;
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
	size_t erasures;      /* ERASE entries that are not carried out yet */
	uint64_t names_floor; /* seconds: names of entries up to then are erased; 0: none */
	/* seconds: rows last seen up to then are gone (ENTRY_EXPIRE); 0: none */
	uint64_t refusals_floor, forgotten_floor, relayed_floor;
};
void kmsdb_info(struct kmsdb *db, struct kmsdb_info *out);

/*
 * Rows in CMID order from LMDB as it is (kmsctl; read_only). Callback non-zero stops and is
 * returned.
 */
int kmsdb_each_client(struct kmsdb *db,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg);
/* The same from that CMID on; NULL: all. In kmsd, from the last checkpoint. */
int kmsdb_each_client_from(struct kmsdb *db, const uint8_t from[16],
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg);
/* The same without cold rows, and without what is only a refusal. */
int kmsdb_each_seat_from(struct kmsdb *db, const uint8_t from[16],
    int (*fn)(const struct kmsdb_client *c, void *arg), void *arg);
/*
 * portable.c: one client as bytes, for a reader who may not open the ledger; without what only a
 * decision needs (request id, binding). Returns the size. Decode: KMS_E_FORMAT.
 */
#define KMSDB_CLIENT_OCTETS (44 + 68 + 81 + 2 * (1 + MESSAGE_NAME))
size_t kmsdb_client_encode(
    uint8_t out[KMSDB_CLIENT_OCTETS], const struct kmsdb_client *c, const struct kmsdb_cold *cold);
int kmsdb_client_decode(
    struct kmsdb_client *c, struct kmsdb_cold *cold, const uint8_t *in, size_t len);
int kmsdb_each_relayed(
    struct kmsdb *db, int (*fn)(const struct kmsdb_relayed *r, void *arg), void *arg);
struct kmsdb_count {
	uint8_t publisher[8];
	uint16_t pool, class;
	bool borrowed;
	uint32_t until; /* minutes */
	uint32_t clients;
	uint8_t holder; /* of a row of the index (row.h); told with the sum of all of them */
};
int kmsdb_each_count(
    struct kmsdb *db, int (*fn)(const struct kmsdb_count *c, void *arg), void *arg);

/*
 * How much a pool was used on one day (usage.h says what each number is); or, with a status, how
 * often clients of it were refused with that.
 */
struct kmsdb_usage {
	uint8_t publisher[8]; /* zeros: refusals of products that no pack names */
	uint16_t pool;
	uint16_t status;
	uint32_t day; /* since 1970, UTC */
	uint32_t peak;
	uint32_t end; /* count at the day's end; of today: now */
	uint64_t first, renewals, releases, clients;
	uint64_t refusals;
};
/*
 * Ascending by publisher, pool, day and status; from that one on, NULL: all. now: seconds, for what
 * today is. In kmsd as of now, in kmsctl as of the last checkpoint.
 */
int kmsdb_each_usage(struct kmsdb *db, const struct kmsdb_usage *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg);

/*
 * witnesses.c: the ledger's own history. First bytes of the hash of a batch of this host's chain,
 * also of one that was dropped. KMS_E_NOT_FOUND: it has no batch of that number, or not yet.
 */
#define KMSDB_HASH 16
int kmsdb_batch_hash(struct kmsdb *db, uint64_t number, uint8_t hash[KMSDB_HASH]);
/* A header that a client brought and the chain lacks (ENTRY_WITNESS). */
struct kmsdb_witness {
	uint64_t number;
	uint8_t hash[8]; /* first bytes */
	uint64_t batch;  /* with its first entry; UINT64_MAX: with none yet */
	uint64_t time;   /* of the header, seconds */
	uint64_t told;   /* of the entry */
};
/* KMS_E_NOT_FOUND: no entry has it. One that is staged counts. */
int kmsdb_witness_get(
    struct kmsdb *db, uint64_t number, const uint8_t hash[8], struct kmsdb_witness *out);
/* What it means, as the chain is now. */
int kmsdb_grade(struct kmsdb *db, const struct kmsdb_witness *w, enum history_grade *out);
/*
 * Is there an entry that says that this was installed? digest: as kmsdb_installed_digest makes it
 * of such an entry. KMS_E_NOT_FOUND: none.
 */
struct entry_admin;
void kmsdb_installed_digest(uint8_t out[32], const struct entry_admin *e);
int kmsdb_installed(struct kmsdb *db, const uint8_t digest[32]);
/* Time of the last batch in the journal; 0: there is none, or it was opened read only. */
uint64_t kmsdb_last_time(const struct kmsdb *db);
/* ENTRY_RESTORED */
struct kmsdb_restored {
	uint64_t batch;  /* with the entry; 0: there was none */
	uint64_t number; /* of the last batch that was left */
	uint64_t time;   /* of the entry */
	uint8_t cause;   /* enum entry_restored */
	uint64_t since;  /* time of that last batch */
};
/*
 * restored.c: kmsctl, which cannot sign, tells kmsd that the ledger below dirfd was restored; kmsd
 * writes ENTRY_RESTORED, and forgets it.
 */
int kmsdb_restored_tell(int dirfd);
bool kmsdb_restored_told(int dirfd);
int kmsdb_restored_forget(int dirfd);
#define KMSDB_HISTORY_MAX 10000 /* witnesses that are graded: that takes some milliseconds */
struct kmsdb_history {
	uint64_t grades[HISTORY_GRADES]; /* witnesses */
	uint64_t newest[HISTORY_GRADES]; /* when the last of them came, seconds */
	bool more;                       /* than KMSDB_HISTORY_MAX */
	uint64_t restores;
	struct kmsdb_restored last_restored;
	uint64_t clock; /* time of the last ENTRY_CLOCK; 0: none */
};
int kmsdb_history(struct kmsdb *db, struct kmsdb_history *out);

/*
 * Read the journal from batch `from` on without opening the index: for each batch its
 * header, signature and items, all checked against root and chain. Stops with KMS_E_SCHEMA at an
 * entry by another version. Used by audit, why and the kill tests.
 */
struct kmsdb_batch_view {
	struct batch_header header;
	const uint8_t *header_octets;
	const uint8_t *signature;
	const struct item *items; /* header.size; each entry passed entry_check */
	const char *segment;      /* file name */
	uint64_t offset;
};
int kmsdb_journal_each(int dirfd, uint64_t from,
    int (*fn)(const struct kmsdb_batch_view *b, void *arg), void *arg, struct fault *fault);

/*
 * The same of an open ledger, beginning at that batch without reading its segment up to there. A
 * batch that the ledger does not have yet: KMS_OK, and fn is not called.
 */
int kmsdb_journal_from(struct kmsdb *db, uint64_t from,
    int (*fn)(const struct kmsdb_batch_view *b, void *arg), void *arg, struct fault *fault);

/*
 * Where to begin to read the newest part of the journal: the first batch of the newest segments
 * that contain at least this many bytes (without the one being written). *all: that is the whole
 * journal.
 */
int kmsdb_journal_newest(
    int dirfd, uint64_t octets, uint64_t *from, bool *all, struct fault *fault);

/*
 * How fast the journal grows: bytes of its newest closed segments, and the seconds in which they
 * were filled, by the times of batches. KMS_E_NOT_FOUND: none is closed yet.
 */
int kmsdb_journal_pace(struct kmsdb *db, uint64_t *octets, uint64_t *seconds, struct fault *fault);

/*
 * Copy the journal, up to its last complete batch: kmsdb/journal below `to` (made when absent)
 * becomes that below `from`. A closed segment that is there already is not copied again, unless
 * names were erased in it; those that were dropped are dropped there. A writer may be at work; what
 * was copied can be read with kmsdb_journal_each.
 */
struct kmsdb_backup {
	uint64_t batch;                 /* the last one */
	unsigned copied, kept, dropped; /* segments */
};
int kmsdb_backup(int from, int to, struct kmsdb_backup *count, struct fault *fault);

/*
 * Whole check: every root, chain link and signature (by sign_pk alone; NULL: by the keys that
 * ENTRY_CERTIFICATE / ENTRY_START entries introduce), time and aside, counts against a recount,
 * index against a replay into a scratch index. Problems go to report, one line each; returns the
 * first error. *erased: entries whose names are erased, which is no problem.
 */
int kmsdb_check(int dirfd, const uint8_t *sign_pk, uint64_t *erased,
    void (*report)(int status, const char *line, void *arg), void *arg);
/*
 * Makes a new index from the journal and renames it into place; kmsd must be stopped
 * (KMS_E_EXISTS).
 */
int kmsdb_rebuild(int dirfd, const struct kmsdb_options *opt, struct fault *fault);

#endif
