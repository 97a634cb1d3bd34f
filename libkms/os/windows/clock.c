/*
 * clock.c - see clock.h. Not clock_gettime: mingw-w64's writes 32 bits of seconds in a 32-bit
 * program, whose own time_t has 64 here.
 */
#include "libkms/base/clock.h"

#include "libkms/os/windows/win.h"

uint64_t
clock_ns(void)
{
	const uint64_t second = UINT64_C(1000000000);
	LARGE_INTEGER now, rate;

	/* Neither fails on a Windows of this century. */
	QueryPerformanceFrequency(&rate);
	QueryPerformanceCounter(&now);
	return (uint64_t)now.QuadPart / (uint64_t)rate.QuadPart * second +
	       (uint64_t)now.QuadPart % (uint64_t)rate.QuadPart * second / (uint64_t)rate.QuadPart;
}
