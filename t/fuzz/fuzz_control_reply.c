/*
 * fuzz_control_reply.c - what kmsctl hears from whoever listens on the control socket: first these
 * bytes and then no more, then the same bytes as the rows of a whole reply. A reply that is read
 * has a name and a text for each field.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmsctl/host/reply.h"
#include "kmsd/ipc/control.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"
#include "t/lib/scratch.h"

/* The host, for poll(2), in whose place the linker puts the function below. */
static struct host {
	struct sockaddr_un address;
	int listener;
	const uint8_t *data; /* NULL: it has answered */
	size_t len;
} host = { .listener = -1 };

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);

/* The client waits for the answer: now it is given, and nothing waits. */
int
__wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int fd;

	if (host.data != NULL && count == 1 && (fds->events & POLLIN)) {
		MUST((fd = accept4(host.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
		(void)!send(fd, host.data, host.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		host.data = NULL;
	}
	return __real_poll(fds, count, timeout);
}

/* Nobody listens, and nobody could. */
static void
no_host(const char *root)
{
	char path[256];
	uint8_t *reply;
	uint32_t status;
	size_t len;

	snprintf(path, sizeof(path), "%s/nobody", root);
	MUST(control_call(path, CONTROL_STATUS, NULL, 10, &status, &reply, &len) ==
	     KMS_E_NOT_RUNNING);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	MUST(control_call(path, CONTROL_STATUS, NULL, 10, &status, &reply, &len) == KMS_E_ARGUMENT);
}

static void
open_host(void)
{
	static char root[SCRATCH_PATH];

	if (host.listener >= 0)
		return;
	MUST(scratch_make(root));
	host.address.sun_family = AF_UNIX;
	snprintf(host.address.sun_path, sizeof(host.address.sun_path), "%s/control", root);
	host.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(host.listener >= 0);
	MUST(bind(host.listener, (struct sockaddr *)&host.address, sizeof(host.address)) == 0);
	MUST(listen(host.listener, 4) == 0);
	no_host(root);
}

static int
ask(const uint8_t *data, size_t len, uint32_t *status, uint8_t **reply, size_t *reply_len)
{
	struct control_buf args = { 0 };
	int rc;

	host.data = data;
	host.len = len;
	control_text(&args, "key", "value");
	rc = control_call(
	    host.address.sun_path, CONTROL_STATUS, &args, 1000, status, reply, reply_len);
	MUST(host.data == NULL);
	control_buf_free(&args);
	MUST(rc == KMS_OK || *reply == NULL);
	return rc;
}

static void
read_rows(const uint8_t *data, size_t len)
{
	const struct reply_row *row = NULL;
	struct reply reply;
	struct fault fault = { 0 };
	uint64_t number;

	if (reply_read(&reply, data, len, &fault) == KMS_OK) {
		reply_sort(&reply, "front", "number");
		reply_replace_zero(&reply, "product", "required", 5);
		for (unsigned i = 0; i < reply.count; i++)
			for (unsigned j = 0; j < reply.rows[i].count; j++) {
				const struct reply_field *f = &reply.rows[i].fields[j];

				MUST(f->name != NULL && (f->type == 'u' || f->text != NULL));
			}
		while ((row = reply_next(&reply, "front", row)) != NULL)
			(void)reply_number(row, "number", &number);
	} else {
		MUST(fault.text[0] != '\0');
	}
	reply_free(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[CONTROL_REPLY_HEADER + 65536];
	uint8_t *reply;
	uint32_t status;
	size_t len;

	if (size > 65536)
		return 0;
	open_host();
	if (ask(data, size, &status, &reply, &len) == KMS_OK)
		read_rows(reply, len);
	free(reply);
	MUST(control_reply_header(whole, KMS_OK, size));
	memcpy(whole + CONTROL_REPLY_HEADER, data, size);
	MUST(ask(whole, CONTROL_REPLY_HEADER + size, &status, &reply, &len) == KMS_OK);
	MUST(status == KMS_OK && len == size);
	read_rows(reply, len);
	free(reply);
	return 0;
}
