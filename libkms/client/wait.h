/*
 * wait.h - what a step waits for: nothing more can be done until a descriptor is ready, or a time
 * has come. A blocking call waits here; with kms_poll it is the product's loop that waits
 * (watch.h).
 */
#ifndef KMS_LIBKMS_CLIENT_WAIT_H
#define KMS_LIBKMS_CLIENT_WAIT_H

#include <stdint.h>

#include "libkms/os/net.h"

#define WAIT_FDS 32

struct wait {
	unsigned count;
	struct pollfd fds[WAIT_FDS];
	int64_t until; /* clock_ms; then the next step comes in any case */
};

/* For nothing but the time. */
void wait_until(struct wait *w, int64_t until);
/* One descriptor more; those that have no place are looked at when the time has come. */
void wait_fd(struct wait *w, int fd, short events);
/* Until one is ready, the time has come, or a signal came. */
void wait_block(const struct wait *w);

#endif
