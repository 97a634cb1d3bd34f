/*
 * relay.h - what the relay observed, for `kmsctl clients --relayed`.
 */
#ifndef KMSCTL_RELAY_H
#define KMSCTL_RELAY_H

struct ctl;

/* Returns an enum ctl_exit. */
int relayed_list(struct ctl *ctl);

#endif
