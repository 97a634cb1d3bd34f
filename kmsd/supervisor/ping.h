/*
 * ping.h - asks each child that serves, every ping_interval seconds of kms.ini, whether it still
 * does. A child that is stopped or hung is alive to waitpid(2), and would keep its clients for
 * ever.
 *
 * One ping waits for its answer at a time. What counts is how many intervals went by without it,
 * as kmsd saw them: when the whole machine or all of kmsd was halted, that is one.
 *
 * kmsd-resolve is not asked: it serves nobody, and has 20 seconds for all that it does.
 */
#ifndef KMSD_SUPERVISOR_PING_H
#define KMSD_SUPERVISOR_PING_H

#include "kmsd/supervisor/supervisor.h"

/* A child has become ready. */
void ping_begin(struct child *c);
/* IPC_PONG. False: nothing was asked, or something else. */
bool ping_answered(struct child *c, const struct ipc_parent *m);
/* Asks whose interval is over, and kills a child that was silent for too many of them. */
void ping_children(struct supervisor *s);
/* ms: when ping_children is needed next; INT64_MAX: not at all. */
int64_t ping_due(struct supervisor *s);

#endif
