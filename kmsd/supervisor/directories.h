/*
 * directories.h - users, directories, pid file, control socket. Each function logs what is wrong.
 */
#ifndef KMSD_SUPERVISOR_DIRECTORIES_H
#define KMSD_SUPERVISOR_DIRECTORIES_H

#include "kmsd/supervisor/supervisor.h"

int prepare_users(struct supervisor *s);
int prepare_directories(struct supervisor *s);
int write_port(const struct supervisor *s);
void remove_runtime_files(struct supervisor *s);

#endif
