/*
 * loop.c - see loop.h.
 */
#include "kmsd/common/loop.h"

#include <event2/event.h>
#include <stddef.h>

#include "libkms/base/library_time.h"

struct event_base *
loop_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
loop_timer(struct event *event, uint64_t us)
{
	const struct library_time t = library_time(us);

	return event_add(event, (const struct timeval *)&t);
}
