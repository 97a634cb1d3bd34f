/*
 * words.h - words that only this machine knows, for the completions of the shells.
 */
#ifndef KMSCTL_HOST_WORDS_H
#define KMSCTL_HOST_WORDS_H

#include "kmsctl/kmsctl.h"

/*
 * kmsctl --completion WHAT [INI]: one a line; what cannot be known gives none, and no complaint.
 * False: standard output does not take them.
 */
bool words_print(struct ctl *ctl, const char *what, const char *ini);

#endif
