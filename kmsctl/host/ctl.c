/*
 * ctl.c - what commands share: saying that something failed, the ini file, asking the host.
 */
#include "kmsctl/host/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

static void
fail_json(struct ctl *ctl, const struct kms_error *e, uint32_t status, const char *message)
{
	char code[11];

	output_end(ctl->out);
	output_object(ctl->out, "error", NULL);
	output_number(ctl->out, "status", NULL, status);
	output_text(ctl->out, "symbol", NULL, e->symbol);
	snprintf(code, sizeof(code), "0x%08" PRIX32, e->microsoft);
	output_text(ctl->out, "microsoft", NULL, e->microsoft ? code : NULL);
	output_text(ctl->out, "meaning", NULL, e->meaning);
	output_text(ctl->out, "remedy", NULL, e->remedy);
	output_text(ctl->out, "message", NULL, message);
	output_end(ctl->out);
}

static void
fail_text(struct ctl *ctl, const struct kms_error *e, uint32_t status, const char *message)
{
	char *safe = output_printable(message, false);

	output_end(ctl->out);
	fflush(ctl->out->file);
	fprintf(stderr, "kmsctl: %s\n", safe != NULL ? safe : e->meaning);
	fprintf(stderr, "  %s (%" PRIu32, e->symbol, status);
	if (e->microsoft != 0)
		fprintf(stderr, ", Microsoft 0x%08" PRIX32, e->microsoft);
	fprintf(stderr, "): %s\n  %s\n", e->meaning, e->remedy);
	free(safe);
}

int
ctl_fail(struct ctl *ctl, uint32_t status, const char *fmt, ...)
{
	const struct kms_error *e = kms_error_find(status);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (ctl->json)
		fail_json(ctl, e, status, message);
	else
		fail_text(ctl, e, status, message);
	return status == KMS_E_NOT_RUNNING ? CTL_DOWN : CTL_FAILED;
}

int
ctl_load_config(struct ctl *ctl)
{
	struct config_error error;
	char *text = NULL;
	unsigned errors;
	size_t len;
	int rc;

	config_defaults(&ctl->config);
	rc = config_read_file(ctl->config_path, &text, &len);
	if (rc == KMS_E_NOT_FOUND && !ctl->config_given)
		return CTL_OK; /* defaults are a configuration */
	if (rc != KMS_OK)
		return ctl_fail(ctl, rc, "%s: cannot be read: %s", ctl->config_path,
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
	errors = config_parse(&ctl->config, text, len, &error, 1);
	free(text);
	if (errors == 0)
		return CTL_OK;
	return ctl_fail(ctl, KMS_E_CONFIG, "%s:%d: %s (%u error%s: see kmsctl config check)",
	    ctl->config_path, error.line, error.text, errors, errors == 1 ? "" : "s");
}

void
ctl_socket(const struct ctl *ctl, char out[256])
{
	if (ctl->socket != NULL)
		snprintf(out, 256, "%s", ctl->socket);
	else
		snprintf(out, 256, "%s/control.sock", ctl->config.runtime_directory);
}

/* What a failed exchange means, for a person. */
static void
explain_call(int rc, const char *socket, int timeout_ms, char why[512])
{
	switch (rc) {
	case KMS_E_NOT_RUNNING:
		snprintf(why, 512, "kmsd is not running: nobody answers on %s", socket);
		break;
	case KMS_E_DENIED:
		snprintf(why, 512,
		    "not allowed to use %s: be root, the daemon's user or in the control group",
		    socket);
		break;
	case KMS_E_TIMEOUT:
		snprintf(
		    why, 512, "%s: no whole answer within %d seconds", socket, timeout_ms / 1000);
		break;
	case KMS_E_PEER:
		snprintf(why, 512, "%s: the host closed the connection without an answer", socket);
		break;
	case KMS_E_TRUNCATED:
		snprintf(why, 512, "%s: the answer was cut short", socket);
		break;
	case KMS_E_TRAILING:
		snprintf(why, 512, "%s: octets follow the answer", socket);
		break;
	case KMS_E_TOO_LARGE:
		snprintf(why, 512, "%s: the message is longer than %d octets", socket, CONTROL_MAX);
		break;
	case KMS_E_FORMAT:
		snprintf(why, 512, "%s: the answer is malformed", socket);
		break;
	case KMS_E_ARGUMENT:
		snprintf(why, 512, "%s: the path is too long for a socket", socket);
		break;
	default:
		snprintf(why, 512, "%s: %s", socket,
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
	}
}

uint32_t
ctl_ask_quietly(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, char why[512])
{
	char socket[256], where[256] = "";
	const char *message;
	uint8_t *data;
	uint32_t status;
	size_t len;
	int rc;

	memset(reply, 0, sizeof(*reply));
	ctl_socket(ctl, socket);
	rc = control_call(socket, verb, args, ctl->timeout_ms, &status, &data, &len);
	if (rc != KMS_OK) {
		explain_call(rc, socket, ctl->timeout_ms, why);
		return (uint32_t)rc;
	}
	rc = reply_read(reply, data, len, where);
	free(data);
	if (rc != KMS_OK) {
		snprintf(why, 512, "%.200s: the answer is malformed: %s", socket, where);
		reply_free(reply);
		return (uint32_t)rc;
	}
	if (status == KMS_OK)
		return KMS_OK;
	message = reply_text(reply_next(reply, "error", NULL), "message");
	snprintf(
	    why, 512, "kmsd: %s", message != NULL && *message ? message : kms_strerror(status));
	reply_free(reply);
	return status;
}

int
ctl_ask(struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply)
{
	char why[512] = "";
	uint32_t status = ctl_ask_quietly(ctl, verb, args, reply, why);

	return status == KMS_OK ? CTL_OK : ctl_fail(ctl, status, "%s", why);
}

/* With port = 0 the system chose it: kmsd writes it down, the activation process does not know. */
static unsigned long
chosen_port(const struct ctl *ctl)
{
	char path[256], *text;
	unsigned long port;
	size_t len;

	snprintf(path, sizeof(path), "%.200s/port", ctl->config.runtime_directory);
	if (ctl_read_file(path, 16, &text, &len) != KMS_OK)
		return 0;
	port = strtoul(text, NULL, 10);
	free(text);
	return port;
}

void
ctl_fill_port(struct ctl *ctl, struct reply *reply)
{
	reply_replace_zero(reply, "service", "port", chosen_port(ctl));
}

uint16_t
ctl_port(const struct ctl *ctl)
{
	unsigned long port = ctl->config.port != 0 ? ctl->config.port : chosen_port(ctl);

	return port <= UINT16_MAX ? (uint16_t)port : 0;
}
