/*
 * finish.h - the steps of kmsctl setup that need the running kmsd: installing what was sent, and
 * the request or the host that is confirmed.
 */
#ifndef KMSCTL_SETUP_FINISH_H
#define KMSCTL_SETUP_FINISH_H

#include "kmsctl/setup/verdict.h"

/*
 * Installs each file that is to be used, in the order in which they depend on each other; one row
 * of the list "installed" for each. CTL_OK, or the exit code of the failure that was printed: also
 * that kmsd does not run, is locked, or has not read kms.ini.
 */
int finish_install(struct ctl *ctl, const struct verdict *v, const struct sent *s);
/*
 * What comes next: for a host that is not confirmed, the request, written to path (NULL:
 * NAME.kmsreq in the working directory, which must not be another file) and shown.
 */
int finish_request(struct ctl *ctl, const struct verdict *v, const char *path);

#endif
