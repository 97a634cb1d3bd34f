/*
 * web_peer.h - the channel of kmsd-web, a process that strangers may own: requests and replies of
 * the control protocol (kmsd/ipc/control.h), one after the other. It may ask what the table of
 * verbs gives to CONTROL_PAGE, one request at a time. After each answer it waits ten times as long
 * as the answer took: it never has more than a tenth of this process's time. One that breaks a rule
 * loses its channel, and kmsd starts another.
 */
#ifndef KMSD_ACTIVATE_WEB_PEER_H
#define KMSD_ACTIVATE_WEB_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct activate;

/* Takes over fd, unless it fails: KMS_E_NO_MEMORY. The channel before it ends. */
int web_peer_open(struct activate *a, int fd);
void web_peer_close(struct activate *a);
/* Its layers of the sandbox, as it said; false: there is no kmsd-web, or it has not begun. */
bool web_peer_layers(const struct activate *a, uint32_t *layers);

#endif
