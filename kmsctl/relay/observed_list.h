/*
 * observed_list.h - what the relay observed, for `kmsctl clients --relayed`.
 */
#ifndef KMSCTL_RELAY_OBSERVED_LIST_H
#define KMSCTL_RELAY_OBSERVED_LIST_H

struct ctl;

/* Returns an enum ctl_exit. */
int relayed_list(struct ctl *ctl);

#endif
