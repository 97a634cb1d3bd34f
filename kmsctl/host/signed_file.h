/*
 * signed_file.h - a publisher's file and its signature, as the arguments "file" and "signature" of
 * a request to the host.
 */
#ifndef KMSCTL_HOST_SIGNED_FILE_H
#define KMSCTL_HOST_SIGNED_FILE_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * FILE and FILE.minisig; "-": both in one text. CTL_OK, or the exit code of the failure that was
 * printed.
 */
int signed_read(struct ctl *ctl, const char *path, struct control_buf *args);
/* The same of a file only, saying nothing: KMS_OK or KMS_E_*, f set. */
int signed_read_quietly(const char *path, struct control_buf *args, struct fault *f);
/* Both from one text, as in a mail. */
int signed_split(struct ctl *ctl, const char *text, size_t len, struct control_buf *args);

#endif
