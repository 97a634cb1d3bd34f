/*
 * child.c - see child.h.
 */
#include "kmsd/common/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/config_wire.h"
#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"
#include "libkms/kms_error.h"

/* Descriptor 3 is the channel to kmsd, or nothing that we should touch. */
static bool
started_by_kmsd(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(IPC_PARENT_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

bool
child_asked(const char *program, int argc, char **argv)
{
	if (argc != 2)
		return false;
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return printf("%s " PACKAGE_VERSION "\n", program) > 0;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return printf("%s is started by kmsd(8) only, and takes no arguments.\n", program) >
		       0;
	return false;
}

bool
child_begin(const struct child_role *role)
{
	/*
	 * kmsd passes on what the terminal and the service manager ask: IPC_STOP, IPC_RELOAD; or
	 * kmsd has ended.
	 */
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	log_open(role->program, false, LOG_INFO);
	if (started_by_kmsd())
		return true;
	log_event(LOG_ERR, role->failed, "%s is started by kmsd(8) only", role->program);
	return false;
}

int
child_config(const struct child_role *role, struct config *out, int fd)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	size_t len;
	int rc = ipc_memory_read(fd, bytes, sizeof(bytes), &len);

	if (rc == KMS_OK)
		rc = config_decode(out, bytes, len, role->reader);
	if (rc == KMS_E_BAD_VERSION)
		log_event(LOG_ERR, "config-refused",
		    "kmsd is of another version than %s: restart kmsd", role->program);
	else if (rc != KMS_OK)
		log_event(LOG_ERR, "config-refused", "what kmsd sent is not a configuration: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}

static int
take(const struct child_role *role, struct config *config, bool *configured, void *arg,
    const struct ipc_parent *m)
{
	int rc = KMS_E_PEER;

	if (m->fd < 0)
		return rc;
	if (m->verb != IPC_CONFIG) {
		if (role->take != NULL)
			rc = role->take(arg, m);
		if (rc != KMS_OK)
			close(m->fd);
		return rc;
	}
	rc = child_config(role, config, m->fd);
	close(m->fd);
	*configured = rc == KMS_OK;
	return rc;
}

/*
 * Everything up to START, also when one message was wrong: to end with messages unread would reset
 * the channel, and kmsd would not hear why.
 */
static int
receive(const struct child_role *role, struct config *config, void *arg)
{
	struct pollfd wait = { .fd = IPC_PARENT_FD, .events = POLLIN };
	bool configured = false;
	int first = KMS_OK;

	for (;;) {
		struct ipc_parent m;
		int rc;

		if (poll(&wait, 1, -1) == -1 && errno != EINTR)
			return KMS_E_IO;
		rc = ipc_parent_recv(IPC_PARENT_FD, &m);
		if (rc == KMS_E_IO && (errno == EAGAIN || errno == EINTR))
			continue;
		if (rc != KMS_OK)
			return rc;
		if (m.verb == IPC_START)
			return first != KMS_OK || configured ? first : KMS_E_PEER;
		rc = take(role, config, &configured, arg, &m);
		if (first == KMS_OK)
			first = rc;
	}
}

/* Are the layers in force enough for what the ini file says? forbidden: confine_forbidden. */
static int
check(
    const struct child_role *role, const struct config *config, uint32_t layers, uint32_t forbidden)
{
	const char *lacks = confine_lacks(forbidden, role->wanted & ~layers);
	char why[256], names[128];
	bool enough = confine_enough(
	    role->wanted, layers, config->sandbox_required, config->allow_missing, why);

	if (why[0] != '\0')
		log_event(enough        ? LOG_WARNING
			  : role->vital ? LOG_CRIT
					: LOG_ERR,
		    "sandbox", "%s", why);
	if (why[0] != '\0' && lacks != NULL)
		log_event(LOG_WARNING, "sandbox",
		    "kmsd was started without %s: docker and podman give it with --cap-add=%s",
		    lacks, lacks + strlen("CAP_"));
	if (!enough)
		return KMS_E_SANDBOX;
	confine_names(names, sizeof(names), layers);
	if (role->ready != NULL)
		log_event(LOG_INFO, role->ready, "confined: %s", names);
	return KMS_OK;
}

static void
tell_parent(uint8_t verb, uint32_t value)
{
	const struct ipc_parent m = { .verb = verb, .value = value, .fd = -1 };

	ipc_parent_send(IPC_PARENT_FD, &m);
}

int
child_start(const struct child_role *role, struct config *config, void *arg, uint32_t *layers)
{
	uint32_t forbidden = confine_forbidden();
	int rc = receive(role, config, arg);

	if (rc == KMS_OK) {
		log_open(role->program, config->log_syslog, (int)config->log_level);
		rc = role->confine(arg, layers);
	}
	if (rc == KMS_OK)
		rc = check(role, config, *layers, forbidden);
	if (rc == KMS_OK && role->open != NULL)
		rc = role->open(arg, *layers);
	if (rc == KMS_OK)
		return rc;
	log_event(role->vital ? LOG_CRIT : LOG_ERR, role->failed, "%s", kms_strerror((uint32_t)rc));
	tell_parent(IPC_CHILD_FAILED, (uint32_t)rc);
	return rc;
}

void
child_ready(uint32_t layers)
{
	tell_parent(IPC_CHILD_READY, layers);
}

void
child_busy(void)
{
	tell_parent(IPC_CHILD_BUSY, 0);
}

void
child_pong(const struct ipc_parent *ping)
{
	tell_parent(IPC_PONG, ping->value);
}

int
child_reload(const struct child_role *role, struct config *config, int fd)
{
	struct config fresh;
	int rc = child_config(role, &fresh, fd);

	if (rc != KMS_OK)
		return rc;
	config_reload(config, &fresh);
	log_level((int)config->log_level);
	return KMS_OK;
}
