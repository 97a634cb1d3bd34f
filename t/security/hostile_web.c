/*
 * hostile_web.c - stands in the place of kmsd-web, without its sandbox, and does to the activation
 * process what a stranger's code would do. The file "hostile" in the runtime directory says what.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/child.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/control.h"
#include "libkms/base/clock.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define FLOOD_MS 2000

static int channel = -1;

static int
take(void *arg, const struct ipc_parent *m)
{
	if (m->verb == IPC_WEB)
		channel = m->fd;
	return KMS_OK;
}

static int
confine(void *arg, uint32_t *layers)
{
	*layers = 0;
	return channel != -1 ? KMS_OK : KMS_E_PEER;
}

static const struct child_role role = {
	.program = "kmsd-web",
	.reader = CONFIG_WEB,
	.failed = "web-failed",
	.take = take,
	.confine = confine,
};

static size_t
request(uint8_t out[128], uint16_t verb, const struct control_buf *args)
{
	struct wire_writer w;

	wire_writer_init(&w, out, 128);
	wire_put_u32(&w, (uint32_t)(2 + args->len));
	wire_put_u16(&w, verb);
	if (args->len > 0)
		wire_put(&w, args->data, args->len);
	return wire_written(&w);
}

static void
put(const void *bytes, size_t len)
{
	if (send(channel, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		log_event(LOG_INFO, "hostile", "cannot send: %s", strerror(errno));
}

/* The status of an answer, or -1: the channel was closed. */
static long
answer(void)
{
	static uint8_t bytes[CONTROL_MAX + 4];
	struct pollfd p = { .fd = channel, .events = POLLIN };
	size_t len = 0, whole = CONTROL_REPLY_HEADER;
	struct wire_reader r;
	ssize_t n;

	while (len < whole) {
		poll(&p, 1, 20000);
		n = recv(channel, bytes + len, whole - len, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return -1;
		len += (size_t)n;
		wire_reader_init(&r, bytes, len);
		if (len >= 4)
			whole = 4 + wire_get_u32(&r);
	}
	wire_reader_init(&r, bytes + 4, 4);
	return (long)wire_get_u32(&r);
}

static void
ask(uint16_t verb, const struct control_buf *args)
{
	uint8_t bytes[128];

	put(bytes, request(bytes, verb, args));
}

static void
tell(const char *what)
{
	long status = answer();

	if (status == -1)
		log_event(LOG_INFO, "hostile", "%s: closed", what);
	else
		log_event(
		    LOG_INFO, "hostile", "%s: %s", what, kms_error_find((uint32_t)status)->symbol);
}

static void
pipelined(const struct control_buf *none)
{
	uint8_t bytes[256];
	size_t len = request(bytes, CONTROL_STATUS, none);

	len += request(bytes + len, CONTROL_STATUS, none);
	put(bytes, len);
}

static void
flood(const struct control_buf *none)
{
	int64_t end = clock_ms() + FLOOD_MS;
	unsigned count = 0;

	while (clock_ms() < end) {
		ask(CONTROL_METRICS, none);
		if (answer() != KMS_OK)
			break;
		count++;
	}
	log_event(LOG_INFO, "hostile", "flood: %s", count > 10 ? "answered" : "not answered");
}

/* It ends while its answer is on the way: as when it was killed. */
static void
leave(const struct control_buf *none)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };

	ask(CONTROL_STATUS, none);
	poll(&p, 1, 20000);
	close(channel);
	channel = -1;
}

static void
do_it(const char *what)
{
	static const uint8_t none_at_all[4], too_long[8] = { 0, 0, 0x10, 0x01, 0, 1 };
	static const struct {
		const char *name;
		uint16_t verb;
	} verbs[] = { { "key-install", CONTROL_KEY_INSTALL },
		{ "client-list", CONTROL_CLIENT_LIST }, { "client-forget", CONTROL_CLIENT_FORGET },
		{ "journal", CONTROL_JOURNAL }, { "web-login", CONTROL_WEB_LOGIN },
		{ "unknown", 9999 }, { "zero", 0 }, { "session", CONTROL_WEB_SESSION },
		{ "clients", CONTROL_CLIENT_FIND }, { "early", CONTROL_STATUS } };
	struct control_buf layers = { 0 }, none = { 0 };

	control_number(&layers, "layers", 0);
	if (strcmp(what, "early") != 0) {
		ask(CONTROL_WEB_READY, &layers);
		answer();
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, what) == 0)
			ask(verbs[i].verb, &none);
	if (strcmp(what, "ready-twice") == 0)
		ask(CONTROL_WEB_READY, &layers);
	if (strcmp(what, "pipelined") == 0)
		pipelined(&none);
	if (strcmp(what, "no-length") == 0)
		put(none_at_all, sizeof(none_at_all));
	if (strcmp(what, "too-long") == 0) {
		static uint8_t rest[8192];

		put(too_long, sizeof(too_long));
		put(rest, sizeof(rest));
	}
	if (strcmp(what, "flood") == 0)
		flood(&none);
	else if (strcmp(what, "leaves") == 0)
		leave(&none);
	else if (strcmp(what, "deaf") == 0)
		ask(CONTROL_STATUS, &none);
	else
		tell(what);
	control_buf_free(&layers);
}

static void
read_what(const struct config *c, char out[64])
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/hostile", c->runtime_directory);
	out[0] = '\0';
	if ((f = fopen(path, "re")) != NULL) {
		if (fgets(out, 64, f) == NULL)
			out[0] = '\0';
		fclose(f);
	}
	out[strcspn(out, "\n")] = '\0';
}

int
main(void)
{
	struct config *config = calloc(1, sizeof(*config));
	struct ipc_parent m;
	uint32_t layers;
	char what[64];

	if (config == NULL || !child_begin(&role) ||
	    child_start(&role, config, NULL, &layers) != KMS_OK)
		return 1;
	child_ready(layers);
	read_what(config, what);
	do_it(what);
	/* Until it is ended; it answers pings meanwhile, as one that serves. */
	while (ipc_parent_recv(IPC_PARENT_FD, &m) == KMS_OK && m.verb != IPC_STOP) {
		if (m.verb == IPC_PING)
			child_pong(&m);
		if (m.fd != -1)
			close(m.fd);
	}
	free(config);
	return 0;
}
