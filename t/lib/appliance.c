/*
 * appliance.c - spawns the real kmsd-activate over the real PARENT protocol. As root it is
 * given to user nobody, so that dropping privileges is part of the test.
 */
#include "t/lib/appliance.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/config_wire.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"
#include "policy/host_key.h"

#define PATIENCE_MS 20000

/* For a test that ends half way: the one appliance it has. */
static struct appliance *unfinished;

static void
clean_up(void)
{
	if (unfinished != NULL)
		appliance_remove(unfinished);
}

void
appliance_make(struct appliance *a, const char *extra)
{
	char path[96];
	struct passwd *nobody = getpwnam("nobody");

	memset(a, 0, sizeof(*a));
	a->parent = -1;
	strcpy(a->dir, "/tmp/kms-activate.XXXXXX");
	if (sodium_init() < 0 || mkdtemp(a->dir) == NULL)
		player_die("temporary directory");
	snprintf(path, sizeof(path), "%s/state", a->dir);
	snprintf(a->control, sizeof(a->control), "%s/control.sock", a->dir);
	if (mkdir(path, 0700) != 0)
		player_die(path);
	if (geteuid() == 0 && (nobody == NULL || chown(path, nobody->pw_uid, nobody->pw_gid) != 0))
		player_die("user nobody");
	if ((a->state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		player_die(path);
	unfinished = a;
	atexit(clean_up);
	publisher_make(&a->publisher);
	a->host.publisher = a->publisher.key;
	snprintf(a->ini, sizeof(a->ini),
	    "[kms]\nactivate_user = nobody\n[limits]\nrenewals_per_interval = 1000000\n"
	    "[publisher test]\nkey = %s\n%s",
	    a->publisher.line, extra);
}

int
appliance_config(const char *ini)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	struct config c;
	struct fault f;
	int fd;

	if (config_parse(&c, ini, strlen(ini), &f, 1) != 0)
		player_die(f.text);
	fd = ipc_memory_write("kms.config", bytes, config_encode(bytes, &c, CONFIG_ACTIVATE));
	if (fd < 0)
		player_die("memfd");
	return fd;
}

static int
control_listener(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(fd, 16) != 0)
		player_die("control socket");
	return fd;
}

static void
give(struct appliance *a, uint8_t verb, uint8_t index, int fd)
{
	const struct ipc_parent m = { .verb = verb, .index = index, .fd = fd };

	if (ipc_parent_send(a->parent, &m) != KMS_OK)
		player_die("kmsd-activate does not listen");
}

static void
child(struct appliance *a, int parent)
{
	const char *build = getenv("KMS_BUILD");
	char path[512], log[96];
	int fd;

	snprintf(path, sizeof(path), "%s/kmsd-activate", build != NULL ? build : ".");
	snprintf(log, sizeof(log), "%s/log", a->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	if (dup2(parent, IPC_PARENT_FD) != IPC_PARENT_FD)
		_exit(126);
	execl(path, "kmsd-activate", (char *)NULL);
	_exit(127);
}

uint32_t
appliance_start(struct appliance *a)
{
	struct pollfd p = { .events = POLLIN };
	struct ipc_parent m;
	int pair[2], ini, control;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		player_die("socketpair");
	/* Not in the child's way, which puts its own end on descriptor 3. */
	a->parent = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
	close(pair[0]);
	if ((a->pid = fork()) == 0)
		child(a, pair[1]);
	close(pair[1]);
	ini = appliance_config(a->ini);
	control = control_listener(a->control);
	give(a, IPC_CONFIG, 0, ini);
	give(a, IPC_STATE_DIR, 0, a->state);
	give(a, IPC_CONTROL, 0, control);
	give(a, IPC_START, 0, -1);
	close(ini);
	close(control);
	p.fd = a->parent;
	do {
		if (poll(&p, 1, PATIENCE_MS) != 1 || ipc_parent_recv(a->parent, &m) != KMS_OK)
			return KMS_E_NOT_RUNNING;
	} while (m.verb == IPC_CHILD_BUSY);
	a->layers = m.verb == IPC_CHILD_READY ? m.value : 0;
	return m.verb == IPC_CHILD_READY ? KMS_OK : m.value;
}

static int
reap(struct appliance *a, int flags)
{
	int status = 0;

	if (waitpid(a->pid, &status, flags) != a->pid)
		return -1;
	a->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
appliance_stop(struct appliance *a)
{
	struct pollfd p = { .fd = a->parent, .events = POLLIN };
	struct ipc_parent m;
	int rc;

	if (a->pid == 0)
		return -1;
	m = (struct ipc_parent){ .verb = IPC_STOP, .fd = -1 };
	ipc_parent_send(a->parent, &m);
	/* Its end of the channel closes when it exits. */
	if (poll(&p, 1, PATIENCE_MS) != 1)
		kill(a->pid, SIGKILL);
	rc = reap(a, 0);
	close(a->parent);
	a->parent = -1;
	return rc;
}

bool
appliance_alive(struct appliance *a)
{
	return a->pid != 0 && reap(a, WNOHANG) == -1;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void
appliance_remove(struct appliance *a)
{
	if (a->pid != 0)
		appliance_stop(a);
	unfinished = NULL;
	close(a->state);
	nftw(a->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
appliance_front(struct appliance *a, unsigned index)
{
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		player_die("socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	give(a, IPC_CHANNEL, (uint8_t)index, pair[1]);
	close(pair[1]);
	return pair[0];
}

bool
appliance_send(int fd, const struct ipc_frame *f, const void *body)
{
	uint8_t bytes[IPC_HEADER + IPC_MAX_BODY];
	size_t len = IPC_HEADER + f->length;

	ipc_encode(bytes, f);
	if (f->length > 0)
		memcpy(bytes + IPC_HEADER, body, f->length);
	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static int
recv_all(int fd, uint8_t *out, size_t len)
{
	ssize_t n;

	for (size_t have = 0; have < len; have += (size_t)n) {
		n = recv(fd, out + have, len - have, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0)
			return -1;
	}
	return 1;
}

int
appliance_recv(int fd, struct ipc_frame *f, uint8_t *body, size_t size)
{
	uint8_t header[IPC_HEADER];
	int rc;

	do {
		if ((rc = recv_all(fd, header, sizeof(header))) != 1)
			return rc;
		if (ipc_decode(f, header) != KMS_OK || f->length > size)
			player_die("kmsd-activate sent a malformed frame");
		if (f->length > 0 && (rc = recv_all(fd, body, f->length)) != 1)
			return rc;
	} while (f->verb == IPC_STATS_ASK);
	return 1;
}

uint32_t
appliance_welcome(int fd)
{
	struct ipc_frame f = { .verb = IPC_FRONT_READY, .length = 8 };
	uint8_t body[8] = { 0, 0, 0, IPC_VERSION };
	struct wire_reader r;

	if (!appliance_send(fd, &f, body) || appliance_recv(fd, &f, body, sizeof(body)) != 1 ||
	    f.verb != IPC_WELCOME || f.length != 8)
		return 0;
	wire_reader_init(&r, body, sizeof(body));
	return wire_get_u32(&r) == IPC_VERSION ? wire_get_u32(&r) : 0;
}

uint32_t
appliance_hello(struct appliance *a, int fd)
{
	uint8_t frame[FRAME_HEADER + 8] = { 0 }, reply[PLAYER_REPLY];
	struct ipc_frame f = { .verb = IPC_HELLO, .length = sizeof(frame) };
	struct message_hello_reply m;
	struct frame_error e;
	int rc;

	frame_encode(frame, FRAME_HELLO, 8);
	if (!appliance_send(fd, &f, frame) || appliance_recv(fd, &f, reply, sizeof(reply)) != 1)
		return KMS_E_PEER;
	if (reply[FRAME_TYPE_AT] == FRAME_ERROR)
		return frame_error_decode(&e, reply + FRAME_HEADER, f.length - FRAME_HEADER) ==
			       KMS_OK
			   ? e.status
			   : KMS_E_FORMAT;
	if (message_hello_reply_decode(&m, reply + FRAME_HEADER, f.length - FRAME_HEADER) != KMS_OK)
		return KMS_E_FORMAT;
	rc = certificate_verify(&a->host.certificate, m.certificate, m.certificate_len,
	    a->publisher.key.id, a->publisher.key.pk);
	if (rc == KMS_OK)
		rc = exchange_verify(
		    &a->host.exchange, m.exchange, EXCHANGE_SIZE, a->host.certificate.sign_pk);
	return (uint32_t)rc;
}

/* Learns the exchange key as a client does, over a front that then leaves. */
static uint32_t
learn_exchange(struct appliance *a)
{
	int fd = appliance_front(a, 0);
	uint32_t rc = appliance_welcome(fd) > 0 ? appliance_hello(a, fd) : KMS_E_PEER;

	close(fd);
	return rc;
}

uint32_t
appliance_control(struct appliance *a, uint16_t verb, const struct test_file *file,
    const char *arg_name, const char *arg, const char *name, char *text, size_t size)
{
	struct control_buf args = { 0 };
	struct wire_reader r;
	struct control_field f;
	uint8_t *reply = NULL;
	uint32_t status;
	size_t len;
	int rc;

	if (file != NULL) {
		control_octets(&args, "file", file->text, file->len);
		control_octets(&args, "signature", file->signature, file->signature_len);
	}
	if (arg_name != NULL)
		control_text(&args, arg_name, arg);
	rc = control_call(a->control, verb, &args, PATIENCE_MS, &status, &reply, &len);
	control_buf_free(&args);
	if (rc != KMS_OK)
		return (uint32_t)rc;
	wire_reader_init(&r, reply, len);
	while (name != NULL && control_next(&r, &f)) {
		if (control_field_is(&f, 's', name))
			snprintf(text, size, "%.*s", (int)f.value_len, (const char *)f.value);
		else if (control_field_is(&f, 'u', name))
			snprintf(text, size, "%llu", (unsigned long long)f.number);
		else
			continue;
		break;
	}
	free(reply);
	return status;
}

uint32_t
appliance_confirm(struct appliance *a)
{
	static const uint8_t id[16] = { 0xaa, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14,
		15 };
	struct test_file f;
	struct fault err;
	char request[8192] = "";
	uint8_t octets[CERTIFICATE_MAX];
	uint32_t rc;
	size_t len;

	publisher_pack(&a->publisher, &f, "1.0");
	if ((rc = appliance_control(a, CONTROL_POLICY_INSTALL, &f, NULL, NULL, NULL, NULL, 0)) !=
	    KMS_OK)
		return rc;
	publisher_host_key(&a->publisher, &f, id);
	if ((rc = appliance_control(a, CONTROL_KEY_INSTALL, &f, NULL, NULL, NULL, NULL, 0)) !=
	    KMS_OK)
		return rc;
	rc = appliance_control(
	    a, CONTROL_KEY_REQUEST, NULL, NULL, NULL, "text", request, sizeof(request));
	if (rc != KMS_OK)
		return rc;
	if ((rc = (uint32_t)publisher_confirm(&a->publisher, &f, request, strlen(request))) !=
	    KMS_OK)
		return rc;
	if ((rc = appliance_control(a, CONTROL_KEY_CONFIRM, &f, NULL, NULL, NULL, NULL, 0)) !=
	    KMS_OK)
		return rc;
	if (certificate_file_parse(octets, sizeof(octets), &len, f.text, f.len, &err) != KMS_OK)
		return KMS_E_FORMAT;
	rc = (uint32_t)certificate_verify(
	    &a->host.certificate, octets, len, a->publisher.key.id, a->publisher.key.pk);
	return rc == KMS_OK ? learn_exchange(a) : rc;
}

static FILE *
open_log(const struct appliance *a)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/log", a->dir);
	return fopen(path, "r");
}

unsigned
appliance_logged(const struct appliance *a, const char *text)
{
	char line[1024];
	unsigned n = 0;
	FILE *f = open_log(a);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

void
appliance_log_show(const struct appliance *a)
{
	char line[1024];
	FILE *f = open_log(a);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		printf("# %s", line);
	if (f != NULL)
		fclose(f);
}
