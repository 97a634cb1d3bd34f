/*
 * audit_findings.h - what an audit file says and does not bear out, though every signature in it
 * verifies, and what else its publisher should know. Findings of one kind and grade are one row
 * with a number, so that a file of any size has a list that a person can read.
 *
 * Grades (history.h): a contradiction is something that a host signed and that cannot be true
 * beside what else it signed; unexplained is what an honest host might come to, and what its
 * administrator must explain; a note asks for nothing.
 */
#ifndef KMSCTL_ISSUE_AUDIT_FINDINGS_H
#define KMSCTL_ISSUE_AUDIT_FINDINGS_H

#include <stdint.h>

#include "libkms/core/history.h"

#define AUDIT_TEXT 200
#define AUDIT_EACH 16 /* rows of one kind and grade that has a row for each */

enum audit_kind {
	AUDIT_HEAD_HOST,
	AUDIT_HEAD_BATCHES,
	AUDIT_HEAD_PERIOD,
	AUDIT_HEAD_NAMES,
	AUDIT_DOCUMENT_REPEATED,
	AUDIT_DOCUMENT_ORDER,
	AUDIT_DOCUMENT_ALONE,
	AUDIT_ENTRY_ALONE,
	AUDIT_BEGUN_ANEW,
	AUDIT_ENTRY_FAR,
	AUDIT_TIME_BACK,
	AUDIT_CLOCK,
	AUDIT_CLOCK_OTHER,
	AUDIT_RESTORED,
	AUDIT_DROPPED,
	AUDIT_WITNESS,
	AUDIT_LEASE,
	AUDIT_NAMES_DIFFER,
	AUDIT_THRESHOLD,
	AUDIT_CAPACITY,
	AUDIT_RECOUNT,
	AUDIT_UNCOUNTED,
	AUDIT_RECLAIM,
	AUDIT_NOT_COVERED,
	AUDIT_PACK_VALIDITY,
	AUDIT_PACK_THRESHOLD,
	AUDIT_PACK_POOL,
	AUDIT_CLONE,
	AUDIT_CAUGHT_UP,
	AUDIT_HELD,
	AUDIT_BOUND_OTHER,
	AUDIT_OVERDRAFT,
	AUDIT_SEVERAL_NAMES,
	AUDIT_SEVERAL_ADDRESSES,
	/* of several files */
	AUDIT_FORK,
	AUDIT_HOST_ABSENT,
	AUDIT_HOSTS_CAPACITY,
	AUDIT_HOSTS_CLONE,
	AUDIT_HOSTS_NAMES,
	AUDIT_HEARD_MISSING,
	AUDIT_HEARD_OTHER,
	AUDIT_RIGHTS,
	AUDIT_KINDS
};

struct audit_finding {
	enum audit_kind kind;
	enum history_grade grade;
	uint64_t batch; /* the first; 0: of the file, not of a batch */
	uint64_t count;
	char text[AUDIT_TEXT]; /* one clause */
};

#define AUDIT_FINDINGS (HISTORY_GRADES * (AUDIT_KINDS + 5 * AUDIT_EACH))

struct audit_findings {
	unsigned count;
	struct audit_finding list[AUDIT_FINDINGS];
};

/* "entry-far" */
const char *audit_kind_name(enum audit_kind kind);
/* One of them, or number of them; the text of the first stays. */
void audit_find(struct audit_findings *f, enum audit_kind kind, enum history_grade grade,
    uint64_t batch, uint64_t number, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The worst first, and by kind. */
void audit_findings_sort(struct audit_findings *f);
/* The worst; -1: there are none. */
int audit_findings_grade(const struct audit_findings *f);

#endif
