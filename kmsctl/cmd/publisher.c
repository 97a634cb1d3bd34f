/*
 * publisher.c - what a publisher sends to every customer: revocation lists, and a new key.
 */
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"

static int
run_revocations_install(struct ctl *ctl)
{
	return install_argument(ctl, CONTROL_REVOCATIONS_INSTALL, "Revocation list installed");
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
	return install_argument(ctl, CONTROL_PUBLISHER_ROTATE, "Publisher key");
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
