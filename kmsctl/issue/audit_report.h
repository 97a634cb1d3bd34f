/*
 * audit_report.h - what an audit found out about a file, in one struct.
 */
#ifndef KMSCTL_ISSUE_AUDIT_REPORT_H
#define KMSCTL_ISSUE_AUDIT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/issue/audit_clients.h"
#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/issue/audit_recount.h"
#include "kmsctl/issue/audit_refusals.h"
#include "libkms/core/certificate.h"

#define AUDIT_CERTIFICATES 64 /* in a report: the newest; all others are checked as well */

enum audit_beginning { BEGINNING_NOT_PROVED, BEGINNING_BATCH_1, BEGINNING_KNOWN, BEGINNING_BASE };

/* The two figures of a pool, on their highest days in the period. */
struct audit_pool_report {
	uint16_t number;
	uint64_t counted, holding;         /* clients */
	uint32_t counted_day, holding_day; /* since 1970: the first such day */
};

struct audit_report {
	uint8_t host[16];
	size_t part;          /* the file that was read last */
	uint64_t first, last; /* batches */
	uint64_t first_time, last_time;
	uint8_t last_hash[32];
	uint64_t batches, entries;
	uint64_t clients; /* distinct clients with a lease of this publisher in the period */
	uint64_t leases;
	uint64_t beyond; /* leases of the period that no certificate covers */
	enum audit_beginning beginning;
	uint64_t joined; /* BEGINNING_KNOWN: the known batch */
	bool closed;     /* the host says that there is a batch after the period */
	unsigned certificate_count;
	struct certificate certificates[AUDIT_CERTIFICATES];
	unsigned product_count;
	struct audit_product products[AUDIT_PRODUCTS];
	unsigned pool_count;
	struct audit_pool_report pools[AUDIT_POOLS];
	struct audit_day *days; /* of the period, malloc'd: audit_report_free */
	size_t day_count;
	struct audit_refusals refusals; /* of the period */
	bool names;                     /* the names of clients are in the file */
	struct audit_findings findings;
};

/* Fills in pools and days of the period. The recount is closed. KMS_E_NO_MEMORY. */
int audit_report_days(
    struct audit_report *r, struct audit_recount *recount, uint64_t from, uint64_t to);
/* The highest number of clients that a pool counted on a day of the period. */
uint64_t audit_report_highest(const struct audit_report *r);
void audit_report_free(struct audit_report *r);

#endif
