/*
 * audit_several.h - kmsissue audit verify of several files: each chain by itself, and then what
 * they say together.
 */
#ifndef KMSCTL_ISSUE_CMD_AUDIT_SEVERAL_H
#define KMSCTL_ISSUE_CMD_AUDIT_SEVERAL_H

#include <stdbool.h>

#include "kmsctl/issue/audit_chains.h"
#include "kmsctl/issue/issue.h"

struct audit_several {
	const struct audit_options *opt; /* for each chain, without a known batch */
	struct audit_named *files;       /* names and parts; mapped, and borrowed */
	unsigned count;
	bool registered; /* the register takes part */
	bool no_record, days;
	const char *override; /* NULL: none */
};

int audit_several(struct issue *i, const struct audit_several *s);

#endif
