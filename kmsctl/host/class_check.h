/*
 * class_check.h - what is wrong with the classes of kms.ini under the packs that are installed.
 */
#ifndef KMSCTL_HOST_CLASS_CHECK_H
#define KMSCTL_HOST_CLASS_CHECK_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * KMS_E_CONFIG, and f says what kmsd would say at a reload. KMS_OK: nothing is, or what is
 * installed cannot be read from here. ctl->config is loaded.
 */
int class_check(struct ctl *ctl, struct fault *f);

#endif
