/*
 * front_confine.c - everything that kmsd-front gives up before it takes its first
 * connection. What stays: the descriptors it was handed, memory, and the clock.
 */
#include "kmsd/front/front_confine.h"

#include <stddef.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/front_user.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "libkms/kms_error.h"

/* Beside confine_base_calls: traced with strace over clients, a reload and a stop. */
static const char *const allowed[] = {
	/* clients, activate, kmsd */
	"accept4", "recvfrom", "sendto@connected", "recvmsg", "sendmsg@connected", "shutdown@write",
	"fcntl@flags", "fcntl@copy",
	/* the event loop */
	"epoll_wait", "epoll_pwait", "epoll_ctl",
	/* new values of kms.ini, in memory that kmsd sealed */
	"pread64",
	/* confine_enough, when all is applied */
	"geteuid", NULL
};

/* With a relay, also. Traced with strace over connections made, refused, failing and probed. */
static const char *const allowed_relaying[] = { "socket@tcp", "connect", "setsockopt@TCP_NODELAY",
	"setsockopt@SO_LINGER", "getsockopt@SO_ERROR", NULL };

/* Asked by libc in passing (syslog(3) reconnecting, time zones): refused, not fatal. */
static const char *const refused[] = { "open", "openat", "socket", "connect", NULL };

/* With a relay, connections to the ports of the ini file and to no others. */
static int
landlock(const struct config *c)
{
	uint16_t ports[RELAY_PORTS];
	unsigned count = relay_ports(c, ports);
	bool tcp;
	int rc;

	if (!relay_configured(c))
		return confine_landlock(-1);
	rc = confine_landlock_connect(-1, ports, count, &tcp);
	if (rc == KMS_OK && !tcp)
		log_event(LOG_WARNING, "relay-ports-open",
		    "this kernel cannot restrict TCP connections to some ports (that needs Landlock ABI 4, Linux 6.7): kmsctl firewall apply restricts the user %s to them",
		    c->front_user);
	return rc;
}

static int
seccomp(bool relaying)
{
	const char *all[sizeof(allowed) / sizeof(allowed[0]) +
			sizeof(allowed_relaying) / sizeof(allowed_relaying[0])];

	confine_calls_join(all, allowed, allowed_relaying);
	return confine_seccomp(relaying ? all : allowed, refused);
}

uint32_t
front_confine(const struct config *c, unsigned index, uint64_t files)
{
	const struct confine_rlimits limits = {
		.files = files,
		.file_size = UINT64_MAX,
		.processes = 0,
	};
	uint32_t in_force = confine_layer_if(confine_no_core(), CONFINE_NO_CORE);

	if (geteuid() == 0) {
		unsigned uid, gid;
		/* before chroot: the name is looked up in files */
		bool known = front_user(c, index, &uid, &gid);

		in_force |=
		    confine_layer_if(confine_empty_root(c->runtime_directory), CONFINE_CHROOT);
		if (known)
			in_force |= confine_layer_if(confine_user_ids(uid, gid), CONFINE_UID);
	}
	in_force |= confine_layer_if(confine_no_new_privs(), CONFINE_NO_NEW_PRIVS);
	in_force |= confine_layer_if(landlock(c), CONFINE_LANDLOCK);
	in_force |= confine_layer_if(confine_rlimits(&limits), CONFINE_RLIMITS);
	in_force |= confine_layer_if(seccomp(relay_configured(c)), CONFINE_SECCOMP);
	return in_force;
}
