/*
 * audit_heard.h - what chains of hosts that count together say about one another, beside the files:
 * batches that a host heard and no file has, and rights that a host gave and did not have.
 */
#ifndef KMSCTL_ISSUE_AUDIT_HEARD_H
#define KMSCTL_ISSUE_AUDIT_HEARD_H

#include "kmsctl/issue/audit_chains.h"
#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/issue/audit_together.h"

/*
 * After audit_together_end: reads all entries again, of files that were verified. KMS_E_NO_MEMORY.
 */
int audit_heard(
    const struct audit_chains *c, const struct audit_together *t, struct audit_findings *f);

#endif
