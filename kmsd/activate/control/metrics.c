/*
 * metrics.c - numbers that only grow, for monitoring: answers by status, and how long commits took.
 */
#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"

int
control_metrics(struct control_request *q)
{
	const struct activate_counts *c = &q->activate->counts;
	struct control_buf *b = q->out;

	for (uint32_t status = 0; status < ACTIVATE_STATUSES; status++) {
		if (c->answers[status] == 0)
			continue;
		control_row(b, "answers");
		control_text(b, "status", kms_error_find(status)->symbol);
		control_number(b, "refusal", status != KMS_OK);
		control_number(b, "count", c->answers[status]);
		control_text(b, "meaning", kms_error_find(status)->meaning);
		control_text(b, "remedy", kms_error_find(status)->remedy);
	}
	control_row(b, "commits");
	control_number(b, "count", c->batches + c->ledger_failures);
	control_number(b, "microseconds", c->commit_us);
	for (unsigned i = 0; i < ACTIVATE_COMMIT_STEPS; i++) {
		control_row(b, "commits-within");
		control_number(b, "microseconds", activate_commit_steps[i]);
		control_number(b, "count", c->commits[i]);
	}
	return KMS_OK;
}
