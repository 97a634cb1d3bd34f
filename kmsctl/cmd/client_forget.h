/*
 * client_forget.h - client forget of many clients, chosen by options or by a name.
 */
#ifndef KMSCTL_CMD_CLIENT_FORGET_H
#define KMSCTL_CMD_CLIENT_FORGET_H

#include "kmsctl/ledger/client_filter.h"

struct forget_options {
	struct client_filter filter;
	uint64_t since, until; /* seconds; 0: not given */
	bool yes;
};
extern const struct option_row client_forget_rows[];

/* Do the options choose clients? */
bool client_forget_many(const struct forget_options *o);
/*
 * Shows those that count now and are chosen, asks, and forgets them. m: those of the name in the
 * arguments; NULL: by the options. Returns an enum ctl_exit.
 */
int client_forget(struct ctl *ctl, const struct forget_options *o, const struct client_matches *m);

#endif
