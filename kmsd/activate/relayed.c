/*
 * relayed.c - from a front's report to counters and an entry. Only the front vouches for the
 * report, so it changes nothing but what is shown.
 */
#include "kmsd/activate/relayed.h"

#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/address.h"
#include "libkms/core/entry_relayed.h"

static void
count_version(struct relayed_counts *c, const struct ipc_relayed *r)
{
	unsigned i;

	for (i = 0; i < c->version_count; i++)
		if (c->versions[i].major == r->major && c->versions[i].minor == r->minor)
			break;
	if (i == c->version_count) {
		/* A hostile client can name 2^32 versions: the first few are counted by name. */
		if (i == RELAYED_VERSIONS) {
			c->other_versions++;
			return;
		}
		c->versions[i].major = r->major;
		c->versions[i].minor = r->minor;
		c->version_count++;
	}
	c->versions[i].count++;
}

static void
count_host(struct relayed_counts *c, const struct ipc_relayed *r, uint64_t now)
{
	struct relayed_host *h = c->hosts;
	unsigned i;

	if (r->port == 0)
		return;
	for (i = 0; i < c->host_count; i++, h++)
		if (h->port == r->port && memcmp(h->address, r->address, 16) == 0)
			break;
	if (i == c->host_count) {
		if (i == RELAYED_HOSTS)
			return;
		memcpy(h->address, r->address, 16);
		h->port = r->port;
		c->host_count++;
	}
	memcpy(h->name, r->name, sizeof(h->name));
	h->outcomes[r->outcome]++;
	h->last = now;
	if (r->outcome != IPC_RELAYED_DONE)
		return;
	h->latency += r->latency;
	if (r->latency > h->latency_most)
		h->latency_most = r->latency;
}

int
relayed_subject(const struct activate *a, const uint8_t address[16], struct aside *aside,
    uint8_t subject[COMMITMENT])
{
	int rc;

	memset(aside, 0, sizeof(*aside));
	memcpy(aside->address, address, 16);
	rc = host_identity_relay_salt(a->key, address, aside->salt);
	if (rc == KMS_OK)
		commit_address(subject, aside->salt, address);
	return rc;
}

static void
write_entry(struct activate *a, const struct ipc_frame *f, const struct ipc_relayed *r)
{
	struct entry_relayed e = {
		.time = a->now,
		.outcome = r->outcome,
		.major = r->major,
		.minor = r->minor,
		.sent = r->sent,
		.received = r->received,
		.status = r->status,
		.latency = r->latency,
		.port = r->port,
	};
	uint8_t entry[256], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	struct aside aside;
	int rc = relayed_subject(a, f->address, &aside, e.subject);

	memcpy(e.address, r->address, 16);
	memcpy(e.name, r->name, sizeof(e.name));
	item.entry_len = entry_relayed_encode(entry, sizeof(entry), &e);
	item.aside_len = aside_encode(beside, sizeof(beside), &aside);
	if (rc == KMS_OK)
		rc = pending_stage(a, &item);
	if (rc == KMS_OK)
		return;
	a->relayed.unwritten++;
	log_limited(LOG_ERR, "entry-lost", "a relayed exchange: %s", kms_strerror((uint32_t)rc));
}

int
relayed_take(struct activate *a, unsigned front, struct relayed_bucket *b,
    const struct ipc_frame *f, const uint8_t *body)
{
	char source[ADDRESS_TEXT];
	struct ipc_relayed r;

	/* Without a relay there is nothing to report. */
	if (!relay_configured(&a->config) || ipc_relayed_decode(&r, body, f->length) != KMS_OK)
		return KMS_E_FORMAT;
	if (b->second != a->now) {
		b->second = a->now;
		b->count = 0;
	}
	/* Twice what a front sends in a second, because its seconds begin at other moments. */
	if (b->count++ >= 2 * IPC_RELAYED_RATE) {
		a->relayed.dropped++;
		log_limited(
		    LOG_WARNING, "relay-flood", "more relayed exchanges than a front may report");
		return KMS_OK;
	}
	a->relayed.outcomes[r.outcome]++;
	if (r.sent > 0)
		count_version(&a->relayed, &r);
	count_host(&a->relayed, &r, a->now);
	activate_look_at_disk(a);
	if (budget_take_relayed(&a->budget, &a->config, front, f->address, a->now) == BUDGET_FREE) {
		write_entry(a, f, &r);
		return KMS_OK;
	}
	a->relayed.dropped++;
	log_limited(LOG_WARNING, "relay-flood",
	    "%s: more relayed exchanges than may be written to the ledger",
	    address_text(source, f->address));
	return KMS_OK;
}

bool
relayed_may_wait(const struct activate *a)
{
	return pending_waiting(a->pending) == 0 && kmsdb_staged(a->db) < RELAYED_COMPANY;
}
