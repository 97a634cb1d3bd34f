/*
 * notify.h - sd_notify(3) without libsystemd.
 */
#ifndef KMSD_SUPERVISOR_NOTIFY_H
#define KMSD_SUPERVISOR_NOTIFY_H

#include <stdint.h>

void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Milliseconds between signs of life, half of what WATCHDOG_USEC asks for; 0: none are wanted. */
int64_t notify_watchdog(void);

#endif
