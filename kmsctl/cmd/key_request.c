/*
 * key_request.c - key request: make the request that the publisher needs to confirm this host, as a
 * file, as text, as a QR code in the terminal or in a picture, and a telephone number.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/qr.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/contacts.h"
#include "kmsctl/kmsctl.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

struct request_options {
	const char *output, *png;
	char country[3]; /* capitals; "": not given */
	bool qr;
};

/* ISO 3166-1, in capitals as packs have it. */
static bool
read_country(void *field, const char *text)
{
	char *out = field;

	for (unsigned i = 0; i < 2; i++) {
		out[i] = (char)(text[i] & ~0x20);
		if (out[i] < 'A' || out[i] > 'Z')
			return false;
	}
	out[2] = '\0';
	return text[2] == '\0';
}

static int
write_file(struct ctl *ctl, const char *path, const void *data, size_t len)
{
	int rc = file_write(AT_FDCWD, path, data, len, 0644, true);

	return rc == KMS_OK
		   ? CTL_OK
		   : fail(ctl, (uint32_t)rc, "%s: cannot be written: %s", path, strerror(errno));
}

static int
write_png(struct ctl *ctl, const char *path, const char *text)
{
	size_t len;
	void *png = qr_png(text, &len);
	int code;

	if (png == NULL)
		return fail_told(ctl, KMS_E_TOO_LARGE,
		    "the request does not fit into a QR code: write it to a file with --output");
	code = write_file(ctl, path, png, len);
	free(png);
	return code;
}

static int
print_request(struct ctl *ctl, const struct reply_row *row)
{
	const char *text = reply_text(row, "text"), *id = reply_text(row, "installation-id");
	const struct request_options *o = ctl->options;
	int code = CTL_OK;

	if (text == NULL || id == NULL)
		return fail(ctl, KMS_E_FORMAT, "the host's answer contains no request");
	if (o->output != NULL)
		code = write_file(ctl, o->output, text, strlen(text));
	if (code == CTL_OK && o->png != NULL)
		code = write_png(ctl, o->png, text);
	if (code != CTL_OK)
		return code;
	output_text(ctl->out, "key", o->output ? "Key" : NULL, reply_text(row, "key"));
	output_text(ctl->out, "installation_id", "Installation id", id);
	output_text(ctl->out, "file", o->output ? "Request" : NULL, o->output);
	output_text(ctl->out, "png", o->png ? "QR code" : NULL, o->png);
	if ((o->output == NULL && o->png == NULL) || ctl->json) {
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
		output_block(ctl->out, "request", text);
	}
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	if (o->qr && !ctl->json && !qr_print(ctl->out->file, text))
		return fail_told(ctl, KMS_E_TOO_LARGE,
		    "the request does not fit into a QR code: write it to a file with --output");
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Next: give this to the publisher; install the answer with kmsctl key confirm FILE.kmscert");
	return CTL_OK;
}

static int
run_key_request(struct ctl *ctl)
{
	const struct request_options *o = ctl->options;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int code;

	if (ctl->arg_count > 0)
		control_text(&args, "key", ctl->args[0]);
	code = ask_host(ctl, CONTROL_KEY_REQUEST, &args, &reply);
	if (code == CTL_OK)
		code = print_request(ctl, reply_next(&reply, "request", NULL));
	if (code == CTL_OK)
		contacts_print(ctl->out, &reply, o->country);
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static const struct option_row key_request_rows[] = {
	{ "output", 'o', "FILE", "write the request to this file",
	    .offset = offsetof(struct request_options, output) },
	{ "qr", 0, NULL, "show the request as a QR code",
	    .offset = offsetof(struct request_options, qr) },
	{ "country", 0, "CC", "show the contacts for this country",
	    .offset = offsetof(struct request_options, country), .read = read_country,
	    .takes = "two letters such as DE" },
	{ "png", 0, "FILE", "write a picture of the QR code",
	    .offset = offsetof(struct request_options, png) },
	{ 0 },
};

const struct ctl_command cmd_key_request = {
	.line.noun = "key",
	.line.verb = "request",
	.line.args = "[KEY-ID]",
	.line.summary = "make the request that the publisher needs to confirm this host",
	.line.max = 1,
	.line.options = key_request_rows,
	.line.values = sizeof(struct request_options),
	.run = run_key_request,
};
