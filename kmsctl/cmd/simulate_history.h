/*
 * simulate_history.h - policy simulate: what each key of a pool that the new pack changes, and each
 * class of kms.ini, would have changed over the journal, printed as the list "history".
 */
#ifndef KMSCTL_CMD_SIMULATE_HISTORY_H
#define KMSCTL_CMD_SIMULATE_HISTORY_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/recent.h"
#include "policy/files/publisher_list.h"

struct replayed {
	struct replay *pools; /* those of which a key differs, or that have classes */
	unsigned count;
	struct recent searched;
};

/*
 * The publisher's pools under its pack in force and under next, which may be the same, beside what
 * h has; it begins with zeros. in and next stay. An exit code. replayed_free in every case.
 */
int replayed_add(struct replayed *h, struct ctl *ctl, const struct publisher *in,
    const struct policy_pack *next);
/* all: of the whole journal. An exit code. */
int replayed_read(struct replayed *h, struct ctl *ctl, bool all);
void replayed_free(struct replayed *h);
/* Nothing when there is none of these pools. */
void replayed_print(const struct replayed *h, struct output *o);
/* A warning of the pool with that index, or NULL. */
const char *replayed_warning(const struct replayed *h, unsigned pool, char *text, size_t size);

#endif
