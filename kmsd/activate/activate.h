/*
 * activate.h - the activation process as a whole, and what it records of itself.
 */
#ifndef KMSD_ACTIVATE_ACTIVATE_H
#define KMSD_ACTIVATE_ACTIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/activate/budget.h"
#include "kmsd/activate/classes.h"
#include "kmsd/activate/exchange_keys.h"
#include "kmsd/activate/host_identity.h"
#include "kmsd/activate/opening.h"
#include "kmsd/activate/pending.h"
#include "kmsd/activate/publishers.h"
#include "kmsd/activate/refusal.h"
#include "kmsd/activate/refusal_counts.h"
#include "kmsd/activate/relayed.h"
#include "kmsd/activate/session_keys.h"
#include "kmsd/activate/unseen.h"
#include "kmsd/activate/web_sessions.h"
#include "kmsd/common/config.h"
#include "kmsd/ipc/ipc.h"
#include "kmsdb/kmsdb.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_blobs.h"

struct event_base;
struct front_peer;
struct share;
struct web_peer;

#define ACTIVATE_STATUSES 512 /* every KMS_E_* is below */
#define ACTIVATE_COMMIT_STEPS 14
/* Microseconds: the bounds of the histogram of commits. */
extern const uint32_t activate_commit_steps[ACTIVATE_COMMIT_STEPS];
struct activate_counts {
	uint64_t requests, refused, batches, entries, largest;
	uint64_t ledger_failures;
	uint64_t answers[ACTIVATE_STATUSES];
	uint64_t commits[ACTIVATE_COMMIT_STEPS]; /* that took no longer than the step */
	uint64_t commit_us;                      /* of all */
};

/* Owned by main.c. */
struct activate {
	struct config config;
	struct publishers publishers;
	struct class_list classes; /* of config */
	struct host_identity *key;
	struct exchange_keys *exchange; /* NULL while the host is locked */
	struct secrets secrets;         /* what kmsd handed over to unlock it */
	unsigned wrong_passphrases;     /* in a row */
	uint64_t try_again;             /* monotonic seconds: no passphrase is tried before */
	struct session_keys *cache;
	struct kmsdb *db;
	struct pending *pending;
	struct refusals *refusals;
	struct unseen *unseen; /* whose seats may be taken back */
	struct refusal_counts refusal_counts;
	uint8_t *challenge; /* challenge_key() */
	struct event_base *base;
	struct front_peer *peers; /* list, front_peer.h */
	uint64_t peer_serial;     /* of the last one that was made */
	struct web_peer *web;     /* NULL: there is none, web_peer.h */
	struct share *share;      /* NULL: this host counts by itself, share/sharing.h */
	struct web_sessions web_sessions;
	int state_dir;
	char host_name[MESSAGE_NAME + 1];
	uint32_t layers; /* of the sandbox, in force */
	uint64_t now;    /* seconds; read once an event */
	uint64_t started;
	bool new_identity; /* made at this start */
	struct opening opening;
	uint64_t last_batch;                  /* number of the newest batch on disk */
	uint64_t failing_since, failure_said; /* the ledger; 0: it works */
	struct activate_counts counts;
	struct relayed_counts relayed;
	struct budget budget;
	uint64_t expiry_looked; /* monotonic seconds; 0: not since the start */
	uint64_t expiry_batch;  /* the last one when that was */
	uint64_t disk_looked;   /* second in which the free space was looked at */
};

void activate_clock(struct activate *a);
/* A client was answered so. */
void activate_count_answer(struct activate *a, uint32_t status);
/* A commit took so many microseconds. */
void activate_count_commit(struct activate *a, uint64_t us);
/*
 * Looks at most once a second whether less than [limits] disk_reserve is free, and tells the
 * budget. Called before an entry of a client or a front is asked for.
 */
void activate_look_at_disk(struct activate *a);

/* Logs what is wrong with the classes of kms.ini under the packs in force; they are served as they
 * are. */
void activate_tell_classes(struct activate *a);

/*
 * The exchange keys, once the host key is open. A failure is logged: without an exchange key no
 * client can be served.
 */
int activate_open_exchange(struct activate *a);
/*
 * Up to which time names are to be erased now, 0: not yet. keep: days, 0 for ever; floor: up to
 * when they are erased. A day's worth at a time, so that an idle host writes one entry a day.
 */
uint64_t activate_names_due(uint64_t now, unsigned keep, uint64_t floor);
/* Erases those names. */
void activate_erase_names(struct activate *a);
/*
 * How long after a forgotten client asked last its row is needed, in seconds. A request is accepted
 * up to and including POLICY_SKEW after its time, and the client's clock may be as much ahead:
 * until then what was recorded must meet the row. The minute is for a clock that is corrected a
 * little.
 */
#define ACTIVATE_FORGOTTEN (2 * POLICY_SKEW + 60)
/*
 * Once in a while: has the index drop rows that nobody needs (ENTRY_EXPIRE): those that only
 * refusals or relayed exchanges made, a week after; those of forgotten clients, when no recorded
 * request of theirs can be accepted any more.
 */
void activate_expire(struct activate *a);
/* Once a minute, or at the end of the run: how often clients were refused (ENTRY_COUNTERS). */
void activate_write_refusals(struct activate *a, bool end);
/* A new exchange key when it is time, and an end of the old one. */
void activate_turn_exchange(struct activate *a);

/*
 * An administrative entry: finishes the batch under way, then commits the entry alone. Time is
 * filled in. KMS_E_FULL, KMS_E_IO.
 */
int activate_record(struct activate *a, struct entry_admin *e);
/* The same of one about a client; the counter is filled in too. */
int activate_record_about(struct activate *a, struct entry_about *e);
/*
 * Entries that nobody asks for may be written now: the ledger works, the host's key is open, and
 * its share, if it has one, lets it sign.
 */
bool activate_may_write(const struct activate *a);
/*
 * kmsdb_stage, behind what a batch begins with (opening.h). KMS_E_LEDGER: a host of a share may not
 * sign now.
 */
int activate_stage(struct activate *a, const struct item *item, uint32_t *leaf);
/* The same of one of these, which has no aside; time and counter are filled in. */
int activate_stage_admin(struct activate *a, struct entry_admin *e);
int activate_stage_about(struct activate *a, struct entry_about *e);
/*
 * The first entries of every run: with which keys it signs, and what installed.h finds missing. A
 * ledger that cannot be written is not a failure here: the next batch begins with START.
 */
int activate_record_start(struct activate *a);
/*
 * Once the host key is open: that, and the wait of opening.h. A host of a share does it when the
 * engine was heard.
 */
int activate_begin(struct activate *a);

#endif
