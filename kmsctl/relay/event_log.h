/*
 * event_log.h - the events 12290 of a KMS host's own log, out of a file that its administrator
 * exported in any of the usual ways: CSV or text with any separator, XML, JSON, lines of a log
 * server, in UTF-16, UTF-8 or a code page.
 */
#ifndef KMSCTL_RELAY_EVENT_LOG_H
#define KMSCTL_RELAY_EVENT_LOG_H

#include <stddef.h>

#include "kmsctl/relay/event_12290.h"
#include "libkms/base/fault.h"

#define EVENT_LOG_MAX (64 * 1024 * 1024) /* bytes of a file */
/*
 * Each such event, in the file's order; other events are skipped. fn non-zero stops.
 * KMS_OK; KMS_E_FORMAT: it is no text (f says what it is, and what to do); KMS_E_NO_MEMORY.
 */
int event_log_read(const char *text, size_t len, struct event_log *log,
    int (*fn)(const struct event_12290 *e, void *arg), void *arg, struct fault *f);

#endif
