/*
 * cmd_publisher.c - what a publisher sends to every customer: revocation lists, and a new key.
 */
#include "kmsctl/command.h"
#include "kmsctl/ctl.h"

static int
send_signed(struct ctl *ctl, uint16_t verb, const char *what)
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
		output_bool(ctl->out, "installed", NULL, true);
		output_text(ctl->out, "file", NULL, ctl->args[0]);
		output_text(ctl->out, "what", NULL, told);
		output_line(
		    ctl->out, OUTPUT_GOOD, "%s: %s", what, told != NULL ? told : ctl->args[0]);
	}
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static int
run_revocations_install(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_REVOCATIONS_INSTALL, "Revocation list installed");
}

const struct command cmd_revocations_install = {
	.noun = "revocations",
	.verb = "install",
	.args = "FILE",
	.summary = "install a publisher's revocation list, FILE and FILE.minisig",
	.min = 1,
	.max = 1,
	.run = run_revocations_install,
};

static int
run_publisher_rotate(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_PUBLISHER_ROTATE, "Publisher key");
}

const struct command cmd_publisher_rotate = {
	.noun = "publisher",
	.verb = "rotate",
	.args = "FILE",
	.summary = "accept a publisher's new key beside its old one, FILE and FILE.minisig",
	.min = 1,
	.max = 1,
	.run = run_publisher_rotate,
};
