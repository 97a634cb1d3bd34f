/*
 * open.c - the ledger is opened and closed here. Lookups are in lookup.c, staging and committing
 * in stage.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "kmsdb/follow.h"
#include "kmsdb/kmsdb.h"
#include "kmsdb/ledger.h"
#include "kmsdb/lock.h"
#include "kmsdb/position.h"
#include "kmsdb/retain.h"
#include "kmsdb/scan.h"
#include "kmsdb/segment.h"
#include "kmsdb/stage.h"
#include "kmsdb/version.h"
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/fast_sha256.h"

#define MIB (UINT64_C(1) << 20)

static void
take_options(struct kmsdb *db, const struct kmsdb_options *opt)
{
	if (opt != NULL)
		db->opt = *opt;
	if (db->opt.segment_size == 0)
		db->opt.segment_size = 64 * MIB;
	if (db->opt.segment_size < MIB)
		db->opt.segment_size = MIB;
	db->opt.segment_size =
	    (db->opt.segment_size + SEGMENT_SECTOR - 1) / SEGMENT_SECTOR * SEGMENT_SECTOR;
	if (db->opt.overlay_records == 0)
		db->opt.overlay_records = 150000;
	if (db->opt.map_size == 0)
		db->opt.map_size = 1024 * MIB;
	if (db->opt.checkpoint_seconds == 0)
		db->opt.checkpoint_seconds = 60;
}

static int
make_memory(struct kmsdb *db)
{
	int rc;

	if ((rc = generation_init(&db->generations[0], db->opt.overlay_records)) != KMS_OK ||
	    (rc = generation_init(&db->generations[1], db->opt.overlay_records)) != KMS_OK)
		return rc;
	db->active = &db->generations[0];
	db->record = malloc(RECORD_MAX);
	db->tree = merkle_tree_with(KMSDB_BATCH_MAX, fast_sha256);
	db->undo = calloc(KMSDB_BATCH_MAX, sizeof(*db->undo));
	if (db->record == NULL || db->tree == NULL || db->undo == NULL)
		return KMS_E_NO_MEMORY;
	return checkpoint_open(db);
}

/* The purpose of an open: which index, and which other processes may use it. */
struct use {
	const char *index;
	enum index_use index_use;
	const char *lock;
	bool memory, replay, journal, others;
};
static const struct use uses[] = {
	[LEDGER_WRITE] = { "index", INDEX_WRITE, LOCK_WRITER, true, true, true, true },
	[LEDGER_READ] = { "index", INDEX_READ, NULL, false, false, false, false },
	[LEDGER_REBUILD] = { LEDGER_REBUILD_NAME, INDEX_SCRATCH, LOCK_WRITER, true, true, false,
	    true },
	[LEDGER_CHECK] = { LEDGER_CHECK_NAME, INDEX_SCRATCH, LOCK_CHECK, true, false, false, true },
};

static int
open_directories(struct kmsdb *db, int dirfd, const struct use *use, struct fault *fault)
{
	int rc = position_directory(dirfd, "kmsdb", use->journal, &db->dirfd);

	if (rc == KMS_OK)
		rc = position_directory(db->dirfd, "journal", use->journal, &db->journalfd);
	if (rc == KMS_E_NOT_FOUND)
		fault_set(fault, rc,
		    "there is no ledger here (kmsdb/journal): kmsd creates it at its first start");
	else if (rc != KMS_OK)
		fault_set(fault, rc, "the directory kmsdb cannot be opened: %s",
		    kms_strerror((uint32_t)rc));
	if (rc != KMS_OK)
		return rc;
	return use->lock != NULL ? lock_take(db->dirfd, use->lock, &db->lockfd, fault) : KMS_OK;
}

static int
open_index(struct kmsdb *db, const struct use *use, struct fault *fault)
{
	int rc;

	if (use->index_use == INDEX_SCRATCH)
		index_remove(db->dirfd, use->index);
	rc = index_open(&db->index, db->dirfd, use->index, use->index_use, db->opt.map_size, fault);
	if (rc != KMS_OK)
		return rc;
	if ((rc = index_get_meta(db->index, &db->meta)) == KMS_OK) {
		db->counter = db->meta.counter;
		db->floors = db->meta.floors;
		rc = seats_load(&db->seats, db->index);
	}
	if (rc == KMS_OK)
		rc = base_state_read(&db->base, db->index);
	if (rc == KMS_OK)
		rc = usage_load(&db->usage, db->index);
	if (rc == KMS_OK)
		rc = chains_read(&db->chains, db->index);
	if (rc == KMS_OK)
		rc = purse_load(db);
	if (rc != KMS_OK)
		return fault_set(fault, rc,
		    "the index (kmsdb/index) is damaged: stop kmsd and run kmsctl ledger rebuild");
	return KMS_OK;
}

/* The host's id is known before its first batch, if its key is. */
static void
init_chains(struct kmsdb *db)
{
	uint8_t host[16];

	chains_init(&db->chains);
	if (!db->opt.have_sign_pk)
		return;
	certificate_host_id(host, db->opt.sign_pk);
	chains_own(&db->chains, host);
}

/* An index that was being made from a base when kmsd ended says nothing: it is begun again. */
static int
open_anew(struct kmsdb *db, const struct use *use, struct fault *fault)
{
	int rc;

	index_close(db->index);
	db->index = NULL;
	index_remove(db->dirfd, use->index);
	seats_free(&db->seats);
	rights_state_free(&db->rights);
	init_chains(db);
	if ((rc = seats_init(&db->seats)) != KMS_OK)
		return rc;
	return open_index(db, use, fault);
}

/* Batch that the journal begins with; 0: there is none. */
static int
find_first(struct kmsdb *db)
{
	struct segment_list list;
	int rc = segment_list_read(&list, db->journalfd);

	if (rc != KMS_OK)
		return rc;
	db->first = list.count > 0 ? list.first[0] : 0;
	segment_list_free(&list);
	return KMS_OK;
}

int
ledger_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, enum ledger_use what,
    struct fault *fault)
{
	const struct use *use = &uses[what];
	struct kmsdb *db = calloc(1, sizeof(*db));
	int told, rc;

	*out = NULL;
	if (db == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	db->dirfd = db->journalfd = db->lockfd = -1;
	take_options(db, opt);
	init_chains(db);
	rc = seats_init(&db->seats);
	if (rc == KMS_OK && use->memory)
		rc = make_memory(db);
	if (rc == KMS_OK)
		rc = open_directories(db, dirfd, use, fault);
	if (rc == KMS_OK)
		rc = scan_version(db->journalfd, fault);
	if (rc == KMS_OK)
		rc = find_first(db);
	if (rc == KMS_OK)
		rc = open_index(db, use, fault);
	if (rc == KMS_OK && use->replay && db->base.loading)
		rc = open_anew(db, use, fault);
	if (rc == KMS_OK && use->others)
		rc = follow_open(db, fault);
	if (rc == KMS_OK && use->replay)
		rc = replay(db, use->journal, fault);
	if (rc == KMS_OK && use->replay)
		rc = follow_all(db, use->journal, fault);
	if (rc == KMS_OK && db->first == 0)
		rc = find_first(db); /* the first segment was made just now */
	/* For others: the index says the same to us. */
	if (rc == KMS_OK && use->journal && (told = version_tell(db->dirfd)) != KMS_OK)
		ledger_log(db, LOG_WARNING, "ledger-version",
		    "kmsdb/version cannot be written: %s; a package of an earlier version would not notice that it is earlier",
		    kms_strerror((uint32_t)told));
	if (rc != KMS_OK) {
		kmsdb_close(db);
		return fault_set(fault, rc, NULL);
	}
	*out = db;
	return KMS_OK;
}

/*
 * The index is made from the journal: one of an earlier version is made again. One of a later
 * version is not: the journal may have what is not known here, and that is for a person to decide.
 */
static int
renew_index(int dirfd, const struct kmsdb_options *opt, struct fault *fault)
{
	struct index_meta meta;
	char text[160];
	bool there;
	int fd, rc;

	if (position_directory(dirfd, "kmsdb", 0, &fd) != KMS_OK)
		return KMS_OK;
	there = index_peek(fd, "index", &meta);
	close(fd);
	if (!there || meta.schema >= INDEX_SCHEMA)
		return KMS_OK;
	snprintf(text, sizeof(text),
	    "the index has schema %" PRIu32
	    ", and kmsd %s has %d: it is made again from the journal, up to batch %" PRIu64,
	    meta.schema, PACKAGE_VERSION, INDEX_SCHEMA, meta.last);
	if (opt != NULL && opt->log != NULL)
		opt->log(LOG_NOTICE, "index-rebuild", text, opt->log_arg);
	if ((rc = kmsdb_rebuild(dirfd, opt, fault)) == KMS_OK && opt != NULL && opt->log != NULL)
		opt->log(
		    LOG_NOTICE, "index-rebuild", "the index has been made again", opt->log_arg);
	return rc;
}

int
kmsdb_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, struct fault *fault)
{
	int rc;

	*out = NULL;
	if ((opt == NULL || !opt->read_only) && (rc = renew_index(dirfd, opt, fault)) != KMS_OK)
		return rc;
	return ledger_open(
	    out, dirfd, opt, opt != NULL && opt->read_only ? LEDGER_READ : LEDGER_WRITE, fault);
}

int
kmsdb_start(struct kmsdb *db)
{
	return db->journal == NULL ? KMS_E_ARGUMENT : checkpoint_start(db);
}

void
kmsdb_close(struct kmsdb *db)
{
	if (db == NULL)
		return;
	/* A replay that failed half-way is dropped; everything is still in the journal. */
	if (db->journal != NULL) {
		stage_undo(db);
		checkpoint_all(db);
	}
	checkpoint_close(db);
	follow_close(db);
	journal_close(db->journal);
	index_close(db->index);
	recent_free(db->recent);
	readback_free(db->readback);
	retain_free(db->retain);
	generation_free(&db->generations[0]);
	generation_free(&db->generations[1]);
	seats_free(&db->seats);
	usage_free(&db->usage);
	rights_state_free(&db->rights);
	merkle_tree_free(db->tree);
	free(db->record);
	free(db->undo);
	free(db->jobs.list);
	if (db->lockfd >= 0)
		close(db->lockfd);
	if (db->journalfd >= 0)
		close(db->journalfd);
	if (db->dirfd >= 0)
		close(db->dirfd);
	free(db);
}

int
kmsdb_checkpoint(struct kmsdb *db)
{
	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	if (db->staged > 0)
		return KMS_E_ARGUMENT;
	return checkpoint_all(db);
}
