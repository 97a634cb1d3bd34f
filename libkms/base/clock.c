/*
 * clock.c - see clock.h.
 */
#include "libkms/base/clock.h"

#include <time.h>

uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_us(void)
{
	return clock_ns() / 1000;
}

int64_t
clock_ms(void)
{
	return (int64_t)(clock_ns() / 1000000);
}

uint64_t
clock_seconds(void)
{
	return clock_ns() / UINT64_C(1000000000);
}
