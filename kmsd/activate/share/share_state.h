/*
 * share_state.h - in which state a host of a share is, and what it may do there. Pure: it is told
 * what happened and at what time, and has no clock.
 *
 *	WAITING   from the start on: nothing is signed before the engine was heard
 *	JOINING   START is stored; the others have not all heard this host yet
 *	TOGETHER  an answer leaves when its batch is stored
 *	ALONE     the engine does not answer: answers leave when their batch is on the own disk
 *	STOPPED   the engine has batches of this host that are not on its disk: another machine has
 *	          its key, or its ledger is an older copy. It signs nothing until it is started anew
 *
 *	WAITING --engine heard, place compared, START stored--> JOINING --heard by all--> TOGETHER
 *	TOGETHER --a batch waits for SHARE_PATIENCE, or the link is down--> ALONE
 *	ALONE --all own batches stored--> TOGETHER, or JOINING when it never was
 *	WAITING, JOINING --an administrator says so--> ALONE
 *	any of them --other content in this host's place--> STOPPED
 *
 * The place is compared with what is on disk each time that a cluster is heard for the first time,
 * because it may be another one, or the same from a backup.
 */
#ifndef KMSD_ACTIVATE_SHARE_SHARE_STATE_H
#define KMSD_ACTIVATE_SHARE_SHARE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARE_PATIENCE 2000 /* ms without STORED */
#define SHARE_SILENCE 2000  /* ms without a link */

enum share_status {
	SHARE_WAITING,
	SHARE_JOINING,
	SHARE_TOGETHER,
	SHARE_ALONE,
	SHARE_STOPPED,
};

/* What the engine has in the place of this host's batches. */
enum share_place {
	SHARE_PLACE_FREE,  /* nothing */
	SHARE_PLACE_SAME,  /* what is on disk, up to a batch */
	SHARE_PLACE_AHEAD, /* the same and more: batches that are not on disk */
	SHARE_PLACE_OTHER, /* another batch that this host's key signed */
	SHARE_PLACE_JUNK,  /* something that this host never signed */
};

struct share_state {
	enum share_status status;
	enum share_place found; /* STOPPED: why; JUNK: nothing can be stored */
	bool up;                /* the channel is open, and the engine answers */
	int64_t down_since;     /* ms; when it is not up */
	uint64_t cluster;       /* 0: never heard */
	bool cluster_changed;   /* since the start */
	bool placed;            /* the place was compared in this cluster */
	bool signs;             /* START of this run is on disk */
	uint64_t start;         /* its batch */
	bool joined;            /* all others have heard this host */
	uint64_t own;           /* last batch on disk */
	uint64_t stored;        /* and in the engine */
	int64_t waits_since;    /* ms; 0: every batch is stored */
	int64_t since;          /* ms; when the status began */
	bool said;              /* an administrator made it ALONE */
};

void share_state_init(struct share_state *s, uint64_t own, int64_t now);
/* The engine answers, and is this cluster; or it does not, or kmsd-share is gone. */
void share_state_up(struct share_state *s, uint64_t cluster, int64_t now);
void share_state_down(struct share_state *s, int64_t now);
/*
 * Told after it was compared, or when a STORE is TAKEN. through: of SAME; of FREE, what was on disk
 * when the place was looked at.
 */
void share_state_place(
    struct share_state *s, enum share_place found, uint64_t through, int64_t now);
void share_state_started(struct share_state *s, uint64_t batch, int64_t now);
void share_state_committed(struct share_state *s, uint64_t batch, int64_t now);
void share_state_stored(struct share_state *s, uint64_t through, int64_t now);
void share_state_joined(struct share_state *s, int64_t now);
/*
 * It has a certificate that it did not have: there may be members that it did not know, and that
 * did not hear it.
 */
void share_state_rejoin(struct share_state *s, int64_t now);
/* Of WAITING and JOINING. KMS_E_EXISTS: it is in another state. */
int share_state_alone(struct share_state *s, int64_t now);
/* What time alone changes. */
void share_state_tick(struct share_state *s, int64_t now);

/* -- what to do -- */

bool share_state_asks_place(const struct share_state *s);
/* START is to be written. */
bool share_state_starts(const struct share_state *s);
/* Batches behind stored are to be stored. */
bool share_state_stores(const struct share_state *s);
/* Entries may be written. */
bool share_state_signs(const struct share_state *s);
/* Clients may be answered with leases, for all that this says. */
bool share_state_serves(const struct share_state *s);
/* An answer with this batch must wait. */
bool share_state_waits(const struct share_state *s, uint64_t batch);

const char *share_status_name(enum share_status status);

#endif
