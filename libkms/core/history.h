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
	HISTORY_NOTE,          /* a restore that is in the chain explains it */
	HISTORY_UNEXPLAINED,   /* newer than the chain, and no restore explains it */
	HISTORY_CONTRADICTION, /* one key signed two headers of one number */
};
#define HISTORY_GRADES 3

/*
 * A RESTORED entry of the chain. The caller leaves out those that do not name the batch right
 * before their own, so that nobody explains away what is there.
 */
struct history_restored {
	uint64_t number; /* of the last batch that was left */
	uint64_t time;   /* of the entry, seconds */
};

/*
 * Number and time are those of the header; differs: the chain has that number with another hash.
 * A restore explains what is behind the batch that it left, and was signed before it, so that
 * nobody explains with it what he signs later.
 */
enum history_grade history_grade(uint64_t number, uint64_t header_time, bool differs,
    const struct history_restored *list, size_t count);

/* "note", "unexplained", "contradiction" */
const char *history_grade_word(enum history_grade grade);

#endif
