/*
 * publisher.c - what a publisher sends to every customer: revocation lists, and a new key.
 */
#include "kmsctl/cli/command.h"
#include "kmsctl/host/install.h"
#include "kmsctl/host/signed_file.h"

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
