/*
 * clones.h - machines that share a client key: clients whose sequence numbers collided, and the
 * names and addresses that they used.
 */
#ifndef KMSCTL_LEDGER_CLONES_H
#define KMSCTL_LEDGER_CLONES_H

#include "kmsctl/ledger/clients.h"

struct clones_wanted {
	const char *product; /* NULL: of all */
	uint64_t limit;      /* 0: none */
	bool full;           /* whole CMIDs */
	bool all;            /* from the whole journal */
};

/* clients --clones. products may be empty. */
int clones_list(
    struct ctl *ctl, const struct clones_wanted *wanted, const struct products *products);

#endif
