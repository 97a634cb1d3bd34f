/*
 * ledger.h - struct kmsdb, for the files of this room that need all of it: open.c (opening and
 * closing), ledger.c (rows and their overlay), checkpoint.c, replay.c.
 */
#ifndef KMSDB_LEDGER_H
#define KMSDB_LEDGER_H

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/apply.h"
#include "kmsdb/base_state.h"
#include "kmsdb/chains.h"
#include "kmsdb/generation.h"
#include "kmsdb/index.h"
#include "kmsdb/journal.h"
#include "kmsdb/kmsdb.h"
#include "kmsdb/observed.h"
#include "kmsdb/own_rows.h"
#include "kmsdb/recent_rows.h"
#include "kmsdb/rights_state.h"
#include "kmsdb/seats.h"
#include "kmsdb/usage.h"

/* What a row counts. */
struct counted {
	uint16_t seat;
	bool borrowed;
	uint8_t holder;
	uint32_t until; /* 0: nothing */
};
/* Where the row of a table that has one row for an entry is kept in struct undo. */
#define UNDO_SMALL (ROW_HOT + ROW_COLD + ROW_OBSERVED)
#define UNDO_ROWS (UNDO_SMALL + ROW_SHARE)
/* What undoes one entry. */
struct undo {
	uint8_t key[16]; /* CMID, subject of a relayed exchange, or that of own_rows.h */
	bool put[GENERATION_TABLES];
	struct overlay_old old[GENERATION_TABLES];
	/* the rows before, one behind another; an entry has one of own_rows.h or the share at most
	 */
	uint8_t rows[UNDO_ROWS];
	bool counted;
	struct counted from, to;
	struct index_floors floors; /* before */
	struct usage_undo usage;
	bool based;
	struct base_state base; /* before, when based */
	bool erased;            /* what is beside the entry is erased already */
	struct rights_undo rights;
};

/* Names that are still on disk although they are erased (erase.h). */
struct erase_job {
	uint8_t cmid[16]; /* zeros: all clients */
	uint64_t upto;    /* seconds */
	unsigned chain;   /* of the entry that says so, */
	uint64_t batch;   /* and its batch there */
};

struct checkpoint;

struct kmsdb {
	struct kmsdb_options opt;
	int dirfd, journalfd, lockfd;
	struct index *index;
	struct index_meta meta; /* as the index was at open or after the last checkpoint */
	struct seats seats;
	struct usage usage;
	struct rights_state rights;
	uint64_t counter; /* highest of any entry about a client */
	struct index_floors floors;
	struct chains chains;
	struct foreign *foreign[CHAINS_MAX]; /* by chain; NULL: the own one, and for a reader */
	struct base_state base;
	uint64_t first;     /* batch that the journal begins with; 0: it has no segment */
	uint64_t last_time; /* of the last batch in the journal; 0: none, or not read */
	struct {
		struct erase_job *list;
		size_t count, room;
	} jobs;
	struct journal *journal; /* NULL: read only */
	struct generation generations[2];
	struct generation *active;
	struct generation *frozen; /* being written to the index; NULL: none */
	struct checkpoint *checkpoint;
	uint64_t checkpoints;
	struct recent *recent; /* NULL: none */
	size_t recent_rows;    /* for which it was made */

	/* The current batch, or the one just committed. */
	uint8_t *record; /* RECORD_MAX; items from RECORD_HEAD on */
	size_t octets;
	uint32_t staged;
	bool erases;                  /* an ERASE is staged */
	bool abandoned;               /* kmsdb_abandon */
	uint32_t at[KMSDB_BATCH_MAX]; /* offset of each item in record */
	struct merkle_tree *tree;
	struct undo *undo; /* one for each entry staged */
	uint32_t bundles;  /* leaves kmsdb_bundle can give, 0 none */

	/* The row looked up last, because the entry of the same client follows the decision. */
	bool memo;
	bool memo_found;
	struct client_row memo_row;

	struct readback *readback; /* the batch read back last; stage.h */
	struct retain *retain;     /* retain.h; NULL: not asked for yet */
	uint64_t spoilt;           /* asides met in replay that are malformed */
};

/* open.c */
enum ledger_use {
	LEDGER_WRITE,
	LEDGER_READ,
	LEDGER_REBUILD, /* new index beside the old one, from the whole journal */
	LEDGER_CHECK,   /* the same, while kmsd runs, and the caller replays */
};
#define LEDGER_REBUILD_NAME "index.new"
#define LEDGER_CHECK_NAME "index.check"
int ledger_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, enum ledger_use use,
    struct fault *fault);

/* ledger.c */
/* The row as it is now. KMS_OK, KMS_E_NOT_FOUND, ... */
int ledger_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row);
/* The same; names that are at or below their floor are blank. */
int ledger_cold(struct kmsdb *db, const struct client_row *row, struct kmsdb_cold *cold);
/* Effect of one entry; u is filled for ledger_undo. KMS_E_FULL: no room in the overlay. */
int ledger_apply(
    struct kmsdb *db, const struct item *item, const struct apply_place *place, struct undo *u);
void ledger_undo(struct kmsdb *db, const struct undo *u);
int ledger_batch(struct kmsdb *db, uint64_t number, struct batch_ref *out);
/* For what is only ever raised: floors, counters. */
void ledger_raise(uint64_t *value, uint64_t to);
/* Do rows expire? */
bool ledger_expires(const struct kmsdb *db);
/* Rows as they are told, in place of those that there are; one of own_rows.h, if it is the first.
 */
int ledger_restate(
    struct kmsdb *db, struct client_row *row, const struct kmsdb_cold *cold, struct undo *u);
int ledger_observed(struct kmsdb *db, const struct observed_row *row, struct undo *u);
int ledger_own(struct kmsdb *db, const struct own_row *row, struct undo *u);
/* A row as it is now; a view, until the next change. KMS_OK, KMS_E_NOT_FOUND, ... */
int ledger_row(struct kmsdb *db, enum generation_table table, const uint8_t key[16],
    const uint8_t **row, size_t *len);

/* Callers are on the main thread: the log need not be safe for others. */
void ledger_log(struct kmsdb *db, int level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* What is being done takes its time. */
void ledger_busy(struct kmsdb *db);

/* checkpoint.c */
int checkpoint_open(struct kmsdb *db);
void checkpoint_close(struct kmsdb *db);
int checkpoint_start(struct kmsdb *db); /* the writer thread; once */
/* Cheap; first in each call: takes the results of the writer thread. */
void checkpoint_poll(struct kmsdb *db);
/* Called first in each look-up: a reader sees what is committed now, the writer what was written.
 */
void ledger_up_to_date(struct kmsdb *db);
/*
 * Before a commit: when the active generation is full, wait until nothing is frozen, so that
 * it can freeze right after. This is where a slow disk holds back the fast one.
 */
int checkpoint_room(struct kmsdb *db);
/* Between batches: freezes a full or old generation; has the next segment prepared. */
void checkpoint_due(struct kmsdb *db);
/* Writes everything to the index, now. */
int checkpoint_all(struct kmsdb *db);

/* base_load.c: the effect of an entry BASE. */
int base_apply(
    struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u);
/* Has the entry an effect now? */
bool base_lets(const struct kmsdb *db, const struct apply_entry *e);

/* purse.c: the rights of a host that counts together with others. */
/* What the index says. KMS_OK, KMS_E_ALTERED, ... */
int purse_load(struct kmsdb *db);
/* Has what entries say about rights an effect? Inline: each entry asks it. */
static inline bool
purse_on(const struct kmsdb *db)
{
	return db->rights.shares || db->chains.count > 1;
}
/*
 * A client's row changed by an entry; before the new one is written, which gets its holder. exists:
 * there was one before. Only when purse_on: without a share, rows have no holder.
 */
int purse_client(struct kmsdb *db, const struct client_row *before, bool exists,
    struct client_row *after, const struct apply_entry *e, struct undo *u);
/* An entry of entry_share.h. */
int purse_share(
    struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u);
void purse_undo(struct kmsdb *db, const struct rights_undo *u);

/* replay.c */
/* With the batch. */
#define LEDGER_NO_BASE                                                                             \
	"the journal begins with batch %" PRIu64                                                   \
	", and no base in it says what was before, although batches were dropped"
/* Replays what the index lacks; then, if journal, opens the journal for writing. */
int replay(struct kmsdb *db, bool journal, struct fault *fault);
int replay_batch(struct kmsdb *db, struct scan *s, struct fault *fault);

#endif
