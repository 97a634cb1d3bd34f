/*
 * ask_host.c - see ask_host.h.
 */
#include "kmsctl/host/ask_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "libkms/kms_error.h"

static void
socket_path(const struct ctl *ctl, char out[256])
{
	if (ctl->socket != NULL)
		snprintf(out, 256, "%s", ctl->socket);
	else
		snprintf(out, 256, "%s/control.sock", ctl->config.runtime_directory);
}

/* Explains a failed exchange: the words before and after the socket's name. */
static const struct {
	int status;
	const char *before, *behind;
} meanings[] = {
	{ KMS_E_NOT_RUNNING, "kmsd is not running: there is no answer on ", "" },
	{ KMS_E_DENIED, "not allowed to use ",
	    ": run this as root, as the daemon's user or as a member of the control group" },
	{ KMS_E_PEER, "", ": the host closed the connection without an answer" },
	{ KMS_E_TRUNCATED, "", ": the answer was cut short" },
	{ KMS_E_TRAILING, "", ": more bytes follow the answer" },
	{ KMS_E_FORMAT, "", ": the answer is malformed" },
	{ KMS_E_ARGUMENT, "", ": the path is too long for a socket" },
};

static int
explain(int rc, const char *socket, int timeout_ms, struct fault *f)
{
	if (rc == KMS_E_TIMEOUT)
		return fault_set(
		    f, rc, "%s: no complete answer within %d seconds", socket, timeout_ms / 1000);
	if (rc == KMS_E_TOO_LARGE)
		return fault_set(
		    f, rc, "%s: the message is longer than %d bytes", socket, CONTROL_MAX);
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].status == rc)
			return fault_set(
			    f, rc, "%s%s%s", meanings[i].before, socket, meanings[i].behind);
	return fault_set(
	    f, rc, "%s: %s", socket, rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
}

int
ask_quietly(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, struct fault *f)
{
	char socket[256];
	const char *message;
	uint8_t *data;
	uint32_t status;
	size_t len;
	int rc;

	memset(reply, 0, sizeof(*reply));
	socket_path(ctl, socket);
	rc = control_call(socket, verb, args, ctl->timeout_ms, &status, &data, &len);
	if (rc != KMS_OK)
		return explain(rc, socket, ctl->timeout_ms, f);
	rc = reply_read(reply, data, len, f);
	free(data);
	if (rc != KMS_OK) {
		fault_prefix(f, "%s: the answer is malformed: ", socket);
		reply_free(reply);
		return rc;
	}
	if (status == KMS_OK)
		return KMS_OK;
	message = reply_text(reply_next(reply, "error", NULL), "message");
	fault_set(f, (int)status, "kmsd: %s",
	    message != NULL && *message ? message : kms_strerror(status));
	reply_free(reply);
	return (int)status;
}

int
ask_host(struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply)
{
	struct fault f = { 0 };

	return ask_quietly(ctl, verb, args, reply, &f) == KMS_OK ? CTL_OK : fail_fault(ctl, &f);
}
