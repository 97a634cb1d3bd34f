/*
 * spawn.h - start a child, and hand it what it may have.
 */
#ifndef KMSD_SUPERVISOR_SPAWN_H
#define KMSD_SUPERVISOR_SPAWN_H

#include "kmsd/supervisor/supervisor.h"

/* All children, of which none runs. */
void spawn_init(struct supervisor *s);
int spawn_activate(struct supervisor *s);
int spawn_front(struct supervisor *s, unsigned index);
/* "kmsd-front 2" or "kmsd-activate". */
void child_name(const struct child *c, char out[32]);
/* Starts c's program with an empty channel. */
int spawn_child(struct supervisor *s, struct child *c);
/* The KMS hosts of the relay, as last known; without a relay, nothing. */
void send_hosts(const struct supervisor *s, struct child *front);
int child_send(struct child *c, uint8_t verb, uint8_t index, int fd);
int child_tell(struct child *c, const struct ipc_parent *m);
/* IPC_CONFIG or IPC_RELOAD: its values of the configuration as it is now. Logs a failure. */
int send_config(struct supervisor *s, struct child *c, enum ipc_parent_verb verb);

#endif
