/*
 * relay.c - doctor's line about the KMS hosts behind the relay: do they answer kmsctl, and has
 * kmsd itself reached any? Its network processes are confined, so the answers may differ.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/port.h"
#include "kmsctl/relay/bind_probe.h"
#include "kmsctl/relay/kms_hosts.h"
#include "kmsd/common/relay_config.h"
#include "libkms/kms_error.h"

#define PATIENCE 2000 /* ms for each address */

/* Clients for which kmsd found no host, if it found one for no client. */
static uint64_t
led_nowhere(struct doctor *d)
{
	uint64_t answered = 0, nowhere = 0;
	const struct reply_row *row;
	struct reply reply;

	if (!d->running || ask_quietly(d->ctl, CONTROL_RELAY_STATUS, NULL, &reply, NULL) != KMS_OK)
		return 0;
	row = reply_next(&reply, "relay", NULL);
	reply_number(row, "answered", &answered);
	reply_number(row, "no-host", &nowhere);
	reply_free(&reply);
	return answered == 0 ? nowhere : 0;
}

/* How many of them do not serve, and the first one's reason. */
static size_t
look_at_hosts(const struct kms_hosts *b, size_t *count, char first[400])
{
	size_t down = 0;
	struct bind_probe r;

	*count = 0;
	for (size_t i = 0; i < b->count; i++) {
		const struct kms_host *h = &b->at[i];
		const char *why = r.text;

		if (h->state != KMS_HOST_USED && h->state != KMS_HOST_NAMELESS)
			continue;
		++*count;
		if (h->state == KMS_HOST_NAMELESS)
			why = h->why;
		else if (bind_probe_best(&r, h->addresses, h->count, PATIENCE) < h->count)
			continue;
		if (down++ == 0)
			snprintf(
			    first, 400, "%.80s port %u: %.250s", h->host.name, h->host.port, why);
	}
	return down;
}

void
doctor_relay(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	char first[400] = "";
	size_t count, down;
	uint64_t nowhere;
	struct kms_hosts b;

	if (!relay_configured(c) || kms_hosts_collect(&b, c, port_of_host(d->ctl)) != KMS_OK)
		return;
	down = look_at_hosts(&b, &count, first);
	nowhere = led_nowhere(d);
	if (count == 0)
		doctor_find(d, "relay", BAD, "kmsctl relay check", "no KMS host is known%s%s",
		    b.why[0] != '\0' ? ": " : "", b.why);
	else if (down > 0)
		doctor_find(d, "relay", down == count ? BAD : WARNING, "kmsctl relay check",
		    "%zu of %zu KMS hosts cannot be used: %s", down, count, first);
	else if (nowhere > 0)
		doctor_find(d, "relay", BAD, "kmsctl plan, then journalctl -u kmsd",
		    "kmsctl can reach the KMS hosts, but kmsd found none for %" PRIu64 " clients",
		    nowhere);
	else
		doctor_find(d, "relay", GOOD, NULL, "%zu KMS host%s can be reached", count,
		    count == 1 ? "" : "s");
	kms_hosts_free(&b);
}
