/*
 * clock.h - time that only goes forward (CLOCK_MONOTONIC, clock_gettime(2)): for deadlines,
 * intervals and rates. It has no date: wall-clock time is time(2), which pure functions get as an
 * argument.
 */
#ifndef KMS_LIBKMS_BASE_CLOCK_H
#define KMS_LIBKMS_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_seconds(void);
int64_t clock_ms(void); /* signed: what is left to a deadline may be below 0 */
uint64_t clock_us(void);
uint64_t clock_ns(void);

#endif
