/*
 * judge.h - what a host's authenticated answer means.
 */
#ifndef KMS_LIBKMS_CLIENT_JUDGE_H
#define KMS_LIBKMS_CLIENT_JUDGE_H

#include "libkms/client/dialogue.h"
#include "libkms/core/message.h"

/* An opened, decoded reply to the request that was sent. */
enum step judge_reply(struct dialogue *d, const struct message_reply *reply);

#endif
