/*
 * log.h - one line an event: "event-name: text" to stderr (with a <level>
 * prefix when journald reads it) or syslog. Event names are stable and documented in kmsd(8).
 *
 * log_limited writes at most a few lines a minute for each event name and then says how many more
 * there were, so that a hostile network cannot fill the disk. Text from outside is escaped:
 * control characters never reach the log.
 */
#ifndef KMSD_COMMON_LOG_H
#define KMSD_COMMON_LOG_H

#include <stdbool.h>
#include <syslog.h>

struct config;
void log_open(const char *process, bool to_syslog, int level);
void log_level(int level);
void log_event(int level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void log_limited(int level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes the lines "N more like this" whose minute is over; call about once a minute. */
void log_flush_limited(void);
/* Writes all such lines; call at exit. */
void log_close(void);

#endif
