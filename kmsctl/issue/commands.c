/*
 * commands.c - the table of kmsissue's commands, and the option that all of them take.
 */
#include "kmsctl/issue/issue.h"

static const struct option_row common[] = {
	{ "json", 'j', NULL, "print JSON", .offset = offsetof(struct issue, json) },
	{ 0 },
};

static const struct command *const commands[] = {
	&cmd_init.line,
	&cmd_policy_sign.line,
	&cmd_key_issue.line,
	&cmd_confirm.line,
	&cmd_ledger.line,
	&cmd_revoke_key.line,
	&cmd_revoke_host.line,
	&cmd_revoke_certificate.line,
	&cmd_revocations.line,
	&cmd_rotate.line,
	&cmd_audit_verify.line,
	&cmd_audit_list.line,
	&cmd_show.line,
	NULL,
};

const struct program kmsissue_program = { "kmsissue", commands, common, NULL };
