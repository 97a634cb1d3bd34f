/*
 * judge.h - what a host's authenticated answer means.
 */
#ifndef KMS_LIBKMS_CLIENT_JUDGE_H
#define KMS_LIBKMS_CLIENT_JUDGE_H

#include <stdbool.h>

#include "libkms/client/dialogue.h"

/*
 * d->reply, opened and decoded, to the request that was sent. STEP_HELLO with d->judging: its lease
 * may be good with the certificate that the host has now.
 */
enum step judge_reply(struct dialogue *d);
/* After that HELLO; fetched: it brought a certificate. */
enum step judge_again(struct dialogue *d, bool fetched);
/*
 * d->reply to an earlier request that was sent again: only what it says of the host counts.
 * STEP_REQUEST with d->settled: the request itself may be sent.
 */
enum step judge_settled(struct dialogue *d);

#endif
