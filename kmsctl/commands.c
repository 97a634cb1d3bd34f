/*
 * commands.c - the table of kmsctl's commands, in the order of kmsctl help, the options that all
 * of them take, and the manual page of each.
 */
#include "kmsctl/kmsctl.h"

#define TIMEOUT_MAX 3600 /* seconds */

static bool
read_timeout(void *field, const char *text)
{
	uint64_t seconds;

	if (!option_count(&seconds, text) || seconds > TIMEOUT_MAX)
		return false;
	*(int *)field = (int)seconds * 1000;
	return true;
}

static const struct option_row common[] = {
	{ "config", 'c', "FILE", "the ini file", .offset = offsetof(struct ctl, config_path) },
	{ "socket", 's', "FILE", "the control socket", .offset = offsetof(struct ctl, socket) },
	{ "timeout", 't', "SECONDS", "how long to wait for the host",
	    .offset = offsetof(struct ctl, timeout_ms), .read = read_timeout,
	    .takes = "seconds, 1 to 3600" },
	{ "json", 'j', NULL, "print one JSON object", .offset = offsetof(struct ctl, json) },
	{ 0 },
};

static const struct command *const commands[] = {
	&cmd_status.line,
	&cmd_setup.line,
	&cmd_plan.line,
	&cmd_apply.line,
	&cmd_doctor.line,
	&cmd_top.line,
	&cmd_clients.line,
	&cmd_report_usage.line,
	&cmd_report_classes.line,
	&cmd_report_refusals.line,
	&cmd_report_clients.line,
	&cmd_report_expiry.line,
	&cmd_relay_status.line,
	&cmd_relay_check.line,
	&cmd_relay_import.line,
	&cmd_client_show.line,
	&cmd_client_revoke.line,
	&cmd_client_unrevoke.line,
	&cmd_client_forget.line,
	&cmd_client_erase.line,
	&cmd_key_install.line,
	&cmd_key_show.line,
	&cmd_key_request.line,
	&cmd_key_confirm.line,
	&cmd_key_remove.line,
	&cmd_key_seal.line,
	&cmd_key_unseal.line,
	&cmd_policy_install.line,
	&cmd_policy_show.line,
	&cmd_policy_history.line,
	&cmd_policy_simulate.line,
	&cmd_publisher_rotate.line,
	&cmd_revocations_install.line,
	&cmd_audit_export.line,
	&cmd_ledger_check.line,
	&cmd_ledger_rebuild.line,
	&cmd_ledger_backup.line,
	&cmd_ledger_restore.line,
	&cmd_dns_publish.line,
	&cmd_dns_unpublish.line,
	&cmd_dns_show.line,
	&cmd_dns_check.line,
	&cmd_firewall_apply.line,
	&cmd_firewall_remove.line,
	&cmd_firewall_check.line,
	&cmd_firewall_show.line,
	&cmd_share_status.line,
	&cmd_share_check.line,
	&cmd_share_init.line,
	&cmd_share_invite.line,
	&cmd_share_join.line,
	&cmd_share_first.line,
	&cmd_share_alone.line,
	&cmd_config_check.line,
	&cmd_why.line,
	&cmd_web_login.line,
	&cmd_web_logout.line,
	&cmd_unlock.line,
	&cmd_explain.line,
	&cmd_version.line,
	&cmd_help.line,
	NULL,
};

/* kmsctl(8) has the same groups. */
static const struct manual manuals[] = {
	{ "setup", "kmsctl-setup(8)" },
	{ "plan", "kmsctl-setup(8)" },
	{ "apply", "kmsctl-setup(8)" },
	{ "config", "kmsctl-setup(8)" },
	{ "status", "kmsctl-status(8)" },
	{ "doctor", "kmsctl-status(8)" },
	{ "why", "kmsctl-status(8)" },
	{ "explain", "kmsctl-status(8)" },
	{ "web", "kmsctl-status(8)" },
	{ "clients", "kmsctl-client(8)" },
	{ "client", "kmsctl-client(8)" },
	{ "report", "kmsctl-report(8)" },
	{ "top", "kmsctl-report(8)" },
	{ "key", "kmsctl-key(8)" },
	{ "unlock", "kmsctl-key(8)" },
	{ "policy", "kmsctl-policy(8)" },
	{ "publisher", "kmsctl-policy(8)" },
	{ "revocations", "kmsctl-policy(8)" },
	{ "ledger", "kmsctl-ledger(8)" },
	{ "audit", "kmsctl-ledger(8)" },
	{ "dns", "kmsctl-dns(8)" },
	{ "firewall", "kmsctl-firewall(8)" },
	{ "relay", "kmsctl-relay(8)" },
	{ "share", "kmsctl-share(8)" },
	{ NULL, "kmsctl(8)" },
};

const struct program kmsctl_program = { "kmsctl", commands, common, manuals };
