/*
 * firewall.c - firewall apply, remove, check, show: the table inet kms, by nft.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/firewall/loaded.h"
#include "kmsctl/firewall/ruleset.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

/* The rules that kms.ini asks for. CTL_OK, or the exit code of the failure that was printed. */
static int
wanted(struct ctl *ctl, char **text)
{
	*text = NULL;
	if (ctl->config.port == 0)
		return fail(ctl, KMS_E_CONFIG,
		    "%s: [listen] port is 0, so the port changes at each start: set a fixed port for the firewall",
		    ctl->config_path);
	*text = ruleset_text(&ctl->config);
	return *text != NULL ? CTL_OK : fail(ctl, KMS_E_NO_MEMORY, "no memory");
}

static void
describe(struct ctl *ctl)
{
	const struct config *c = &ctl->config;
	char text[NETWORK_TEXT];
	unsigned i;

	output_text(ctl->out, "table", NULL, RULESET_TABLE);
	output_number(ctl->out, "port", NULL, c->port);
	output_text(ctl->out, "interface", NULL,
	    c->firewall_interface[0] != '\0' ? c->firewall_interface : NULL);
	output_number(ctl->out, "rate", NULL, c->firewall_rate);
	if (!ctl->json)
		return;
	output_list(ctl->out, "allow", NULL);
	for (i = 0; i < c->allow.count; i++) {
		output_row(ctl->out);
		output_text(ctl->out, "network", NULL, network_text(text, &c->allow.at[i]));
	}
	output_end(ctl->out);
}

static int
run_show(struct ctl *ctl)
{
	char *text;
	int code = wanted(ctl, &text);

	if (code == CTL_OK) {
		describe(ctl);
		output_block(ctl->out, "ruleset", text);
	}
	free(text);
	return code;
}

/*
 * Rules that are already in force are not replaced, so that they keep their counters and counted
 * sources.
 */
static int
run_apply(struct ctl *ctl)
{
	struct loaded_difference d = { 0 };
	struct fault f = { 0 };
	char *text;
	int code = wanted(ctl, &text), e = KMS_OK;
	bool same;

	if (code != CTL_OK)
		return code;
	same = loaded_compare(&d, text, ctl->timeout_ms, &f) == KMS_OK && d.count == 0;
	loaded_difference_free(&d);
	f = (struct fault){ 0 };
	if (!same)
		e = loaded_load(text, ctl->timeout_ms, &f);
	free(text);
	if (e != KMS_OK)
		return fail_fault(ctl, &f);
	output_bool(ctl->out, "applied", NULL, true);
	output_bool(ctl->out, "changed", NULL, !same);
	describe(ctl);
	output_line(ctl->out, OUTPUT_GOOD,
	    "Port %u: open to %u IPv4 and %u IPv6 networks, closed to others%s", ctl->config.port,
	    ruleset_networks(&ctl->config, AF_INET), ruleset_networks(&ctl->config, AF_INET6),
	    same ? " (unchanged)" : "");
	return CTL_OK;
}

static int
run_remove(struct ctl *ctl)
{
	struct fault f = { 0 };
	bool there = false;
	int rc = loaded_there(&there, ctl->timeout_ms, &f);

	if (rc == KMS_OK && there)
		rc = loaded_load(ruleset_removal, ctl->timeout_ms, &f);
	if (rc != KMS_OK)
		return fail_fault(ctl, &f);
	output_bool(ctl->out, "removed", NULL, there);
	output_text(ctl->out, "table", NULL, RULESET_TABLE);
	output_line(ctl->out, OUTPUT_GOOD,
	    there ? "Table " RULESET_TABLE " removed" : "There is no table " RULESET_TABLE);
	return CTL_OK;
}

static int
run_check(struct ctl *ctl)
{
	struct loaded_difference d = { 0 };
	struct fault f = { 0 };
	char *text;
	unsigned i;
	int code = wanted(ctl, &text), e;

	if (code != CTL_OK)
		return code;
	e = loaded_compare(&d, text, ctl->timeout_ms, &f);
	free(text);
	if (e != KMS_OK)
		return fail_fault(ctl, &f);
	output_bool(ctl->out, "in_force", NULL, d.count == 0);
	describe(ctl);
	for (i = 0; i < d.count; i++)
		output_line(ctl->out, OUTPUT_BAD, "%s: %s",
		    d.lines[i].loaded ? "not in kms.ini" : "not in force", d.lines[i].text);
	output_list(ctl->out, "differences", NULL);
	for (i = 0; i < d.count && ctl->json; i++) {
		output_row(ctl->out);
		output_text(ctl->out, "kind", NULL, d.lines[i].loaded ? "unexpected" : "missing");
		output_text(ctl->out, "rule", NULL, d.lines[i].text);
	}
	output_end(ctl->out);
	output_line(ctl->out, d.count == 0 ? OUTPUT_GOOD : OUTPUT_PLAIN, "%s",
	    d.count == 0 ? "Table " RULESET_TABLE " matches kms.ini"
			 : "To correct this: kmsctl firewall apply");
	code = d.count == 0 ? CTL_OK : CTL_PROBLEM;
	loaded_difference_free(&d);
	return code;
}

const struct ctl_command cmd_firewall_apply = {
	.line.noun = "firewall",
	.line.verb = "apply",
	.line.summary = "let only allowed networks reach the port",
	.run = run_apply,
};
const struct ctl_command cmd_firewall_remove = {
	.line.noun = "firewall",
	.line.verb = "remove",
	.line.summary = "remove the rules",
	.no_config = true,
	.run = run_remove,
};
const struct ctl_command cmd_firewall_check = {
	.line.noun = "firewall",
	.line.verb = "check",
	.line.summary = "check that the rules in force match the ini file",
	.run = run_check,
};
const struct ctl_command cmd_firewall_show = {
	.line.noun = "firewall",
	.line.verb = "show",
	.line.summary = "print the rules that match the ini file, in the format of nft",
	.run = run_show,
};
