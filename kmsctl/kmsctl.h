/*
 * kmsctl.h - what every command of kmsctl is given, and the table of commands.
 */
#ifndef KMSCTL_KMSCTL_H
#define KMSCTL_KMSCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kmsctl/cli/command.h"
#include "kmsctl/cli/output.h"
#include "kmsctl/host/reply.h"
#include "kmsd/common/config.h"
#include "kmsd/ipc/control.h"

/* Exit codes, documented in kmsctl(8). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_USAGE = 1,
	CTL_FAILED = 2,  /* refused by the host, or failed */
	CTL_DOWN = 3,    /* kmsd is not running */
	CTL_PROBLEM = 4, /* not all is well: a check found something, or status cannot tell */
};

struct ctl;

struct ctl_command {
	struct command line;         /* the first member: commands[] points to it */
	bool no_config;              /* does not need the ini file to be valid */
	bool paged;                  /* may be long, and asks nothing: a person gets a pager */
	int (*run)(struct ctl *ctl); /* returns an enum ctl_exit */
};

struct ctl {
	struct output *out;
	char **args;
	unsigned arg_count;
	const void *options; /* the command's own struct, as its rows fill it */
	/* options of all commands */
	bool json;
	bool csv;                /* of commands that list */
	bool html;               /* of reports */
	const char *config_path; /* -c */
	bool config_given;
	const char *socket; /* -s, or NULL */
	int timeout_ms;     /* -t */
	/* becomes the ledger's owner for good: nothing after this needs root */
	bool leave_root;
	const struct program *program;
	pid_t pager; /* 0: none */
	struct config config;
};

/* The option of commands that list. */
#define CTL_CSV                                                                                    \
	{                                                                                          \
		"csv", 0, NULL, "as CSV, with all columns", .offset = offsetof(struct ctl, csv),   \
							    .shared = true                         \
	}

extern const struct program kmsctl_program;

/* What a person sees who gives no command. */
void ctl_greet(struct ctl *ctl);

extern const struct ctl_command cmd_apply, cmd_audit_export, cmd_client_erase, cmd_client_forget,
    cmd_client_revoke, cmd_client_unrevoke, cmd_client_show, cmd_clients, cmd_config_check,
    cmd_dns_check, cmd_dns_publish, cmd_dns_show, cmd_dns_unpublish, cmd_doctor, cmd_explain,
    cmd_firewall_apply, cmd_firewall_check, cmd_firewall_remove, cmd_firewall_show, cmd_help,
    cmd_key_confirm, cmd_key_install, cmd_key_remove, cmd_key_request, cmd_key_seal, cmd_key_show,
    cmd_key_unseal, cmd_ledger_backup, cmd_ledger_check, cmd_ledger_rebuild, cmd_ledger_restore,
    cmd_plan, cmd_policy_history, cmd_policy_install, cmd_policy_show, cmd_policy_simulate,
    cmd_publisher_rotate, cmd_relay_check, cmd_relay_import, cmd_relay_status, cmd_report_classes,
    cmd_report_clients, cmd_report_expiry, cmd_report_refusals, cmd_report_usage,
    cmd_revocations_install, cmd_setup, cmd_share_alone, cmd_share_check, cmd_share_first,
    cmd_share_init, cmd_share_invite, cmd_share_join, cmd_share_status, cmd_status, cmd_top,
    cmd_unlock, cmd_version, cmd_web_login, cmd_web_logout, cmd_why;

#endif
