/*
 * policy.c - policy install and show.
 */
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"

static int
run_policy_install(struct ctl *ctl)
{
	return install_argument(ctl, CONTROL_POLICY_INSTALL, "Policy pack installed");
}

static int
run_policy_show(struct ctl *ctl)
{
	struct reply reply = { 0 };
	int code = ask_host(ctl, CONTROL_POLICY_SHOW, NULL, &reply);

	if (code == CTL_OK) {
		reply_print_list(ctl->out, &reply, "pack", "packs", "Policy packs");
		reply_print_list(ctl->out, &reply, "product", "products", "Products");
		reply_print_list(ctl->out, &reply, "group", "groups", "Product groups");
		reply_print_list(ctl->out, &reply, "pool", "pools", "Counting pools");
		reply_print_list(ctl->out, &reply, "contact", "contacts", "Confirmation contacts");
		if (reply_next(&reply, "pack", NULL) == NULL)
			output_line(ctl->out, OUTPUT_WARN,
			    "No policy pack is installed: kmsctl policy install FILE.kmspolicy");
	}
	reply_free(&reply);
	return code;
}

const struct ctl_command cmd_policy_install = {
	.line.noun = "policy",
	.line.verb = "install",
	.line.args = "FILE",
	.line.summary = "install a publisher's policy pack while kmsd runs",
	.line.min = 1,
	.line.max = 1,
	.line.complete = "file *.kmspolicy",
	.run = run_policy_install,
};
const struct ctl_command cmd_policy_show = {
	.line.noun = "policy",
	.line.verb = "show",
	.line.summary = "show the installed packs, their products, groups and pools",
	.paged = true,
	.run = run_policy_show,
};
