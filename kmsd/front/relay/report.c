/*
 * report.c - IPC_RELAYED, a limited number a second.
 */
#include "kmsd/front/relay/report.h"

#include <string.h>

#include "kmsd/common/log.h"
#include "kmsd/front/front.h"

static bool
may_report(struct front *f)
{
	struct relay *r = &f->relay;

	if (r->reported_at != f->now) {
		r->reported_at = f->now;
		r->reported = 0;
	}
	if (r->reported++ < IPC_RELAYED_RATE)
		return true;
	r->kept_back++;
	log_limited(LOG_WARNING, "relay-unreported",
	    "more than %d exchanges a second: %llu are not in the ledger", IPC_RELAYED_RATE,
	    (unsigned long long)r->kept_back);
	return false;
}

void
relay_report(struct connection *s, const struct exchange_call *call,
    const struct ipc_upstream *host, uint32_t latency)
{
	struct ipc_relayed out = {
		.outcome = call->outcome,
		.major = call->major,
		.minor = call->minor,
		.sent = call->sent,
		.received = call->received,
		.status = call->status,
		.latency = latency,
		.port = host->port,
	};
	uint8_t body[IPC_RELAYED_MAX];

	if (!may_report(s->front))
		return;
	memcpy(out.address, host->address, sizeof(out.address));
	memcpy(out.name, host->name, sizeof(out.name));
	forward_tell(s->front, s, IPC_RELAYED, body, (uint32_t)ipc_relayed_encode(body, &out));
}
