/*
 * ruleset.h - kms.ini's [firewall] as nftables rules: a table of its own and nothing else.
 */
#ifndef KMSCTL_FIREWALL_RULESET_H
#define KMSCTL_FIREWALL_RULESET_H

#include <stddef.h>

#include "kmsd/common/config.h"

#define RULESET_TABLE "inet kms"

/* Text for nft -f, one transaction, malloc'd; NULL: memory. port is not 0. */
char *ruleset_text(const struct config *c);
/* The transaction that removes the table, whether or not it exists. */
extern const char ruleset_removal[];
/*
 * How many networks of a family (AF_INET, AF_INET6) the rules let in, without those inside others.
 */
unsigned ruleset_networks(const struct config *c, int family);

#endif
