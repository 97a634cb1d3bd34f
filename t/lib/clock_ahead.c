/*
 * clock_ahead.c - preloaded (LD_PRELOAD): the time of day is the machine's and the seconds in the
 * file KMS_CLOCK_AHEAD, eight bytes in the machine's order, which a test changes while the process
 * runs. The file is mapped before main, so a sandbox does not matter. Monotonic time stays.
 *
 * libfaketime cannot do this: it either opens its file at each call or goes by a rate, and then a
 * test depends on how fast the machine is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none, *ahead = &none;

__attribute__((constructor)) static void
find_clock(void)
{
	const char *path = getenv("KMS_CLOCK_AHEAD");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		ahead = map;
	close(fd);
}

/* Not through the C library, whose function this is. */
int
clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += *ahead;
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec t;
	int rc = clock_gettime(CLOCK_REALTIME, &t);

	(void)zone;
	out->tv_sec = t.tv_sec;
	out->tv_usec = t.tv_nsec / 1000;
	return rc;
}
