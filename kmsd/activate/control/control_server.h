/*
 * control_server.h - kmsctl's connections: who may ask, and reading and writing without waiting,
 * so that no local user can delay the service.
 */
#ifndef KMSD_ACTIVATE_CONTROL_CONTROL_SERVER_H
#define KMSD_ACTIVATE_CONTROL_CONTROL_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct activate;
struct control_server;

#define CONTROL_CONNECTIONS 16
#define CONTROL_SECONDS 10 /* a connection's whole life */

/* Who may use the socket, beside root and this process's own user. */
struct control_access {
	uid_t starter; /* who started kmsd */
	bool have_group, have_monitor;
	gid_t group;
	gid_t monitor; /* may use the verbs that only show */
};

/* Takes over the listening descriptor. NULL: memory. */
struct control_server *control_server_new(
    struct activate *a, int fd, const struct control_access *access);
void control_server_free(struct control_server *s);

#endif
