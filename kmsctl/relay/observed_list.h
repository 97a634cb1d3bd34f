/*
 * observed_list.h - what the relay observed, for `kmsctl clients --relayed`.
 */
#ifndef KMSCTL_RELAY_OBSERVED_LIST_H
#define KMSCTL_RELAY_OBSERVED_LIST_H

#include <stdint.h>

struct ctl;

/* At most limit, 0: all. Returns an enum ctl_exit. */
int relayed_list(struct ctl *ctl, uint64_t limit);

#endif
