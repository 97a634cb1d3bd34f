/*
 * share_child.h - what kmsd-share needs: the addresses of the engine's members, its three PEM
 * files, and its channel to the activation process. It starts when clients are served already:
 * nothing waits for it but leases, which a host that shares gives only once it has heard the
 * engine. Whatever is missing for it is told, and tried again.
 *
 * It cannot be given other members or certificates while it runs: another one takes its place, for
 * which activation gets another channel.
 */
#ifndef KMSD_SUPERVISOR_SHARE_CHILD_H
#define KMSD_SUPERVISOR_SHARE_CHILD_H

#include "kmsd/supervisor/supervisor.h"

/* Before kmsd gives up rights: is its user there, and which members have addresses in kms.ini. */
void share_init(struct supervisor *s);
/* What kmsd-resolve found of the members' names. */
void share_resolved(struct supervisor *s, const struct ipc_upstreams *found);
/* When clients are served, its members are known, its files are good, and none runs yet. */
void share_start(struct supervisor *s);
/* At a reload: other files take effect, and what was wrong is tried again. */
void share_reload(struct supervisor *s);
void share_due(struct supervisor *s);
/* It said why it cannot start, and would say it again: it is not started again. */
void share_give_up(struct supervisor *s);
/* It has ended: the next one follows, with a back-off. */
bool share_wanted(const struct supervisor *s);
/* It has ended as it was asked to: true, and the next one is on its way. */
bool share_replaced(struct supervisor *s);

#endif
