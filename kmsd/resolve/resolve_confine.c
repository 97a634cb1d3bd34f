/*
 * resolve_confine.c - everything that kmsd-resolve gives up before it reads any DNS message. What
 * stays: its channel to kmsd, sockets to name servers, and a handful of files that anybody may
 * read.
 */
#include "kmsd/resolve/resolve_confine.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "kmsd/common/config.h"
#include "kmsd/common/front_user.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

#define OWN_FILES 64

/*
 * Beside confine_base_calls: traced with strace over UDP, TCP after a truncated answer, IPv4, IPv6,
 * /etc/hosts, and name servers that are silent or refuse.
 */
static const char *const allowed[] = {
	/* name servers; UDP too, to see which of a name's addresses has a route (RFC 6724) */
	"socket@tcp", "socket@udp", "connect", "setsockopt@TCP_NODELAY", "getsockname",
	"fcntl@flags", "fcntl@seal", "sendto@connected", "recvfrom",
	/* the resolver's settings: Landlock says which files */
	"openat", "newfstatat", "statx", "lseek", "uname",
	/* the answer, in a memfd, to kmsd */
	"memfd_create", "sendmsg@connected",
	/* confine_enough, when all is applied */
	"geteuid", NULL
};

/* Asked by libraries in passing (syslog(3) reconnecting, which interface a name server is on):
 * refused, not fatal. */
static const char *const refused[] = { "socket", "open", "access", "faccessat", "faccessat2",
	"stat", "readlink", "readlinkat", "ioctl", "bind", "sysinfo", NULL };

/* What c-ares reads each time it is asked, and where its numbers come from. */
static const char *const settings[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
	"/etc/host.conf", "/etc/svc.conf", "/etc/gai.conf", "/dev/urandom", NULL };

static int
become_user(const struct config *c)
{
	unsigned uid, gid;

	return front_user(c, 0, &uid, &gid) ? confine_user_ids(uid, gid) : KMS_E_SANDBOX;
}

/*
 * UDP can go anywhere: Landlock restricts only TCP. The fronts log it when the kernel cannot
 * restrict even that.
 */
static int
landlock(const struct config *c)
{
	uint16_t port = relay_nameserver_port(c);
	bool tcp;

	return confine_landlock_read(settings, &port, 1, &tcp);
}

uint32_t
resolve_confine(const struct config *c)
{
	const struct confine_rlimits limits = {
		.files = OWN_FILES,
		.file_size = IPC_UPSTREAMS_SIZE, /* the memfd is a file to this limit */
		.processes = 0,
	};
	uint32_t in_force = confine_layer_if(confine_no_core(), CONFINE_NO_CORE);

	if (geteuid() == 0)
		in_force |= confine_layer_if(become_user(c), CONFINE_UID);
	in_force |= confine_layer_if(confine_no_new_privs(), CONFINE_NO_NEW_PRIVS);
	in_force |= confine_layer_if(landlock(c), CONFINE_LANDLOCK);
	in_force |= confine_layer_if(confine_rlimits(&limits), CONFINE_RLIMITS);
	in_force |= confine_layer_if(confine_seccomp(allowed, refused), CONFINE_SECCOMP);
	return in_force;
}
