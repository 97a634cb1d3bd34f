/*
 * witness_script.h - the invitation of a machine that has etcd and no kmsd: a script of its shell,
 * which needs the packages etcd-server and etcd-client and nothing of kmsd. It is a secret.
 */
#ifndef KMSCTL_SHARE_WITNESS_SCRIPT_H
#define KMSCTL_SHARE_WITNESS_SCRIPT_H

#include <stdbool.h>

#include "kmsctl/share/invitation.h"

/* malloc'd; NULL: memory. */
char *witness_text(const struct invitation *i);
/* A text that witness_text wrote. */
bool witness_is(const char *text);

#endif
