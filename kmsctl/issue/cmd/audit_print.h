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

/* Parts of it, for several chains (audit_several.h). The first is one item of a list of lines. */
void audit_print_item(struct issue *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void audit_print_day(struct issue *i, const char *key, uint32_t day);
/* The members of a row, before its number of the batch if host is not NULL: whose it is. */
void audit_print_finding(
    struct issue *i, const struct audit_finding *f, const uint8_t *host, bool several);
void audit_print_leases(struct issue *i, const struct audit_options *opt);
/* Products, pools, refusals, days. */
void audit_print_sums(struct issue *i, const struct audit_print *p);
/* The word for what proves a beginning. */
const char *audit_print_beginning(enum audit_beginning beginning);

#endif
