/*
 * ini_file.h - kms.ini, as the commands read it.
 */
#ifndef KMSCTL_HOST_INI_FILE_H
#define KMSCTL_HOST_INI_FILE_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/* Into ctl->config. CTL_OK, or the exit code of the failure that was printed. */
int ini_load(struct ctl *ctl);
/*
 * For commands that must work when it has errors: what can be read of it. KMS_OK, or the first
 * error in f; *count: how many.
 */
int ini_load_damaged(struct ctl *ctl, struct fault *f, unsigned *count);
/* What can be read of it, without printing. */
void ini_load_quietly(struct ctl *ctl);

#endif
