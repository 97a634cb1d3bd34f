/*
 * srv.h - which hosts the Windows clients of a domain find by its _vlmcs._tcp records.
 */
#ifndef KMSCTL_RELAY_SRV_H
#define KMSCTL_RELAY_SRV_H

#include <stdbool.h>

#include "kmsctl/relay/kms_hosts.h"

/* Who is published in a domain. */
struct srv_seen {
	bool us;       /* this appliance */
	bool upstream; /* a KMS host that it relays to */
	bool foreign;  /* neither */
	bool silent;   /* DNS does not answer: nothing is known */
	char why[160]; /* no host is published, or DNS does not answer: what DNS says */
};

void srv_look(struct srv_seen *seen, const struct config *c, const struct kms_hosts *b,
    uint16_t own, const char *domain);
/*
 * In words, and whether it is a problem; wanted: kms.ini publishes this appliance there.
 */
const char *srv_judge(const struct srv_seen *seen, bool wanted, bool *problem);

#endif
