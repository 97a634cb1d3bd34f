/*
 * agree.h - the steps that commands share which change this machine and kms.ini at once: what apply
 * would do is shown, the administrator agrees, apply does it.
 */
#ifndef KMSCTL_SETUP_AGREE_H
#define KMSCTL_SETUP_AGREE_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/plan/plan.h"

/*
 * Shows how the machine differs from that text of kms.ini, as rows of the list "differences";
 * ctl->config is the text's from here on. Without: an aspect that depends on files which the
 * command has yet to write, and which it tells by itself; NULL: none. Returns how many of them
 * agree_mend would correct.
 */
unsigned agree_show(struct ctl *ctl, const char *ini, const struct aspect *without);
/* CTL_OK: go on. yes: it need not be asked. Else nothing was changed, which was printed. */
int agree_ask(struct ctl *ctl, bool yes);
/* Corrects them, as rows of the list "changes". CTL_OK, or the failure that was printed. */
int agree_mend(struct ctl *ctl);

#endif
