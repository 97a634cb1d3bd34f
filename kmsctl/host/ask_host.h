/*
 * ask_host.h - asking the running kmsd, over its control socket.
 */
#ifndef KMSCTL_HOST_ASK_HOST_H
#define KMSCTL_HOST_ASK_HOST_H

#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"

/*
 * CTL_OK: reply is read (reply_free). Otherwise the exit code of the failure that was printed.
 * args may be NULL, and stay the caller's.
 */
int ask_host(struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply);
/* The same, without printing: KMS_OK, KMS_E_NOT_RUNNING ... f may be NULL. */
int ask_quietly(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, struct fault *f);

#endif
