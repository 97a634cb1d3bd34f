/*
 * reply_fields.h - what each field of a reply is, in one table: its type and the name that a person
 * reads.
 */
#ifndef KMSCTL_HOST_REPLY_FIELDS_H
#define KMSCTL_HOST_REPLY_FIELDS_H

#include "kmsctl/cli/output.h"

struct reply_known {
	const char *kind, *name;
	enum output_type type;
	const char *label; /* NULL: in JSON only */
};

/* Every field that control.h names, in the order of display; a row without a kind ends them. */
extern const struct reply_known reply_fields[];
/* NULL: control.h does not name it. */
const struct reply_known *reply_known(const char *kind, const char *name);
/* The type that control.h gives the field: 's', 'u', or 0 when it does not name it. */
char reply_known_type(const char *kind, const char *name);

#endif
