/*
 * share_confine.c - everything that kmsd-share gives up before it hears anything from the network.
 * What stays: its channels, memory, the clock, and TCP connections.
 */
#include "kmsd/share/share_confine.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/front_user.h"

/* Beside confine_base_calls: traced with strace over TLS to members that answer, refuse and hang.
 */
static const char *const allowed[] = {
	/* the engine's members */
	"socket@tcp", "connect", "setsockopt@TCP_NODELAY", "getsockopt@SO_ERROR", "getpeername",
	"getsockname",
	/* them, activate and kmsd */
	"recvfrom", "sendto@connected", "recvmsg", "sendmsg@connected", "fcntl@flags",
	/* the event loop */
	"epoll_wait", "epoll_pwait", "epoll_ctl",
	/* new values of kms.ini, in memory that kmsd sealed */
	"pread64",
	/* confine_enough, when all is applied */
	"geteuid", NULL
};

/* Asked by libraries in passing (syslog(3) reconnecting, time zones): refused, not fatal. */
static const char *const refused[] = { "open", "openat", "access", "stat", "newfstatat", "socket",
	NULL };

uint32_t
share_confine(const struct config *c, const uint16_t *ports, unsigned count, uint64_t files)
{
	const struct confine_rlimits limits = {
		.files = files,
		.file_size = UINT64_MAX,
		.processes = 0,
	};
	uint32_t in_force = confine_layer_if(confine_no_core(), CONFINE_NO_CORE);
	bool tcp;

	if (geteuid() == 0) {
		unsigned uid, gid;
		/* before chroot: the name is looked up in files */
		bool known = user_find(c->share_user, &uid, &gid);

		in_force |=
		    confine_layer_if(confine_empty_root(c->runtime_directory), CONFINE_CHROOT);
		if (known)
			in_force |= confine_layer_if(confine_user_ids(uid, gid), CONFINE_UID);
	}
	in_force |= confine_layer_if(confine_no_new_privs(), CONFINE_NO_NEW_PRIVS);
	in_force |=
	    confine_layer_if(confine_landlock_connect(-1, ports, count, &tcp), CONFINE_LANDLOCK);
	in_force |= confine_layer_if(confine_rlimits(&limits), CONFINE_RLIMITS);
	in_force |= confine_layer_if(confine_seccomp(allowed, refused), CONFINE_SECCOMP);
	return in_force;
}
