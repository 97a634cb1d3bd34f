/*
 * listen.h - bind every address for every front; begin to listen once somebody can answer.
 */
#ifndef KMSD_SUPERVISOR_LISTEN_H
#define KMSD_SUPERVISOR_LISTEN_H

#include "kmsd/supervisor/supervisor.h"

int listen_bind(struct supervisor *s);
/* A bound TCP socket, or -1. shared: other sockets of kmsd may have the same address. */
int listen_socket(const uint8_t address[16], uint16_t port, bool shared);
/*
 * A Unix socket that listens, in the place of an older one, or -1 (errno). owner, group: -1 leaves
 * it as it is. Nobody can connect before owner, group and mode are right.
 */
int listen_unix(const char *path, uid_t owner, gid_t group, mode_t mode, int backlog);
int listen_begin(struct supervisor *s);
/*
 * A process that has a listening socket can end it for all that come after it (shutdown(2)). What
 * no longer listens does so again, who has it is replaced, and the log says so; every front's
 * sockets are looked at.
 */
void listen_check(struct supervisor *s);

#endif
