/*
 * contacts.h - who confirms by telephone, as the policy packs say.
 */
#ifndef KMSCTL_HOST_CONTACTS_H
#define KMSCTL_HOST_CONTACTS_H

#include "kmsctl/host/reply.h"

/*
 * For customers who cannot send the request that reply contains: the contacts of the wanted
 * country or, when it has none, all. wanted: two capitals, or "".
 */
void contacts_print(struct output *o, const struct reply *reply, const char *wanted);

#endif
