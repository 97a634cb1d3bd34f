/*
 * top_sample.h - how a running host is at one moment, asked over its control socket, and who was
 * refused of late. Two samples make rates.
 */
#ifndef KMSCTL_REPORT_TOP_SAMPLE_H
#define KMSCTL_REPORT_TOP_SAMPLE_H

#include "kmsctl/report/pools.h"
#include "kmsctl/report/usage_sums.h"
#include "libkms/base/fault.h"
#include "libkms/core/message.h"

struct top_sample {
	int rc; /* KMS_OK: the host answered; otherwise fault says why not, and all else is empty */
	struct fault fault;
	int64_t ms; /* clock_ms */
	bool locked;
	struct report_pools pools; /* with the whole status */
	struct reply metrics;      /* answers by status, since the host's start */
	struct usage_sums today;   /* none while it is locked */
};
void top_sample_take(struct ctl *ctl, struct top_sample *s);
void top_sample_free(struct top_sample *s);
/* How many requests, or refusals, since the host's start. */
uint64_t top_requests(const struct top_sample *s);
uint64_t top_refusals(const struct top_sample *s);
/* How often a status was answered since the start; 0: never. */
uint64_t top_answers(const struct top_sample *s, const char *symbol);
/* Are both of one run of kmsd, so that the difference of two numbers is what happened between? */
bool top_comparable(const struct top_sample *before, const struct top_sample *now);

#define TOP_REFUSED 64
/* A client that was refused with a status. */
struct top_refused {
	uint8_t cmid[16], address[16];
	uint32_t status;
	uint64_t times, last;
	char name[MESSAGE_NAME + 1];
};
struct top_who {
	struct top_refused list[TOP_REFUSED]; /* the last one first */
	unsigned count;
	uint64_t next; /* batch that is read next; 0: nothing was read */
	bool skipped;  /* there were more batches than one look reads */
};
/* Reads on in the journal, as far as a look may. zeros: begins with its newest batches. */
void top_who_look(struct ctl *ctl, struct top_who *w, const struct top_sample *now);

#endif
