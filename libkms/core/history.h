/*
 * history.h - what a header means that a client brought, signed by this host, and that the chain
 * does not have: the one rule of kmsd, kmsctl and kmsissue (kms.journal(5), WITNESSES).
 */
#ifndef KMS_LIBKMS_CORE_HISTORY_H
#define KMS_LIBKMS_CORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The higher, the worse. */
enum history_grade {
	HISTORY_NOTE,        /* a restore that is in the chain explains it */
	HISTORY_UNEXPLAINED, /* the ledger was set back without a word, or the chain ends before it
			      */
	HISTORY_CONTRADICTION, /* one key signed two headers of one number, in one run of the host
				*/
};
#define HISTORY_GRADES 3

/*
 * A place of the chain before which batches may be lost: an entry RESTORED says so, and at an entry
 * START it may have been done without a word, by a copy or a snapshot.
 */
struct history_mark {
	uint64_t number; /* of the batch before that of the entry */
	uint64_t time;   /* of the entry, seconds */
	bool restored;
	/* Of a restore: */
	uint64_t since; /* time of the batch before that of the entry */
	uint64_t limit; /* it is no note for what was signed after that; 0: after time */
};

struct history_header {
	uint64_t number, time; /* of the header */
	bool differs;          /* the chain has that number with another hash */
	uint64_t seen;         /* the batch that records it; UINT64_MAX: none does */
};

/*
 * A mark explains what is behind the batch before it, and was signed before it, so that nobody
 * explains with it what he signs later. A START that came after the host had recorded the header
 * explains nothing: the chain was another one already.
 *
 * What was signed between the last batch that was left and the restore is of a ledger that was in
 * use meanwhile, begun anew or restored from another backup: it has any number.
 */
enum history_grade history_grade(
    const struct history_header *h, const struct history_mark *marks, size_t count);

/* "note", "unexplained", "contradiction" */
const char *history_grade_word(enum history_grade grade);

#endif
