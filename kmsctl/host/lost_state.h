/*
 * lost_state.h - has this machine lost the identity of the host that it was? A disk that is not
 * mounted looks like a machine that was never a host.
 */
#ifndef KMSCTL_HOST_LOST_STATE_H
#define KMSCTL_HOST_LOST_STATE_H

#include "kmsctl/kmsctl.h"

struct lost_state {
	char path[320]; /* of keys/host.key */
	char is[160];   /* what is seen */
	char due[256];  /* what to do */
};

/*
 * True: keys/host.key is missing, and something says that there was one. root: "" or that of a
 * machine which is not running. False too for a user who may not look.
 */
bool lost_state(const struct ctl *ctl, const char *root, struct lost_state *out);

#endif
