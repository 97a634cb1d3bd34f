/*
 * loop.h - the event loop of a child. Only those that have one link libevent.
 */
#ifndef KMSD_COMMON_LOOP_H
#define KMSD_COMMON_LOOP_H

#include <stdint.h>

struct event;
struct event_base;

#define SECOND_US UINT64_C(1000000)

/* For one thread; the environment does not change it. NULL: memory. event_base_free. */
struct event_base *loop_new(void);

/*
 * The event also happens after this time; with EV_PERSIST, again and again. Not event_add(3), whose
 * struct timeval is not this program's on every processor. 0, or -1: memory.
 */
int loop_timer(struct event *event, uint64_t us);

#endif
