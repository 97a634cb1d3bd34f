/*
 * start.c - doctor's checks of what keeps kmsd from starting: a lost identity, a port that another
 * program has, a start limit of systemd.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/program.h"
#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/lost_state.h"
#include "libkms/kms_error.h"

#define LISTENING 0x0a /* TCP_LISTEN, as /proc/net/tcp has it */

static void
look_at_identity(struct doctor *d)
{
	struct lost_state lost;

	if (lost_state(d->ctl, "", &lost))
		doctor_find(d, "identity", BAD, lost.due, "%s is %s", lost.path, lost.is);
	else
		doctor_find(d, "identity", GOOD, NULL, "the host's identity is unchanged");
}

/* The inode of a socket that listens on the port; 0: there is none in the table. */
static unsigned long
listener(const char *table, uint16_t port)
{
	unsigned long inode = 0, found = 0;
	unsigned local, state;
	char line[512];
	FILE *f = fopen(table, "re");

	while (f != NULL && found == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %lu", &local,
			&state, &inode) == 3 &&
		    local == port && state == LISTENING)
			found = inode;
	if (f != NULL)
		fclose(f);
	return found;
}

static bool
has_socket(const char *process, unsigned long inode)
{
	char path[300], link[64], want[64];
	struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *dir;

	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
	if ((dir = opendir(path)) == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(dir);
	return found;
}

/* "nginx", with its process id; false: no process that this user may look into has it. */
static bool
holder(unsigned long inode, long *pid, char name[64])
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	char path[64];
	bool found = false;
	FILE *f;

	name[0] = '\0';
	while (proc != NULL && !found && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && has_socket(e->d_name, inode)) {
			found = true;
			*pid = strtol(e->d_name, NULL, 10);
		}
	if (proc != NULL)
		closedir(proc);
	snprintf(path, sizeof(path), "/proc/%ld/comm", found ? *pid : 0);
	if (found && (f = fopen(path, "re")) != NULL) {
		if (fgets(name, 64, f) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	return found;
}

/* systemd holds it for kmsd: process 1 is nobody else. */
static void
look_at_port(struct doctor *d)
{
	static const char next[] =
	    "stop that program, or change [listen] port, then systemctl restart kmsd.socket kmsd";
	unsigned port = d->ctl->config.port;
	unsigned long inode = port != 0 ? listener("/proc/net/tcp", (uint16_t)port) : 0;
	char name[64];
	long pid = 0;

	if (inode == 0 && port != 0)
		inode = listener("/proc/net/tcp6", (uint16_t)port);
	if (inode == 0)
		return;
	if (!holder(inode, &pid, name))
		doctor_find(d, "port", BAD, "sudo kmsctl doctor",
		    "another program listens on port %u; only root can see which", port);
	else if (pid != 1)
		doctor_find(
		    d, "port", BAD, next, "port %u is taken by %s, process %ld", port, name, pid);
}

/* "Id=kmsd.socket", "Result=..." a line each, with an empty line between units. */
static void
look_at_units(struct doctor *d)
{
	static const char *const argv[] = { "systemctl", "show", "--property=Id,Result",
		"kmsd.socket", "kmsd.service", NULL };
	char unit[64] = "", result[64] = "", *line, *rest;
	struct child c;

	if (!plan_systemd(&d->plan) || child_run(&c, argv, NULL, d->ctl->timeout_ms) != KMS_OK)
		return;
	for (line = strtok_r(c.out, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "Id=%63s", unit) == 1 || sscanf(line, "Result=%63s", result) != 1)
			continue;
		if (strstr(result, "limit-hit") != NULL)
			doctor_find(d, "start", BAD,
			    "remove the cause that journalctl -u kmsd -u kmsd.socket shows, then systemctl reset-failed kmsd.socket kmsd.service, then systemctl start kmsd",
			    "systemd no longer starts %s: it failed too often (%s)", unit, result);
	}
	child_free(&c);
}

void
doctor_start(struct doctor *d)
{
	d->plan.root = "";
	d->plan.ctl = d->ctl;
	look_at_identity(d);
	if (d->running)
		return;
	look_at_port(d);
	look_at_units(d);
}
