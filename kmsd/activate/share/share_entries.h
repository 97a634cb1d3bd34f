/*
 * share_entries.h - what a host of a share writes about itself and the others (entry_share.h).
 */
#ifndef KMSD_ACTIVATE_SHARE_SHARE_ENTRIES_H
#define KMSD_ACTIVATE_SHARE_SHARE_ENTRIES_H

#include <stdbool.h>

#include "libkms/core/entry_share.h"

struct activate;

/* Each is a batch of its own, and returns what activate_record does. */

/* It shares from now on. first: it has the first rights, those of its certificates. */
int share_record_share(struct activate *a, const char *name, bool first);
int share_record_give(struct activate *a, const struct entry_give *g);
/* It counts as alone from now on, or no longer. reason: of an administrator, "" if none said so. */
int share_record_alone(struct activate *a, bool alone, const char *reason);
/* How far the others' chains were heard. KMS_E_NOT_FOUND: none was. */
int share_record_heard(struct activate *a);

#endif
