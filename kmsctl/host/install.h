/*
 * install.h - sends a publisher's file to the host: for the commands that install files, and for
 * apply.
 */
#ifndef KMSCTL_HOST_INSTALL_H
#define KMSCTL_HOST_INSTALL_H

#include "kmsctl/kmsctl.h"

/*
 * A command that was given args (which it frees): asks the host, prints done, file (NULL: none),
 * and what the host says it is, after label. code: the result of reading the file.
 */
int install_given(struct ctl *ctl, int code, uint16_t verb, struct control_buf *args,
    const char *done, const char *file, const char *label);
/* The file at path with its .minisig, quietly. KMS_OK or the status, f set. */
int install_file(struct ctl *ctl, uint16_t verb, const char *path, struct fault *f);

#endif
