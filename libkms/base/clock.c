/*
 * clock.c - see clock.h. clock_ns is in libkms/os.
 */
#include "libkms/base/clock.h"

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
