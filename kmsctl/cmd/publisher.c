/*
 * publisher.c - what a publisher sends to every customer: revocation lists, and a new key.
 */
#include "kmsctl/host/install.h"
#include "kmsctl/host/signed_file.h"
#include "kmsctl/kmsctl.h"

static int
send_signed(struct ctl *ctl, uint16_t verb, const char *what)
{
	struct control_buf args = { 0 };
	int code = signed_read(ctl, ctl->args[0], &args);

	return install_given(ctl, code, verb, &args, "installed", ctl->args[0], what);
}

static int
run_revocations_install(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_REVOCATIONS_INSTALL, "Revocation list installed");
}

const struct ctl_command cmd_revocations_install = {
	.line.noun = "revocations",
	.line.verb = "install",
	.line.args = "FILE",
	.line.summary = "install a publisher's revocation list: FILE with FILE.minisig",
	.line.min = 1,
	.line.max = 1,
	.line.complete = "file *.kmsrevoked",
	.run = run_revocations_install,
};

static int
run_publisher_rotate(struct ctl *ctl)
{
	return send_signed(ctl, CONTROL_PUBLISHER_ROTATE, "Publisher key");
}

const struct ctl_command cmd_publisher_rotate = {
	.line.noun = "publisher",
	.line.verb = "rotate",
	.line.args = "FILE",
	.line.summary = "accept a publisher's new key beside the old one: FILE with FILE.minisig",
	.line.min = 1,
	.line.max = 1,
	.line.complete = "file *.kmsrotate",
	.run = run_publisher_rotate,
};
