/*
 * front.h - the one context of kmsd-front, owned by main.c and handed to its
 * rooms: listeners accept, connections frame, the throttle limits, forward speaks with activate.
 */
#ifndef KMSD_FRONT_FRONT_H
#define KMSD_FRONT_FRONT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "kmsd/front/connection.h"
#include "kmsd/front/deadline.h"
#include "kmsd/front/forward.h"
#include "kmsd/front/listener.h"
#include "kmsd/front/relay/relay.h"
#include "kmsd/front/throttle.h"
#include "kmsd/ipc/ipc.h"

struct front {
	struct event_base *base;
	struct throttle throttle;
	struct config_networks exempt, proxies; /* of kms.ini */
	struct deadlines deadlines;
	struct connections connections;
	struct listeners listeners;
	struct forward forward;
	struct relay relay;
	struct ipc_front_stats stats;
	uint64_t now;  /* seconds, monotonic; moved once a second */
	bool stopping; /* answer what is in flight, take nothing new */
	/* a stop has begun: clients that connected may still send their request */
	bool lingering;
	bool broken; /* activate has ended or breaks the protocol: exit, and kmsd restarts this
			front */
};

#endif
