/*
 * replay.h - what the keys of a pool would have changed: the requests in the journal are decided
 * again by policy_decide, under the pack in force without classes, under the same pack with one key
 * of the new one (window, overdraft, ...) or one class of kms.ini, and under the new pack with all
 * classes. Pure: entries come in, sums go out.
 *
 * The journal has only what happened. A client that was refused is taken to have gone on as it did,
 * and one that would be refused to have asked again when it renewed. Who was refused a loan is
 * taken to have asked for as long as the pool lends. Whose names were erased is of the class that
 * its entry has.
 */
#ifndef KMSCTL_LEDGER_REPLAY_H
#define KMSCTL_LEDGER_REPLAY_H

#include "kmsctl/ledger/replay_table.h"
#include "kmsd/activate/classes.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"
#include "policy/files/publisher_list.h"

#define REPLAY_KEY 48
#define REPLAY_VALUE 40

/* The pool under one pack. */
struct replay_world {
	char key[REPLAY_KEY]; /* that differs, or "class NAME"; "": none does, "all": all do */
	char was[REPLAY_VALUE], is[REPLAY_VALUE]; /* as a pack writes it; "" of all and none */
	struct policy_pack *pack;
	const struct policy_pool *pool; /* of pack */
	bool made;                      /* pack is this world's own */
	uint64_t classes;               /* bit i: that of replay.classes is in force */
	/* what came of it */
	uint64_t peak, peak_time; /* most seats at once, and when first */
	uint64_t refused;         /* requests, for want of a seat */
	uint64_t refused_class;   /* of these, by a limit or a reserve */
	uint64_t refused_borrow;  /* for want of one to lend */
	uint64_t refused_stateless;
	uint64_t overdraft, borrowed,
	    reclaimed; /* seats given beyond the capacity, lent, taken back */
};
struct replay {
	const struct publisher *in;
	uint16_t number; /* of the pool */
	char name[33];
	struct class_pool classes; /* of kms.ini, as they would be under the new pack */
	struct replay_world worlds[REPLAY_WORLDS];
	unsigned count;
	struct replay_table table;
	uint64_t requests; /* decided again */
	/* Its clients renewed less often than the new pack has it: how long a seat was needed
	   between two requests is not known. */
	bool sparse;
	int failed; /* KMS_OK, or why it ended before its time */
};

/*
 * The pool with that number in both packs. *out->count 0: none of its keys differs, and it has no
 * classes. classes: of kms.ini, NULL: none; those that they are of stay. KMS_OK, KMS_E_NO_MEMORY.
 * replay_free in every case.
 */
int replay_init(struct replay *out, const struct publisher *in, const struct policy_pack *next,
    uint16_t number, const struct class_list *classes);
void replay_free(struct replay *r);
/* Entries in the order of the journal. who NULL: the names are erased. */
void replay_client(struct replay *r, const struct entry_client *e, const struct class_client *who);
void replay_about(struct replay *r, const struct entry_about *e);

#endif
