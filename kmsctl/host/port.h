/*
 * port.h - the port that kmsd listens on, even when the system chose it.
 */
#ifndef KMSCTL_HOST_PORT_H
#define KMSCTL_HOST_PORT_H

#include "kmsctl/kmsctl.h"

/* 0: unknown, because the system chooses it and kmsd is not running. */
uint16_t port_of_host(const struct ctl *ctl);
/* Puts the port that the system chose into the row "service" of a status. */
void port_fill(struct ctl *ctl, struct reply *status);

#endif
