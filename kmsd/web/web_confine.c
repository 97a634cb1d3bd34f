/*
 * web_confine.c - everything that kmsd-web gives up before it takes its first connection. What
 * stays: the descriptors it was handed, memory, and the clock. It connects to nobody.
 */
#include "kmsd/web/web_confine.h"

#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/front_user.h"

#define NICE 10 /* clients come first, whoever asks for the page */

/* Beside confine_base_calls: what libevent's HTTP server, the channel and a reload need. */
static const char *const allowed[] = {
	/* browsers, activate, kmsd */
	"accept4", "recvfrom", "sendto@connected", "recvmsg", "sendmsg@connected", "shutdown@write",
	"fcntl@flags", "fcntl@copy", "ioctl@pending",
	/* the event loop */
	"epoll_wait", "epoll_pwait", "epoll_ctl",
	/* new values of kms.ini, in memory that kmsd sealed */
	"pread64",
	/* confine_enough, when all is applied */
	"geteuid", NULL
};

/* Asked by libc in passing (syslog(3) reconnecting, time zones): refused, not fatal. */
static const char *const refused[] = { "open", "openat", "socket", "connect", NULL };

uint32_t
web_confine(const struct config *c, uint64_t files)
{
	const struct confine_rlimits limits = {
		.files = files,
		.file_size = UINT64_MAX,
		.processes = 0,
	};
	uint32_t in_force = confine_layer_if(confine_no_core(), CONFINE_NO_CORE);

	setpriority(PRIO_PROCESS, 0, NICE);
	if (geteuid() == 0) {
		unsigned uid, gid;
		/* before chroot: the name is looked up in files */
		bool known = user_find(c->web_user, &uid, &gid);

		in_force |=
		    confine_layer_if(confine_empty_root(c->runtime_directory), CONFINE_CHROOT);
		if (known)
			in_force |= confine_layer_if(confine_user_ids(uid, gid), CONFINE_UID);
	}
	in_force |= confine_layer_if(confine_no_new_privs(), CONFINE_NO_NEW_PRIVS);
	in_force |= confine_layer_if(confine_landlock(-1), CONFINE_LANDLOCK);
	in_force |= confine_layer_if(confine_rlimits(&limits), CONFINE_RLIMITS);
	in_force |= confine_layer_if(confine_seccomp(allowed, refused), CONFINE_SECCOMP);
	return in_force;
}
