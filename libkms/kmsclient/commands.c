/*
 * commands.c - the commands of kmsclient, one function each.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libkms/kmsclient/tool.h"

#define MINUTE_MS 60000
#define BORROW_MAX_DAYS 366

static const char *const licence_words[] = {
	[KMS_UNLICENSED] = "unlicensed",
	[KMS_GRACE] = "grace",
	[KMS_ACTIVATED] = "activated",
	[KMS_RENEWAL_DUE] = "renewal due",
	[KMS_EXPIRED] = "expired",
	[KMS_CLOCK_BACK] = "clock moved back",
};

/* status: of the call before, whose message comes first when it failed. */
static void
tell_licence(struct tool *t, struct kms_client *c, uint32_t status)
{
	struct kms_status_info s = { .size = sizeof(s) };

	(void)kms_status(c, &s); /* fills s even when the latest time seen could not be written */
	tell_text(t->out, "licence", licence_words[s.licence]);
	if (status == KMS_OK)
		tool_message(t, "message", kms_text_licence(s.licence, tool_language()),
		    kms_text_licence_next(s.licence, tool_language()));
	else
		tool_message_of(t, "message", status);
	if (s.customer[0] != '\0') {
		tell_text(t->out, "customer", s.customer);
		tell_text(t->out, "key-group", s.group);
	}
	tell_hex(t->out, "client", s.cmid, 16);
	if (t->json || s.borrowed)
		tell_flag(t->out, "borrowed", s.borrowed != 0);
	tool_time(t, "expires", s.expires);
	tool_time(t, "renew-after", s.renew_after);
	tool_time(t, "next-attempt", s.next_attempt);
	if (t->json || s.expires == 0)
		tell_number(t->out, "grace-minutes-left", s.grace_left);
}

/* What a host was asked, and has answered. Closes the client. */
static int
tell_answer(struct tool *t, struct kms_client *c, const struct kms_result *answer)
{
	const struct kms_result r = *answer;
	int rc = tool_status(t, r.status, r.detail);

	tool_warning(t, r.warning, r.detail);
	if (r.host[0] != '\0')
		tell_text(t->out, "host", r.host);
	if (t->json || r.required > 0) {
		tell_number(t->out, "count", r.count);
		tell_number(t->out, "required", r.required);
	}
	if (t->json || r.retry_after > 0)
		tell_number(t->out, "retry-after", r.retry_after);
	if (tool_seat_expected(r.status, r.retry_after))
		tool_time(t, "seat-expected", (uint64_t)time(NULL) + r.retry_after);
	tell_licence(t, c, r.status);
	kms_close(c);
	return rc;
}

static int
talk(struct tool *t, int (*call)(struct kms_client *, struct kms_result *))
{
	struct kms_result r = { .size = sizeof(r) };
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	call(c, &r);
	return tell_answer(t, c, &r);
}

static int
command_borrow(struct tool *t)
{
	struct kms_result r = { .size = sizeof(r) };
	struct kms_client *c;
	uint64_t ms;
	int rc;

	if (!tool_duration(&ms, BORROW_MAX_DAYS, t->file) || ms < MINUTE_MS || ms % MINUTE_MS != 0)
		return tool_usage(
		    "borrow: \"%.40s\" is not a duration. Give whole minutes, hours or days, such as 90m, 8h or 14d, at most 366d",
		    t->file);
	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	kms_borrow(c, (uint32_t)(ms / MINUTE_MS), &r);
	return tell_answer(t, c, &r);
}

static int
command_activate(struct tool *t)
{
	return talk(t, kms_activate);
}

static int
command_renew(struct tool *t)
{
	return talk(t, kms_renew);
}

static int
command_release(struct tool *t)
{
	return talk(t, kms_release);
}

bool
tool_may_run(enum kms_licence licence)
{
	return licence == KMS_GRACE || licence == KMS_ACTIVATED || licence == KMS_RENEWAL_DUE;
}

static int
command_status(struct tool *t)
{
	struct kms_status_info s = { .size = sizeof(s) };
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	rc = kms_status(c, &s);
	tell_licence(t, c, KMS_OK);
	if (s.host[0] != '\0')
		tell_text(t->out, "host", s.host);
	tell_number(t->out, "count", s.count);
	tell_number(t->out, "required", s.required);
	tell_text(t->out, "last-status", kms_error_find(s.last_status)->symbol);
	/* Why the licence is not better. */
	if (s.licence != KMS_ACTIVATED && s.last_status != KMS_OK)
		tool_message_of(t, "last-message", s.last_status);
	tool_time(t, "last-exchange", s.last_exchange);
	tool_warning(t, s.warning, NULL);
	kms_close(c);
	if (rc != KMS_OK)
		return tool_status(t, (uint32_t)rc,
		    rc == KMS_E_IO ? "the latest time seen could not be stored" : NULL);
	return tool_may_run(s.licence) ? TOOL_OK : TOOL_LOCAL;
}

static int
command_verify(struct tool *t)
{
	struct kms_client *c;
	int rc, result;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	rc = kms_verify(c);
	kms_close(c);
	/* Offline, no host refused anything: the status is about this machine. */
	result = tool_status(t, (uint32_t)rc, NULL) == TOOL_OK ? TOOL_OK : TOOL_LOCAL;
	tool_message_of(t, "message", (uint32_t)rc);
	return result;
}

static void
tell_hosts(struct tool *t, char *lines)
{
	char *line, *rest;

	output_list(t->out, "hosts", NULL);
	for (line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		output_text(t->out, NULL, NULL, line);
	output_end(t->out);
}

/*
 * Looking for hosts needs no key, product or state, but the library's object does: missing ones
 * are made up, and it is a client without state.
 */
static int
command_discover(struct tool *t)
{
	struct kms_client *c;
	char *lines;
	int rc;

	t->options.state_file = NULL;
	t->options.publisher_key = "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	t->options.product = "00000000-0000-0000-0000-000000000001";
	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	lines = malloc(16384);
	rc = lines == NULL ? KMS_E_NO_MEMORY : kms_discover(c, lines, 16384);
	if (rc == KMS_OK)
		tell_hosts(t, lines);
	else
		rc = tool_status(t, (uint32_t)rc, t->options.domain);
	free(lines);
	kms_close(c);
	return rc;
}

static const struct tool_command commands[] = {
	{ { .noun = "activate", .summary = "ask a host for a lease" }, true, false,
	    command_activate },
	{ { .noun = "renew", .summary = "ask for a new lease before the old one expires" }, true,
	    false, command_renew },
	{ { .noun = "release", .summary = "give up the seat" }, true, false, command_release },
	{ { .noun = "borrow",
	      .args = "DURATION",
	      .min = 1,
	      .max = 1,
	      .summary =
		  "keep the seat for this long without a host; release gives it back earlier" },
	    true, false, command_borrow },
	{ { .noun = "run",
	      .args = "-- COMMAND [ARG...]",
	      .min = 1,
	      .max = UINT_MAX,
	      .summary =
		  "run a command with a seat, and give the seat back when the command ends" },
	    true, true, command_run },
	{ { .noun = "status", .summary = "show whether the product may run now (no network)" },
	    true, false, command_status },
	{ { .noun = "verify", .summary = "check the stored lease (no network)" }, true, false,
	    command_verify },
	{ { .noun = "export-lease",
	      .args = "FILE",
	      .min = 1,
	      .max = 1,
	      .summary = "write the lease to a file that others can verify" },
	    true, false, command_export_lease },
	{ { .noun = "verify-lease",
	      .args = "FILE",
	      .min = 1,
	      .max = 1,
	      .summary = "verify a lease file; needs only the publisher key" },
	    false, false, command_verify_lease },
	{ { .noun = "evidence",
	      .summary = "show the proof that a host's record went back (no network)" },
	    true, false, command_evidence },
	{ { .noun = "verify-evidence",
	      .args = "FILE",
	      .min = 1,
	      .max = 1,
	      .summary = "verify an evidence file; needs only the publisher key" },
	    false, false, command_verify_evidence },
	{ { .noun = "discover",
	      .summary = "list the hosts, in the order in which they would be tried" },
	    false, false, command_discover },
};

static const struct command *const table[] = {
	&commands[0].line,
	&commands[1].line,
	&commands[2].line,
	&commands[3].line,
	&commands[4].line,
	&commands[5].line,
	&commands[6].line,
	&commands[7].line,
	&commands[8].line,
	&commands[9].line,
	&commands[10].line,
	&commands[11].line,
	NULL,
};

const struct program kmsclient_program = { TOOL_NAME, table, tool_options, NULL };
