/*
 * installed.h - the journal's entry of a publisher's file that is installed: when it comes, and
 * again when the journal lacks it, because the ledger was lost or an older one was restored.
 * Audits and leases then find in the journal what the host works with.
 */
#ifndef KMSD_ACTIVATE_INSTALLED_H
#define KMSD_ACTIVATE_INSTALLED_H

#include <stdint.h>

#include "libkms/core/entry_blobs.h"
#include "policy/files/file_contents.h"

struct activate;

struct installed_entry {
	struct entry_admin e; /* borrows from here, and from the file */
	char text[300];       /* what it is, in words */
	uint8_t number[4];    /* of a revocation list */
};
void installed_entry(struct installed_entry *out, const struct publisher_file *c);
/* Writes the entries of installed files that the journal lacks. What activate_record returns. */
int installed_record(struct activate *a);

#endif
