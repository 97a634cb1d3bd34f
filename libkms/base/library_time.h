/*
 * library_time.h - a length of time for a library that takes a struct timeval (libevent, c-ares).
 * On a 32-bit processor this program has a time_t of 64 bits, and the system's libraries one of
 * 32: the same name is two structs there.
 */
#ifndef KMS_LIBKMS_BASE_LIBRARY_TIME_H
#define KMS_LIBKMS_BASE_LIBRARY_TIME_H

#include <stdint.h>
#include <sys/time.h>

_Static_assert(sizeof(time_t) == 8, "dates after 2038");

struct library_time {
#ifdef KMS_NARROW_LIBRARY_TIME
	int32_t tv_sec, tv_usec;
#else
	time_t tv_sec;
	suseconds_t tv_usec;
#endif
};

/* To give to the library as a const struct timeval *. */
static inline struct library_time
library_time(uint64_t us)
{
	struct library_time t = { 0 };

	t.tv_sec = (__typeof__(t.tv_sec))(us / 1000000);
	t.tv_usec = (__typeof__(t.tv_usec))(us % 1000000);
	return t;
}

static inline int64_t
library_time_ms(const struct library_time *t)
{
	return (int64_t)t->tv_sec * 1000 + t->tv_usec / 1000;
}

#endif
