/*
 * clones.h - machines that share a client key: clients whose sequence numbers collided, and under
 * which names and addresses they spoke.
 */
#ifndef KMSCTL_LEDGER_CLONES_H
#define KMSCTL_LEDGER_CLONES_H

#include "kmsctl/ledger/clients.h"

/* clients --clones. products may be empty. */
int clones_list(struct ctl *ctl, const struct products *products);

#endif
