/*
 * share_child.c - see share_child.h.
 */
#include "kmsd/supervisor/share_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/share_config.h"
#include "kmsd/supervisor/child_user.h"
#include "kmsd/supervisor/spawn.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define AGAIN 15000   /* ms after files that were wrong */
#define END_WAIT 2000 /* ms for one that is to make place */
#define ADDRESSES 2   /* of one name: it may have one in each family */
#define UNTIL_HEARD "a host that shares gives no leases until it has heard the members"

/* -- its files -- */

struct tls_files {
	int fds[SHARE_FILES]; /* by enum ipc_share_tls; -1: not open */
	struct pem_mark marks[SHARE_FILES];
};

static void
tls_close(struct tls_files *t)
{
	for (size_t i = 0; i < SHARE_FILES; i++)
		if (t->fds[i] != -1)
			close(t->fds[i]);
}

/* All of them, or none and what is wrong with the first that is. */
static bool
tls_open(const struct supervisor *s, struct tls_files *t, struct fault *why)
{
	const struct config *c = &s->config;
	const struct {
		const char *key, *path;
		enum pem_kind kind;
	} files[SHARE_FILES] = {
		[IPC_SHARE_AUTHORITY] = { "authority", c->share_authority, PEM_CERTIFICATES },
		[IPC_SHARE_CERTIFICATE] = { "certificate", c->share_certificate, PEM_CERTIFICATES },
		[IPC_SHARE_KEY] = { "key", c->share_key, PEM_KEY },
	};

	for (size_t i = 0; i < SHARE_FILES; i++)
		t->fds[i] = -1;
	for (size_t i = 0; i < SHARE_FILES; i++) {
		struct fault f = { 0 };

		t->fds[i] = pem_open(files[i].path, files[i].kind, &t->marks[i], &f);
		if (t->fds[i] != -1)
			continue;
		fault_set(why, f.status, "[share] %s: %s", files[i].key, f.text);
		tls_close(t);
		return false;
	}
	return true;
}

/* -- whether there is one -- */

void
share_init(struct supervisor *s)
{
	const struct config_endpoints *members = &s->config.share_members;
	struct ipc_upstreams none = { .whole = true };

	s->share_on = share_configured(&s->config) &&
		      has_child_user(s, s->config.share_user, "kmsd-share", "share-unavailable");
	if (s->share_on && members->count > 0)
		share_resolved(s, &none);
}

bool
share_wanted(const struct supervisor *s)
{
	return s->share_on;
}

void
share_give_up(struct supervisor *s)
{
	s->share_on = false;
	log_event(LOG_ERR, "share-unavailable",
	    "kmsd-share cannot be started as the ini file demands, and is tried again when kmsd is restarted; " UNTIL_HEARD);
}

/* Said once for each cause, and tried again for as long as it lasts. */
static void
unavailable(struct supervisor *s, const char *why)
{
	s->share_at = clock_ms() + AGAIN;
	if (strcmp(s->share_fault, why) == 0)
		return;
	snprintf(s->share_fault, sizeof(s->share_fault), "%s", why);
	log_event(LOG_ERR, "share-unavailable", "%s. kmsd-share waits for it; " UNTIL_HEARD, why);
}

/* -- its members -- */

static int
by_address(const void *a, const void *b)
{
	return memcmp(((const struct ipc_upstream *)a)->address,
	    ((const struct ipc_upstream *)b)->address, 16);
}

/* The addresses of one member in a list, the lowest first, whatever their order there. */
static unsigned
addresses_of(const struct endpoint *member, const struct ipc_upstreams *list,
    struct ipc_upstream out[IPC_UPSTREAMS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < list->count; i++) {
		const struct ipc_upstream *u = &list->at[i];

		/* kmsd-resolve has read DNS: no other name, and no address that is this machine. */
		if (u->port == member->port && strcmp(u->name, member->name) == 0 &&
		    !address_is_nowhere(u->address))
			out[count++] = *u;
	}
	qsort(out, count, sizeof(*out), by_address);
	for (unsigned i = 0; i < count; i++)
		out[i].priority = out[i].weight = 0;
	return count < ADDRESSES ? count : ADDRESSES;
}

static void
add_member(struct ipc_upstreams *out, const struct endpoint *member,
    const struct ipc_upstreams *found, const struct ipc_upstreams *known)
{
	struct ipc_upstream at[IPC_UPSTREAMS_MAX] = { 0 };
	unsigned count = 1;

	if (member->literal) {
		at[0].port = member->port;
		memcpy(at[0].address, member->address, sizeof(at[0].address));
		snprintf(at[0].name, sizeof(at[0].name), "%.*s", IPC_UPSTREAM_NAME, member->name);
	} else if ((count = addresses_of(member, found, at)) == 0 && !found->whole) {
		count = addresses_of(member, known, at);
	}
	memcpy(&out->at[out->count], at, count * sizeof(at[0]));
	out->count += count;
}

_Static_assert(
    CONFIG_MEMBERS *ADDRESSES <= IPC_SHARE_MEMBERS && IPC_SHARE_MEMBERS <= IPC_UPSTREAMS_MAX,
    "all members that kms.ini may name have room");

/* The running one is asked to end, and the next one has what is new. */
static void
replace(struct supervisor *s, const char *what)
{
	struct child *c = &s->share;

	if (c->pid == 0 || s->share_replaced)
		return;
	log_event(LOG_INFO, "share-replaced", "%s: kmsd-share starts anew", what);
	s->share_replaced = true;
	c->deadline = clock_ms() + END_WAIT;
	child_send(c, IPC_STOP, 0, -1);
}

void
share_resolved(struct supervisor *s, const struct ipc_upstreams *found)
{
	const struct config_endpoints *members = &s->config.share_members;
	struct ipc_upstreams fresh = { .whole = true };

	if (!s->share_on)
		return;
	for (unsigned i = 0; i < members->count; i++)
		add_member(&fresh, &members->at[i], found, &s->members);
	if (fresh.count == 0 && share_has_names(&s->config) && !found->whole)
		unavailable(s, "no name of [share] members could be resolved");
	if (ipc_upstreams_same(&fresh, &s->members))
		return;
	s->members = fresh;
	if (fresh.count == 0)
		return;
	log_event(LOG_INFO, "share-resolved", "%u addresses of members of etcd", fresh.count);
	if (s->share.pid != 0)
		replace(s, "members of etcd have other addresses");
	else
		share_start(s);
}

/* -- its start -- */

static int
send_members(struct supervisor *s)
{
	int fd = ipc_upstreams_write(&s->members), rc;

	if (fd == -1)
		return KMS_E_IO;
	rc = child_send(&s->share, IPC_UPSTREAMS, 0, fd);
	close(fd);
	return rc;
}

/* Its channel to the activation process. */
static int
connect_both(struct supervisor *s)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1)
		return KMS_E_IO;
	rc = child_send(&s->share, IPC_SHARE, 0, pair[1]);
	if (rc == KMS_OK)
		rc = child_send(&s->activate, IPC_SHARE, 0, pair[0]);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

/* One that dies meanwhile is noticed when it is reaped; one that misses something says so. */
static void
hand_over(struct supervisor *s, const struct tls_files *t)
{
	struct child *c = &s->share;
	int rc = send_config(s, c, IPC_CONFIG);

	if (rc == KMS_OK)
		rc = send_members(s);
	for (uint8_t i = 0; rc == KMS_OK && i < SHARE_FILES; i++)
		rc = child_send(c, IPC_SHARE_TLS, i, t->fds[i]);
	if (rc == KMS_OK)
		rc = connect_both(s);
	if (rc != KMS_OK && rc != KMS_E_PEER)
		log_event(LOG_ERR, "share-unavailable", "kmsd-share: %s", strerror(errno));
	child_send(c, IPC_START, 0, -1);
}

void
share_start(struct supervisor *s)
{
	struct child *c = &s->share;
	struct tls_files tls;
	struct fault why = { 0 };

	c->restart_at = 0;
	if (!s->share_on || s->phase != PHASE_SERVING || c->pid != 0 || s->members.count == 0)
		return;
	s->share_at = 0;
	if (!tls_open(s, &tls, &why)) {
		unavailable(s, why.text);
		return;
	}
	s->share_fault[0] = '\0';
	memcpy(s->share_marks, tls.marks, sizeof(s->share_marks));
	if (spawn_child(s, c) == KMS_OK)
		hand_over(s, &tls);
	else
		share_give_up(s);
	tls_close(&tls);
}

/* -- later -- */

void
share_reload(struct supervisor *s)
{
	struct tls_files tls;
	struct fault why = { 0 };

	if (!s->share_on)
		return;
	if (s->share.pid == 0) {
		share_start(s);
		return;
	}
	if (!tls_open(s, &tls, &why)) {
		log_event(LOG_ERR, "share-kept",
		    "%s. kmsd-share goes on with what it has: reload kmsd when this is mended",
		    why.text);
		return;
	}
	if (memcmp(tls.marks, s->share_marks, sizeof(tls.marks)) != 0)
		replace(s, "the files of [share] have changed");
	tls_close(&tls);
}

void
share_due(struct supervisor *s)
{
	if (s->share_at == 0 || clock_ms() < s->share_at)
		return;
	s->share_at = 0;
	share_start(s);
}

bool
share_replaced(struct supervisor *s)
{
	bool asked = s->share_replaced;

	s->share_replaced = false;
	if (asked)
		s->share.restart_at = clock_ms();
	return asked;
}
