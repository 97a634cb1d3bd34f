/*
 * relay.c - beginning and end of the relay in a front, and the list of hosts that kmsd sends.
 */
#include "kmsd/front/relay/relay.h"

#include "kmsd/common/log.h"
#include "kmsd/front/front.h"
#include "kmsd/front/relay/conversation.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

int
relay_init(struct front *f, const struct config *c, uint64_t seed)
{
	struct relay *r = &f->relay;

	upstreams_init(&r->upstreams, f->base, (uint32_t)(seed >> 16));
	r->calls = relay_configured(c) ? &conversation_calls : NULL;
	if (r->calls != NULL && throttle_init(&r->throttle, ~seed) != KMS_OK)
		return KMS_E_NO_MEMORY;
	relay_limits(f, c);
	return KMS_OK;
}

void
relay_limits(struct front *f, const struct config *c)
{
	struct relay *r = &f->relay;

	r->allow = c->relay_allow;
	r->connect_timeout = c->relay_connect_timeout;
	r->answer_timeout = c->relay_answer_timeout;
	r->throttle.per_source = c->relay_per_source;
	r->upstreams.backoff = c->relay_backoff;
	r->upstreams.connect_timeout = c->relay_connect_timeout;
	f->deadlines.seconds[DEADLINE_RELAY_IDLE] = c->relay_idle_timeout;
}

void
relay_free(struct front *f)
{
	upstreams_free(&f->relay.upstreams);
	throttle_free(&f->relay.throttle);
}

void
relay_hosts_are(struct front *f, const struct ipc_upstreams *list)
{
	if (f->relay.calls == NULL)
		return;
	upstreams_replace(&f->relay.upstreams, list);
	log_event(LOG_INFO, "relay-hosts", "%u addresses of KMS hosts to relay to", list->count);
}

int
relay_hosts_changed(struct front *f, int fd)
{
	struct ipc_upstreams list;
	int rc = ipc_upstreams_read(&list, fd);

	if (rc == KMS_OK)
		relay_hosts_are(f, &list);
	return rc;
}

void
relay_tick(struct front *f)
{
	upstreams_tick(&f->relay.upstreams, clock_ms());
}
