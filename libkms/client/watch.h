/*
 * watch.h - one descriptor for a product's own loop, for as long as an object lives: it can be read
 * when what a step waits for has come (wait.h), and not while there is nothing to wait for. Inside
 * it is an epoll(7) set, with a timer for the time.
 */
#ifndef KMS_LIBKMS_CLIENT_WATCH_H
#define KMS_LIBKMS_CLIENT_WATCH_H

#include "libkms/client/wait.h"

struct watch;

/* NULL: no memory or no descriptors left, errno says which. */
struct watch *watch_open(void);
void watch_close(struct watch *w);
int watch_fd(const struct watch *w);
/* w may be NULL in both: nobody watches. Clear before a step, since it may close what is watched.
 */
void watch_clear(struct watch *w);
void watch_set(struct watch *w, const struct wait *what);

#endif
