/*
 * install.c - see install.h.
 */
#include "kmsctl/host/install.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/input.h"
#include "kmsctl/host/ask_host.h"
#include "libkms/kms_error.h"

int
install_split(struct ctl *ctl, const char *text, size_t len, struct signed_file *out)
{
	int rc = signed_file_split(out, text, len);

	if (rc == KMS_E_SIGNATURE)
		return fail(ctl, (uint32_t)rc,
		    "standard input: expected the file followed by its signature, in one text");
	return rc == KMS_OK ? CTL_OK : fail(ctl, (uint32_t)rc, "standard input");
}

static int
read_standard_input(struct ctl *ctl, struct signed_file *out)
{
	char *text;
	size_t len;
	int rc = input_read("-", SIGNED_FILE_MAX, &text, &len), code;

	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "standard input: %s", kms_strerror((uint32_t)rc));
	code = install_split(ctl, text, len, out);
	free(text);
	return code;
}

int
install_read_file(struct ctl *ctl, const char *path, struct signed_file *out)
{
	struct fault f = { 0 };
	int rc;

	*out = (struct signed_file){ 0 };
	if (strcmp(path, "-") == 0)
		return read_standard_input(ctl, out);
	rc = signed_file_read(out, AT_FDCWD, path, FILE_GIVEN, &f);
	return rc == KMS_OK ? CTL_OK : fail_fault(ctl, &f);
}

static const struct {
	uint16_t verb;
	const char *command;
} takers[FILE_KINDS] = {
	[FILE_ROTATION] = { CONTROL_PUBLISHER_ROTATE, "publisher rotate" },
	[FILE_KEY] = { CONTROL_KEY_INSTALL, "key install" },
	[FILE_CERTIFICATE] = { CONTROL_KEY_CONFIRM, "key confirm" },
	[FILE_PACK] = { CONTROL_POLICY_INSTALL, "policy install" },
	[FILE_REVOCATIONS] = { CONTROL_REVOCATIONS_INSTALL, "revocations install" },
};

int
install_is(struct ctl *ctl, const struct signed_file *file, const char *path,
    enum publisher_file_kind wanted)
{
	enum publisher_file_kind is = publisher_file_guess(file->text);

	if (is == wanted || is == FILE_KINDS)
		return CTL_OK;
	if (strcmp(path, "-") == 0)
		return fail_told(ctl, KMS_E_FORMAT,
		    "standard input is a %s, not a %s: use kmsctl %s", publisher_file_name(is),
		    publisher_file_name(wanted), takers[is].command);
	return fail_told(ctl, KMS_E_FORMAT, "%s is a %s, not a %s: use kmsctl %s %s", path,
	    publisher_file_name(is), publisher_file_name(wanted), takers[is].command, path);
}

static enum publisher_file_kind
kind_of(uint16_t verb)
{
	unsigned kind = 0;

	while (kind < FILE_KINDS && takers[kind].verb != verb)
		kind++;
	return (enum publisher_file_kind)kind;
}

void
install_put(struct control_buf *args, const struct signed_file *file)
{
	control_octets(args, "file", file->text, file->len);
	control_octets(args, "signature", file->signature, file->signature_len);
}

int
install_send(struct ctl *ctl, int code, uint16_t verb, struct control_buf *args, const char *done,
    const char *file, const char *label)
{
	struct reply reply = { 0 };
	const char *told;

	if (code == CTL_OK)
		code = ask_host(ctl, verb, args, &reply);
	if (code == CTL_OK) {
		told = reply_text(reply_next(&reply, "installed", NULL), "what");
		output_bool(ctl->out, done, NULL, true);
		output_text(ctl->out, "file", NULL, file);
		output_text(ctl->out, "what", NULL, told);
		output_line(ctl->out, OUTPUT_GOOD, "%s: %s", label,
		    told != NULL   ? told
		    : file != NULL ? file
				   : "done");
	}
	control_buf_free(args);
	reply_free(&reply);
	return code;
}

int
install_argument(struct ctl *ctl, uint16_t verb, const char *label)
{
	struct control_buf args = { 0 };
	struct signed_file file;
	int code = install_read_file(ctl, ctl->args[0], &file);

	if (code == CTL_OK)
		code = install_is(ctl, &file, ctl->args[0], kind_of(verb));
	if (code == CTL_OK)
		install_put(&args, &file);
	signed_file_free(&file);
	return install_send(ctl, code, verb, &args, "installed", ctl->args[0], label);
}

int
install_file(struct ctl *ctl, uint16_t verb, const char *path, struct fault *f)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	struct signed_file file;
	int rc = signed_file_read(&file, AT_FDCWD, path, FILE_GIVEN, f);

	if (rc == KMS_OK) {
		install_put(&args, &file);
		rc = ask_quietly(ctl, verb, &args, &reply, f);
	}
	signed_file_free(&file);
	control_buf_free(&args);
	reply_free(&reply);
	return rc;
}

int
install_publishers(struct ctl *ctl, struct publishers *out, struct fault *f)
{
	const struct config *c = &ctl->config;
	int rc = publishers_init(out, c->publisher_count);

	for (unsigned i = 0; rc == KMS_OK && i < c->publisher_count; i++)
		rc = publishers_add(out, c->publishers[i].name, c->publishers[i].key, f);
	if (rc != KMS_OK)
		publishers_free(out);
	return rc == KMS_OK ? rc : fault_set(f, rc, NULL);
}

static void
keep_first(
    const struct publisher *p, enum publisher_file_kind kind, const struct fault *f, void *arg)
{
	if (kind != FILE_KEY)
		fault_set(arg, f->status, "%s", f->text);
}

int
install_find(struct ctl *ctl, struct publishers *out, int dirfd, struct fault *f)
{
	int rc = install_publishers(ctl, out, f);

	if (rc != KMS_OK)
		return rc;
	out->dirfd = dirfd;
	publishers_read(out, keep_first, f);
	if (f->status != KMS_OK)
		publishers_free(out);
	return f->status;
}
