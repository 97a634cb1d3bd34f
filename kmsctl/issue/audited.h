/*
 * audited.h - what the register knows of each host that was confirmed: whose it is, and how far
 * its journal was verified.
 */
#ifndef KMSCTL_ISSUE_AUDITED_H
#define KMSCTL_ISSUE_AUDITED_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_table.h"
#include "kmsctl/issue/register.h"
#include "libkms/base/fault.h"

struct audited {
	uint8_t host[16]; /* the key of the table */
	bool revoked;
	uint64_t confirmed;   /* first, seconds; 0: never */
	uint8_t host_key[16]; /* of its last confirmation */
	char customer[65], host_name[65];
	uint64_t time; /* of the last audit; 0: never audited */
	uint64_t last; /* batch, the highest of all audits since one that overrode the others */
	uint8_t hash[32];
	uint64_t from, until; /* the period of that audit */
	uint64_t clients;     /* and the most that a pool counted on a day */
};

/* All hosts, in the order in which they were first named. The chain of the register is checked. */
int audited_read(struct issue_register *r, struct audit_table *out, struct fault *f);

#endif
