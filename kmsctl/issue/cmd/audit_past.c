/*
 * audit_past.c - see audit_past.h.
 */
#include "kmsctl/issue/cmd/audit_past.h"

#include <stdio.h>
#include <string.h>

int
audit_past_all(struct issue *i, struct audit_table *hosts)
{
	struct issue_register *r = NULL;
	struct fault f = { 0 };
	int rc;

	audit_table_init(hosts, sizeof(struct audited), 16);
	rc = issue_register(i, &r, false);
	if (rc == KMS_E_NOT_FOUND)
		i->fault = (struct fault){ 0 };
	if (rc != KMS_OK)
		return rc;
	if ((rc = audited_read(r, hosts, &f)) != KMS_OK)
		issue_fail_register(i, rc, &f);
	register_close(r);
	return rc;
}

int
audit_past_host(struct issue *i, const uint8_t host[16], struct audited *out)
{
	struct audit_table hosts;
	const struct audited *past;
	int rc = audit_past_all(i, &hosts);

	memset(out, 0, sizeof(*out));
	if (rc == KMS_OK && (past = audit_table_find(&hosts, host)) != NULL)
		*out = *past;
	audit_table_free(&hosts);
	return rc;
}

int
audit_past_take(struct issue *i, const struct minisig_key *publisher, const void *data, size_t len,
    struct audited *out)
{
	struct fault f = { 0 };
	uint8_t host[16];
	int rc = audit_host(host, publisher, data, len, &f);

	memset(out, 0, sizeof(*out));
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s: %s", i->operand, fault_text(&f, rc));
	return audit_past_host(i, host, out);
}

int
audit_past_record(struct issue *i, const struct audit_options *opt,
    const struct audit_report *report, const char *override)
{
	uint64_t highest = audit_report_highest(report);
	const struct certificate *c = &report->certificates[report->certificate_count - 1];
	struct register_event e = { .kind = EVENT_AUDIT,
		.time = i->now,
		.serial = report->last,
		.from = opt->from > 0 ? opt->from : report->first_time,
		/* What is asked for may go on after what there is. */
		.until = opt->to < report->last_time ? opt->to : report->last_time,
		.capacity = highest < UINT32_MAX ? (uint32_t)highest : UINT32_MAX };
	struct issue_register *r;
	int rc = issue_register(i, &r, true);

	if (rc != KMS_OK)
		return rc;
	memcpy(e.publisher, opt->publisher.id, sizeof(e.publisher));
	memcpy(e.host, report->host, sizeof(e.host));
	memcpy(e.request, report->last_hash, sizeof(e.request));
	memcpy(e.customer, c->customer, sizeof(e.customer));
	if (override != NULL) {
		e.flags = EVENT_OVERRIDE;
		snprintf(e.reason, sizeof(e.reason), "%s", override);
	}
	if ((rc = register_append(r, &e)) == KMS_OK)
		rc = register_commit(r);
	register_close(r);
	return rc == KMS_OK ? rc : issue_fail_register(i, rc, &(struct fault){ 0 });
}
