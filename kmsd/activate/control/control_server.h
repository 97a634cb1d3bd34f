/*
 * control_server.h - kmsctl's connections: who may ask, and reading and writing without
 * ever waiting, so that no local user can hold the service up.
 */
#ifndef KMSD_ACTIVATE_CONTROL_CONTROL_SERVER_H
#define KMSD_ACTIVATE_CONTROL_CONTROL_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct activate;
struct control_server;

#define CONTROL_CONNECTIONS 16
#define CONTROL_SECONDS 10 /* a connection's whole life */

/* Who may speak, beside root and our own user. */
struct control_access {
	uid_t starter; /* who started kmsd */
	bool have_group;
	gid_t group;
};

/* Takes the listening descriptor over. NULL: memory. */
struct control_server *control_server_new(
    struct activate *a, int fd, const struct control_access *access);
void control_server_free(struct control_server *s);

#endif
