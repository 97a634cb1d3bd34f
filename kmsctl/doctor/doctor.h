/*
 * doctor.h - what the checks of kmsctl doctor share: a finding is a line, with what to type next.
 *
 * "bad" prevents activation, now or soon; "warning" will later. Monitoring reads the exit code.
 */
#ifndef KMSCTL_DOCTOR_DOCTOR_H
#define KMSCTL_DOCTOR_DOCTOR_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/flock.h"
#include "kmsctl/ledger/shares.h"
#include "kmsctl/plan/plan.h"
#include "kmsd/common/relay_config.h"
#include "libkms/core/message.h"

enum level { GOOD, WARNING, BAD };

#define DOCTOR_CAUSES 8
#define DOCTOR_SHARES 16
/* Clients whose last request was refused with one status. */
struct doctor_cause {
	uint32_t status;
	uint64_t clients, last;
	/* of the one that asked last */
	uint8_t cmid[16];
	char name[MESSAGE_NAME + 1];
};
/* What one walk over all clients finds (clients.c). */
struct doctor_clients {
	bool looked, read; /* the walk was made; it could be */
	uint64_t now;
	uint64_t clones, held;
	uint8_t held_cmid[16]; /* of one that is held */
	struct doctor_cause causes[DOCTOR_CAUSES];
	unsigned cause_count;
	struct flocks flocks;
	struct share shares[DOCTOR_SHARES];
	size_t share_count;
};

struct doctor {
	struct ctl *ctl;
	struct reply status; /* of a running kmsd */
	bool running;
	bool locked; /* running, but answers only status */
	bool denied; /* this user may not ask */
	unsigned bad, warnings;
	bool one_line; /* findings are kept for a last line: the worst, the first of them */
	enum level worst;
	char said[400];
	struct plan plan;
	struct doctor_clients clients;
};

/* next: what to type, NULL: nothing. */
void doctor_find(struct doctor *d, const char *check, enum level level, const char *next,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* This host only relays, so that no host key is expected. */
static inline bool
doctor_only_relays(const struct doctor *d)
{
	return d->ctl->config.publisher_count == 0 && relay_configured(&d->ctl->config);
}

/* host.c: what the running kmsd says about itself. doctor_service is the first. */
void doctor_service(struct doctor *d);
void doctor_keys(struct doctor *d);
void doctor_counts(struct doctor *d);
void doctor_sandbox(struct doctor *d);
void doctor_limits(struct doctor *d);
/* pools.c: the seats of each pool. */
void doctor_pools(struct doctor *d);
/* clients.c: what clients get. */
void doctor_refused(struct doctor *d);
uint64_t doctor_clones(struct doctor *d); /* keys that several machines use */
void doctor_holds(struct doctor *d);
void doctor_flocks(struct doctor *d); /* seats of one machine that keeps no client state */
void doctor_shares(struct doctor *d); /* a source that has a large part of a pool */
void doctor_connections(struct doctor *d);
/* reach.c: as clients reach this host. nameserver: NULL: the system's. */
void doctor_port(struct doctor *d);
void doctor_unpublished(struct doctor *d, const char *nameserver);
/* machine.c: the machine. */
void doctor_ledger(struct doctor *d);
void doctor_history(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_clock(struct doctor *d);
/* share.c: of a host that counts together with others. */
void doctor_share(struct doctor *d);
void doctor_share_certificates(struct doctor *d);
/* engine.c: etcd, asked by this host itself. [share] is configured. */
void doctor_engine(struct doctor *d);
/* start.c: why kmsd cannot start, or could not start again. */
void doctor_start(struct doctor *d);
/* relay.c: the KMS hosts of [relay]; nothing without them. */
void doctor_relay(struct doctor *d);

#endif
