/*
 * check.h - what clients find in DNS, beside what kms.ini asks for.
 */
#ifndef KMSCTL_DNS_CHECK_H
#define KMSCTL_DNS_CHECK_H

#include "kmsctl/dns/records.h"

enum check_kind {
	CHECK_OURS,    /* matches kms.ini */
	CHECK_MISSING, /* in kms.ini, but not in DNS */
	/*
	 * an old record of ours: our host with other numbers, or published before and no longer in
	 * kms.ini
	 */
	CHECK_STALE,
	CHECK_FOREIGN, /* another host's */
	CHECK_UNKNOWN, /* DNS gives no answer */
};

struct check_row {
	enum check_kind kind;
	struct record record; /* data "": nothing is known about this name */
	char address[96];     /* that was tried, "" none */
	char state[192];
	bool reachable;
	bool problem;
};

struct check {
	/* in */
	const struct config *config;
	const struct records *wanted, *published;
	const char *nameserver; /* NULL: the system's */
	uint8_t publisher[8];   /* key id for the HELLO */
	int64_t deadline;       /* clock_ms */
	void (*row)(void *arg, const struct check_row *row);
	void *arg;
	/* out */
	unsigned records, problems;
};

/* Calls row for each finding at once. */
void check_run(struct check *c);
const char *check_word(const struct check_row *row);

#endif
