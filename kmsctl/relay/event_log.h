/*
 * event_log.h - event 12290 of a KMS host's own log ("An activation request has been
 * processed"), out of a file that its administrator exported as CSV or XML.
 */
#ifndef KMSCTL_RELAY_EVENT_LOG_H
#define KMSCTL_RELAY_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_LOG_MAX (64 * 1024 * 1024) /* bytes of a file */

struct event_12290 {
	uint32_t status; /* what the host answered */
	uint32_t count;  /* the count that the client needed, from its request */
	char name[65];   /* the client's, lower case */
	uint8_t cmid[16];
	uint64_t time; /* the client's clock, taken as UTC */
};

/*
 * Every such event in text (changed in place; UTF-8, or UTF-16 with its mark), in order. fn
 * non-zero stops. Returns how many there were. Other events of the log are skipped.
 */
size_t event_log_each(
    char *text, size_t len, int (*fn)(const struct event_12290 *e, void *arg), void *arg);

#endif
