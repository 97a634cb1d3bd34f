/*
 * reach.h - one KMS host as a Windows client finds it: TCP, and a bind of the KMS interface. Nothing is requested.
 */
#ifndef KMSCTL_RELAY_REACH_H
#define KMSCTL_RELAY_REACH_H

#include <stdbool.h>

#include "libkms/discover.h"

#define REACH_PATIENCE 5000             /* ms for the connection, and as long for the answer */

struct reach {
	bool connected;                 /* TCP */
	bool serves;                    /* the bind was accepted */
	char text[224];                 /* in words */
};

void reach_try(struct reach *r, const struct discover_address *a);

#endif
