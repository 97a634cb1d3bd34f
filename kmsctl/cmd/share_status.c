/*
 * share_status.c - share check, status, alone: how the share is, from the members of etcd and from
 * the running kmsd.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/share_words.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/setup/agree.h"
#include "libkms/kms_error.h"

struct share_status_options {
	const char *reason;
	bool strict, yes;
};

static int
need_share(struct ctl *ctl)
{
	return share_configured(&ctl->config)
		   ? CTL_OK
		   : fail_told(ctl, KMS_E_CONFIG,
			 "this host counts by itself, %s has no [share]: kmsctl share init NAME begins a share, kmsctl share join FILE enters one",
			 ctl->config_path);
}

/* -- check -- */

static int
run_check(struct ctl *ctl)
{
	const struct share_status_options *o = ctl->options;
	static struct doctor d; /* large */
	int code = need_share(ctl);

	if (code != CTL_OK)
		return code;
	if (access(ctl->config.share_key, R_OK) != 0)
		return fail(ctl, KMS_E_DENIED, "%s cannot be read: run this as root",
		    ctl->config.share_key);
	d.ctl = ctl;
	output_list(ctl->out, "findings", NULL);
	doctor_share_certificates(&d);
	doctor_engine(&d);
	output_end(ctl->out);
	output_number(ctl->out, "bad", NULL, d.bad);
	output_number(ctl->out, "warnings", NULL, d.warnings);
	output_line(ctl->out, d.bad > 0 ? OUTPUT_BAD : OUTPUT_PLAIN, "%u bad, %u warning%s", d.bad,
	    d.warnings, d.warnings == 1 ? "" : "s");
	return d.bad > 0 || (o->strict && d.warnings > 0) ? CTL_PROBLEM : CTL_OK;
}

/* -- status -- */

static void
show(struct ctl *ctl, const struct reply *reply, const struct reply_row *share)
{
	const struct reply_row *row = NULL;
	char text[SHARE_WORDS_TEXT];
	struct share_words w;
	const char *next;
	uint64_t apart = 0;

	share_words(&w, share);
	reply_print_fields(ctl->out, share);
	output_text(ctl->out, "text", NULL, w.text);
	output_text(ctl->out, "next", NULL, w.next);
	reply_print_list(ctl->out, reply, "share-member", "members", "Other hosts");
	reply_print_list(ctl->out, reply, "share-rights", "rights", "Rights to new seats");
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	output_line(ctl->out,
	    w.bad    ? OUTPUT_BAD
	    : w.warn ? OUTPUT_WARN
		     : OUTPUT_GOOD,
	    "%s%s%s", w.text, w.next != NULL ? ": " : "", w.next != NULL ? w.next : "");
	if (reply_number(share, "clocks-apart", &apart) && apart)
		output_line(ctl->out, OUTPUT_BAD,
		    "the clocks of the hosts are more than 8 hours apart, so no new seats are given: timedatectl on each host");
	while ((row = reply_next(reply, "share-member", row)) != NULL)
		if (share_member_words(text, &next, row) != SHARE_MEMBER_WELL)
			output_line(ctl->out, OUTPUT_WARN, "%s: %s", text, next);
}

static int
run_status(struct ctl *ctl)
{
	const struct reply_row *share;
	struct reply reply = { 0 };
	uint64_t configured = 0;
	int code = ask_host(ctl, CONTROL_SHARE_STATUS, NULL, &reply);

	if (code == CTL_OK) {
		share = reply_next(&reply, "share", NULL);
		reply_number(share, "configured", &configured);
		if (configured) {
			show(ctl, &reply, share);
		} else {
			output_bool(ctl->out, "configured", NULL, false);
			output_list(ctl->out, "members", NULL);
			output_end(ctl->out);
			output_line(ctl->out, OUTPUT_PLAIN,
			    share_configured(&ctl->config)
				? "kmsd counts by itself, because it has not read [share] in kms.ini yet: kmsctl apply"
				: "This host counts by itself: kms.ini has no [share]");
		}
	}
	reply_free(&reply);
	return code;
}

/* -- alone -- */

static int
run_alone(struct ctl *ctl)
{
	const struct share_status_options *o = ctl->options;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	int code = need_share(ctl);

	if (code == CTL_OK && o->reason == NULL)
		code = fail_told(ctl, KMS_E_ARGUMENT,
		    "the journal needs to know why: add --reason TEXT, for example --reason \"line to the other sites is down\"");
	if (code != CTL_OK)
		return code;
	if (!o->yes)
		output_line(ctl->out, OUTPUT_WARN,
		    "This host would give leases without having heard etcd since its start. If this machine runs twice, or an older backup of it was restored, more seats may be given than were bought.");
	if ((code = agree_ask(ctl, o->yes)) != CTL_OK)
		return code;
	control_text(&args, "reason", o->reason);
	code = ask_host(ctl, CONTROL_SHARE_ALONE, &args, &reply);
	if (code == CTL_OK) {
		output_bool(ctl->out, "alone", NULL, true);
		output_line(ctl->out, OUTPUT_GOOD,
		    "This host is alone now, for [share] alone_for at most; the journal says why.");
	}
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

/* -- first -- */

static int
run_first(struct ctl *ctl)
{
	struct reply reply = { 0 };
	int code = need_share(ctl);

	if (code != CTL_OK)
		return code;
	code = ask_host(ctl, CONTROL_SHARE_FIRST, NULL, &reply);
	if (code == CTL_OK) {
		output_bool(ctl->out, "first", NULL, true);
		output_line(ctl->out, OUTPUT_GOOD,
		    "This host has the rights to all seats of its certificates, and gives of them to the others.");
	}
	reply_free(&reply);
	return code;
}

static const struct option_row check_rows[] = {
	{ "strict", 0, NULL, "treat warnings as problems",
	    .offset = offsetof(struct share_status_options, strict) },
	{ 0 },
};
static const struct option_row alone_rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct share_status_options, yes) },
	{ "reason", 0, "TEXT", "why, for the journal",
	    .offset = offsetof(struct share_status_options, reason) },
	{ 0 },
};

const struct ctl_command cmd_share_check = {
	.line.noun = "share",
	.line.verb = "check",
	.line.summary = "check from this host that etcd and its members are well",
	.line.options = check_rows,
	.line.values = sizeof(struct share_status_options),
	.run = run_check,
};
const struct ctl_command cmd_share_status = {
	.line.noun = "share",
	.line.verb = "status",
	.line.summary = "show how this host counts together with the others",
	.run = run_status,
};
const struct ctl_command cmd_share_first = {
	.line.noun = "share",
	.line.verb = "first",
	.line.summary = "once in a share: give its first host the rights to all seats",
	.run = run_first,
};
const struct ctl_command cmd_share_alone = {
	.line.noun = "share",
	.line.verb = "alone",
	.line.summary = "let a host go on that has not heard etcd since its start",
	.line.options = alone_rows,
	.line.values = sizeof(struct share_status_options),
	.run = run_alone,
};
