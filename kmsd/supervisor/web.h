/*
 * web.h - what kmsd-web needs: its listening sockets, which kmsd binds. Nothing that is missing for
 * it keeps clients from being served: the log says so, and kmsd goes on without it.
 */
#ifndef KMSD_SUPERVISOR_WEB_H
#define KMSD_SUPERVISOR_WEB_H

#include "kmsd/supervisor/supervisor.h"

#define WEB_SOCKET "web.sock" /* in the runtime directory */

/*
 * A listening socket from the service manager: true when it is one of [web] listen, and then it is
 * kept for kmsd-web.
 */
bool web_inherit(struct supervisor *s, int fd, const uint8_t address[16], uint16_t port);
/* Binds what was not inherited. */
void web_bind(struct supervisor *s);
/* Starts it, when it has a socket. */
void web_start(struct supervisor *s);
/* It said why it cannot start, and would say it again: it is not started again. */
void web_give_up(struct supervisor *s);
/* It has ended: the next one follows, with a back-off. */
bool web_wanted(const struct supervisor *s);

#endif
