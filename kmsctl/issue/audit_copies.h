/*
 * audit_copies.h - clients that several hosts served, and whose entries there show two holders of
 * one key: hosts that do not know of each other cannot see it.
 */
#ifndef KMSCTL_ISSUE_AUDIT_COPIES_H
#define KMSCTL_ISSUE_AUDIT_COPIES_H

#include "kmsctl/issue/audit_chains.h"
#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/issue/audit_together.h"

/*
 * After audit_together_end: reads all entries again for the acts of these clients. The files were
 * verified. KMS_E_NO_MEMORY.
 */
int audit_copies(
    const struct audit_chains *c, const struct audit_together *t, struct audit_findings *f);

#endif
