/*
 * install.c - see install.h.
 */
#include "kmsctl/host/install.h"

#include "kmsctl/host/ask.h"
#include "kmsctl/host/signed_file.h"
#include "libkms/kms_error.h"

int
install_given(struct ctl *ctl, int code, uint16_t verb, struct control_buf *args, const char *done,
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
install_file(struct ctl *ctl, uint16_t verb, const char *path, struct fault *f)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int status = signed_read_quietly(path, &args, f);

	if (status == KMS_OK)
		status = ask_quietly(ctl, verb, &args, &reply, f);
	control_buf_free(&args);
	reply_free(&reply);
	return status;
}
