/*
 * relayed.h - exchanges that a front relayed to another KMS host: counted, and written to the
 * ledger as observed. No client waits for them, so they are added to a batch that has other
 * entries, or wait for one.
 */
#ifndef KMSD_ACTIVATE_RELAYED_H
#define KMSD_ACTIVATE_RELAYED_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/core/aside.h"

struct activate;

#define RELAYED_VERSIONS 16
#define RELAYED_HOSTS 64
#define RELAYED_COMPANY 512 /* this many observed entries wait no longer */

struct relayed_counts {
	uint64_t outcomes[IPC_RELAYED_OUTCOMES + 1]; /* by enum ipc_relayed_outcome */
	uint64_t dropped, unwritten;
	struct relayed_version {
		uint16_t major, minor;
		uint64_t count;
	} versions[RELAYED_VERSIONS];
	unsigned version_count;
	uint64_t other_versions;
	struct relayed_host {
		uint8_t address[16];
		uint16_t port;
		char name[IPC_UPSTREAM_NAME + 1];
		uint64_t outcomes[IPC_RELAYED_OUTCOMES + 1];
		uint64_t latency, latency_most; /* microseconds; the sum, and the longest */
		uint64_t last;
	} hosts[RELAYED_HOSTS];
	unsigned host_count;
};

/* What one front may report: a bucket of IPC_RELAYED_RATE a second. */
struct relayed_bucket {
	uint64_t second;
	unsigned count;
};

/*
 * A report of that front. KMS_OK, or KMS_E_FORMAT: an honest front does not send this, or sends
 * nothing, since there is no [relay].
 */
int relayed_take(struct activate *a, unsigned front, struct relayed_bucket *b,
    const struct ipc_frame *f, const uint8_t *body);
/*
 * The aside of an entry about that address, and its subject. The salt is made from the address with
 * a key of the host. KMS_E_LOCKED.
 */
int relayed_subject(const struct activate *a, const uint8_t address[16], struct aside *aside,
    uint8_t subject[COMMITMENT]);
/* Only a few observed entries are staged: the commit may wait for the next tick. */
bool relayed_may_wait(const struct activate *a);

#endif
