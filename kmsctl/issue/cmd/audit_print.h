/*
 * audit_print.h - an audit's report for a person and a program: the figures, the three lists of
 * what is proved, what the host states and what is not shown, and the findings.
 */
#ifndef KMSCTL_ISSUE_CMD_AUDIT_PRINT_H
#define KMSCTL_ISSUE_CMD_AUDIT_PRINT_H

#include <stdbool.h>

#include "kmsctl/issue/audit.h"
#include "kmsctl/issue/issue.h"

struct audit_print {
	const struct audit_options *opt;
	const struct audit_report *report;
	bool days; /* every day on which a figure changes */
	bool recorded;
};

void audit_print(struct issue *i, const struct audit_print *p);

#endif
