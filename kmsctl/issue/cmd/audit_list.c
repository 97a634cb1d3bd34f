/*
 * audit_list.c - kmsissue audit list: which confirmed hosts were audited, how far, and which ones
 * the publisher must ask for.
 */
#include "kmsctl/issue/audited.h"
#include "kmsctl/issue/issue.h"
#include "policy/values.h"

#define OVERDUE_DAYS 400

struct list_options {
	const char *overdue;
};

/* An old file that is verified today shows nothing of today. */
static bool
is_overdue(const struct audited *h, uint64_t now, uint64_t age)
{
	uint64_t audited = h->until < h->time ? h->until : h->time;
	uint64_t since = h->time != 0 ? audited : h->confirmed;

	return !h->revoked && now > since && now - since > age;
}

static void
show_host(struct issue *i, const struct audited *h, bool overdue)
{
	output_row(i->out);
	tell_hex(i->out, "host", h->host, sizeof(h->host));
	tell_text(i->out, "customer", h->customer);
	tell_text(i->out, "host_name", h->host_name);
	issue_time(i, "confirmed", h->confirmed);
	if (h->time != 0)
		issue_time(i, "audited", h->time);
	else
		tell_text(i->out, "audited", "never");
	tell_number(i->out, "last_batch", h->last);
	if (h->time != 0)
		issue_time(i, "until", h->until);
	else
		tell_text(i->out, "until", "");
	tell_number(i->out, "most_counted", h->clients);
	tell_flag(i->out, "overdue", overdue);
	tell_flag(i->out, "revoked", h->revoked);
}

static void
show_hosts(struct issue *i, const struct audit_table *hosts, uint64_t age)
{
	uint64_t never = 0, overdue = 0, count = 0;

	output_list(i->out, "hosts", NULL);
	for (size_t n = 0; n < hosts->count; n++) {
		const struct audited *h = audit_table_row(hosts, n);
		bool late;

		if (h->confirmed == 0)
			continue;
		count++;
		never += h->time == 0;
		late = is_overdue(h, i->now, age);
		overdue += late;
		show_host(i, h, late);
	}
	output_end(i->out);
	tell_number(i->out, "host_count", count);
	tell_number(i->out, "never_audited", never);
	tell_number(i->out, "overdue", overdue);
}

static int
run_audit_list(struct issue *i)
{
	const struct list_options *o = i->options;
	uint64_t minutes = OVERDUE_DAYS * UINT64_C(1440);
	struct issue_register *r = NULL;
	struct audit_table hosts;
	struct fault f = { 0 };
	int rc;

	if (o->overdue != NULL && !value_minutes_parse(&minutes, o->overdue))
		return fault_set(
		    &i->fault, KMS_E_ARGUMENT, "--overdue needs an age such as 400d or 12h");
	audit_table_init(&hosts, sizeof(struct audited), 16);
	rc = issue_register(i, &r, false);
	/* A publisher who has issued nothing yet has no hosts. */
	if (rc == KMS_E_NOT_FOUND && issue_is_directory(i))
		i->fault = (struct fault){ 0 };
	else if (rc != KMS_OK)
		return rc;
	rc = r != NULL ? audited_read(r, &hosts, &f) : KMS_OK;
	if (rc == KMS_OK)
		show_hosts(i, &hosts, minutes * 60);
	else
		issue_fail_register(i, rc, &f);
	audit_table_free(&hosts);
	register_close(r);
	return rc;
}

static const struct option_row rows[] = {
	ISSUE_DIR,
	{ "overdue", 0, "AGE", "an audit that is older is overdue (default: 400d)",
	    .offset = offsetof(struct list_options, overdue) },
	{ 0 },
};

const struct issue_command cmd_audit_list = {
	.line.noun = "audit",
	.line.verb = "list",
	.line.summary = "list the confirmed hosts, and when each was audited",
	.line.options = rows,
	.line.values = sizeof(struct list_options),
	.run = run_audit_list,
};
