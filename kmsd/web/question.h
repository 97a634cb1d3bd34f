/*
 * question.h - questions to the activation process, one after the other, in the control protocol
 * (kmsd/ipc/control.h). It gives kmsd-web a tenth of its time at most, so answers may be late.
 */
#ifndef KMSD_WEB_QUESTION_H
#define KMSD_WEB_QUESTION_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmsd/ipc/control.h"
#include "kmsd/ipc/reply_rows.h"

#define ASK_WAITING 64 /* questions, at most */
#define ASK_SECONDS 5  /* for an answer */

struct ask;
/*
 * status: KMS_OK; the host's, then reply may have a row "error"; or KMS_E_TIMEOUT, and reply is
 * empty. The reply is the caller's, and is to be freed.
 */
typedef void ask_done(void *arg, uint32_t status, struct reply *reply);

/* Owns fd from now on. NULL: memory. */
struct ask *ask_new(struct event_base *base, int fd);
void ask_free(struct ask *a);
/* done is called later, never from within. KMS_E_OVERLOAD, KMS_E_TOO_LARGE, KMS_E_NO_MEMORY. */
int ask_put(
    struct ask *a, uint16_t verb, const struct control_buf *args, ask_done *done, void *arg);
/* The activation process has closed the channel, or broke the protocol: nothing more is answered.
 */
bool ask_broken(const struct ask *a);

#endif
