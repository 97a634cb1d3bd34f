/*
 * cmd_key.c - key install, show, request, confirm: from what was bought to a host that may serve.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/command.h"
#include "kmsctl/ctl.h"
#include "kmsctl/qr.h"
#include "libkms/kms_error.h"

/* install and confirm: a signed file goes to the host, what it was comes back. */
static int
send_signed(struct ctl *ctl, uint16_t verb, const char *done, const char *what, const char *next)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	const char *told;
	int code;

	code = ctl_read_signed(ctl, ctl->args[0], &args);
	if (code == CTL_OK)
		code = ctl_ask(ctl, verb, &args, &reply);
	if (code == CTL_OK) {
		told = reply_text(reply_next(&reply, "installed", NULL), "what");
		output_bool(ctl->out, done, NULL, true);
		output_text(ctl->out, "file", NULL, ctl->args[0]);
		output_text(ctl->out, "what", NULL, told);
		output_line(
		    ctl->out, OUTPUT_GOOD, "%s: %s", what, told != NULL ? told : ctl->args[0]);
		if (next != NULL)
			output_line(ctl->out, OUTPUT_PLAIN, "%s", next);
	}
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static int
run_key_install(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_KEY_INSTALL, "installed", "KMS host key installed",
	    "Next: have this host confirmed: kmsctl key request");
}

static int
run_key_confirm(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_KEY_CONFIRM, "confirmed", "Host confirmed", NULL);
}

static int
run_key_show(struct ctl *ctl)
{
	const struct reply_row *key = NULL;
	struct reply reply = { 0 };
	int code = ctl_ask(ctl, CONTROL_KEY_SHOW, NULL, &reply);

	if (code == CTL_OK && ctl->json)
		reply_print_list(ctl->out, &reply, "key", "keys", NULL);
	while (code == CTL_OK && !ctl->json && (key = reply_next(&reply, "key", key)) != NULL) {
		output_object(ctl->out, "key", "KMS host key");
		reply_print_fields(ctl->out, key);
		output_end(ctl->out);
	}
	if (code == CTL_OK && reply_next(&reply, "key", NULL) == NULL)
		output_line(ctl->out, OUTPUT_WARN,
		    "No KMS host key is installed: kmsctl key install FILE.kmskey");
	reply_free(&reply);
	return code;
}

/* Written whole or not at all: beside it, then renamed. */
static int
write_file(struct ctl *ctl, const char *path, const char *text)
{
	char temporary[4096];
	size_t len = strlen(text);
	ssize_t n = -1;
	int fd = -1, error;

	if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) < sizeof temporary)
		fd = mkstemp(temporary);
	if (fd >= 0 && fchmod(fd, 0644) == 0)
		n = write(fd, text, len);
	if (n == (ssize_t)len && fsync(fd) == 0 && rename(temporary, path) == 0) {
		close(fd);
		return CTL_OK;
	}
	error = n >= 0 && n < (ssize_t)len ? ENOSPC : errno;
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	return ctl_fail(ctl,
	    error == ENOSPC   ? KMS_E_FULL
	    : error == EACCES ? KMS_E_DENIED
			      : KMS_E_IO,
	    "%s: cannot be written: %s", path, strerror(error));
}

static int
print_request(struct ctl *ctl, const struct reply_row *row)
{
	const char *text = reply_text(row, "text"), *id = reply_text(row, "installation-id");
	int code = CTL_OK;

	if (text == NULL || id == NULL)
		return ctl_fail(ctl, KMS_E_FORMAT, "the host's answer holds no request");
	if (ctl->output_file != NULL)
		code = write_file(ctl, ctl->output_file, text);
	if (code != CTL_OK)
		return code;
	output_text(ctl->out, "key", ctl->output_file ? "Key" : NULL, reply_text(row, "key"));
	output_text(ctl->out, "installation_id", "Installation id", id);
	output_text(ctl->out, "file", ctl->output_file ? "Request" : NULL, ctl->output_file);
	if (ctl->output_file == NULL || ctl->json) {
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
		output_block(ctl->out, "request", text);
	}
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	if (ctl->qr && !ctl->json && !qr_print(ctl->out->file, text))
		return ctl_fail(ctl, KMS_E_TOO_LARGE, "the request does not fit into a QR code");
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Next: give it to the publisher, then kmsctl key confirm FILE.kmscert");
	return CTL_OK;
}

/* Whom to call who cannot send the request: those of the country asked for or, when it has none, all. */
static void
print_contacts(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL;
	const char *country;
	bool some = false;

	while ((row = reply_next(reply, "contact", row)) != NULL)
		if ((country = reply_text(row, "country")) != NULL)
			some |= strcmp(country, ctl->country) == 0;
	if (reply_next(reply, "contact", NULL) != NULL)
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	if (ctl->country[0] != '\0' && !some)
		output_line(
		    ctl->out, OUTPUT_WARN, "The policy pack has no contact for %s.", ctl->country);
	output_list(ctl->out, "contacts",
	    reply_next(reply, "contact", NULL) != NULL ? "Who confirms by telephone" : NULL);
	while ((row = reply_next(reply, "contact", row)) != NULL) {
		country = reply_text(row, "country");
		if (country == NULL || (some && strcmp(country, ctl->country) != 0))
			continue;
		output_row(ctl->out);
		output_text(ctl->out, "country", "Country", country);
		output_text(ctl->out, "text", "Contact", reply_text(row, "text"));
	}
	output_end(ctl->out);
}

static int
run_key_request(struct ctl *ctl)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int code;

	if (ctl->arg_count > 0)
		control_text(&args, "key", ctl->args[0]);
	code = ctl_ask(ctl, CONTROL_KEY_REQUEST, &args, &reply);
	if (code == CTL_OK)
		code = print_request(ctl, reply_next(&reply, "request", NULL));
	if (code == CTL_OK)
		print_contacts(ctl, &reply);
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

const struct command cmd_key_install = {
	.noun = "key",
	.verb = "install",
	.args = "FILE",
	.summary = "install a KMS host key, FILE and FILE.minisig",
	.min = 1,
	.max = 1,
	.run = run_key_install,
};
const struct command cmd_key_show = {
	.noun = "key",
	.verb = "show",
	.summary = "installed KMS host keys and their confirmation",
	.run = run_key_show,
};
const struct command cmd_key_request = {
	.noun = "key",
	.verb = "request",
	.args = "[KEY-ID]",
	.summary = "what the publisher needs to confirm this host",
	.max = 1,
	.options = CTL_OPT_OUTPUT | CTL_OPT_QR | CTL_OPT_COUNTRY,
	.run = run_key_request,
};
const struct command cmd_key_confirm = {
	.noun = "key",
	.verb = "confirm",
	.args = "FILE|-",
	.summary = "install the publisher's answer, the host certificate",
	.min = 1,
	.max = 1,
	.run = run_key_confirm,
};
