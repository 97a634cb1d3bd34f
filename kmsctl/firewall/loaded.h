/*
 * loaded.h - the kernel's rules, through nft.
 */
#ifndef KMSCTL_FIREWALL_LOADED_H
#define KMSCTL_FIREWALL_LOADED_H

#include <stdbool.h>

#include "libkms/base/fault.h"

struct loaded_difference {
	struct loaded_line {
		bool loaded; /* in force but not wanted; otherwise wanted but not in force */
		char *text;
	} * lines;
	unsigned count;
};

/* All: KMS_OK; KMS_E_NOT_FOUND (no nft), KMS_E_DENIED, KMS_E_TIMEOUT, KMS_E_IO ... with f. */

/* nft -f: all of the text or nothing. */
int loaded_load(const char *text, int timeout_ms, struct fault *f);
int loaded_there(bool *there, int timeout_ms, struct fault *f);
/*
 * The differences between the table in force and the one that text would make, line by line as nft
 * lists them. The wanted table is loaded into a temporary network namespace, so that nft itself
 * lists both, whatever its version.
 */
int loaded_compare(struct loaded_difference *d, const char *text, int timeout_ms, struct fault *f);
/* Our table does not exist. */
bool loaded_absent(const struct loaded_difference *d);
void loaded_difference_free(struct loaded_difference *d);

#endif
