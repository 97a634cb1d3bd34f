/*
 * words.h - words that only this machine knows, for the completions of the shells.
 */
#ifndef KMSCTL_HOST_WORDS_H
#define KMSCTL_HOST_WORDS_H

#include "kmsctl/kmsctl.h"

/*
 * kmsctl --completion WHAT [INI [BEGINNING]]: one a line; of clients those that begin so. INI
 * "": the usual one. Prints nothing, and no error, when they are unknown. False: standard output
 * cannot be written.
 */
bool words_print(struct ctl *ctl, const char *what, const char *ini, const char *beginning);

#endif
