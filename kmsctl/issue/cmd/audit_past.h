/*
 * audit_past.h - what the publisher's register knows of a host from earlier audits, and the entry
 * of this one.
 */
#ifndef KMSCTL_ISSUE_CMD_AUDIT_PAST_H
#define KMSCTL_ISSUE_CMD_AUDIT_PAST_H

#include <stddef.h>

#include "kmsctl/issue/audit.h"
#include "kmsctl/issue/audited.h"
#include "kmsctl/issue/issue.h"

/*
 * *out is zeros for a host of which nothing is known. KMS_E_NOT_FOUND, without a message: there is
 * no register yet; else a message for every failure, also of the file's documents.
 */
int audit_past_take(struct issue *i, const struct minisig_key *publisher, const void *data,
    size_t len, struct audited *out);
/* The same of a host whose documents were read. */
int audit_past_host(struct issue *i, const uint8_t host[16], struct audited *out);
/* All hosts that it knows. As audit_past_take; followed by audit_table_free in any case. */
int audit_past_all(struct issue *i, struct audit_table *hosts);
/* override: the reason for a last audit that does not join; NULL: it does. */
int audit_past_record(struct issue *i, const struct audit_options *opt,
    const struct audit_report *report, const char *override);

#endif
