/*
 * refusal_log.h - the log line of a request that is refused: one event name for
 * each reason, so that a flood of one kind does not hide another.
 */
#ifndef KMSD_ACTIVATE_REFUSAL_LOG_H
#define KMSD_ACTIVATE_REFUSAL_LOG_H

#include <stdint.h>

struct ipc_frame;

/*
 * name: the client's own name, "" when unknown. Statuses without a cause to correct are not
 * logged.
 */
void refusal_log(const struct ipc_frame *from, uint32_t status, const char *name);

#endif
