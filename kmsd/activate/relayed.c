/*
 * relayed.c - from a front's report to counters and an entry. The report is the front's word alone:
 * it changes nothing but what is shown.
 */
#include "kmsd/activate/relayed.h"

#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/common/log.h"
#include "libkms/base/address.h"

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
	uint8_t entry[ENTRY_MAX];
	uint32_t leaf;
	size_t len;
	int status = KMS_E_FORMAT;

	memcpy(e.source, f->address, 16);
	memcpy(e.address, r->address, 16);
	memcpy(e.name, r->name, sizeof(e.name));
	if (kmsdb_staged(a->db) >= KMSDB_BATCH_MAX)
		batch_finish(a);
	if ((len = entry_relayed_encode(entry, sizeof(entry), &e)) > 0)
		status = kmsdb_stage(a->db, entry, len, &leaf);
	if (status == KMS_OK)
		return;
	a->relayed.unwritten++;
	log_limited(
	    LOG_ERR, "entry-lost", "a relayed exchange: %s", kms_strerror((uint32_t)status));
}

int
relayed_take(
    struct activate *a, struct relayed_bucket *b, const struct ipc_frame *f, const uint8_t *body)
{
	char source[ADDRESS_TEXT];
	struct ipc_relayed r;

	if (ipc_relayed_decode(&r, body, f->length) != KMS_OK)
		return KMS_E_FORMAT;
	if (b->second != a->now) {
		b->second = a->now;
		b->count = 0;
	}
	/* Twice what a front sends in a second, since its seconds are not ours. */
	if (b->count++ >= 2 * IPC_RELAYED_RATE) {
		a->relayed.dropped++;
		log_limited(
		    LOG_WARNING, "relay-flood", "more relayed exchanges than a front reports");
		return KMS_OK;
	}
	a->relayed.outcomes[r.outcome]++;
	if (r.sent > 0)
		count_version(&a->relayed, &r);
	count_host(&a->relayed, &r, a->now);
	if (relayed_limit_take(&a->relayed_limit, f->address, a->now)) {
		write_entry(a, f, &r);
		return KMS_OK;
	}
	a->relayed.dropped++;
	log_limited(LOG_WARNING, "relay-flood",
	    "%s: more relayed exchanges than are written to the ledger",
	    address_text(source, f->address));
	return KMS_OK;
}

bool
relayed_may_wait(const struct activate *a)
{
	return batch_waiting(a->batch) == 0 && kmsdb_staged(a->db) < RELAYED_COMPANY;
}

static const char *const outcome_names[IPC_RELAYED_OUTCOMES + 1] = {
	[IPC_RELAYED_DONE] = "answered",
	[IPC_RELAYED_FAULT] = "faults",
	[IPC_RELAYED_LOST] = "lost",
	[IPC_RELAYED_LATE] = "late",
	[IPC_RELAYED_NO_HOST] = "no-host",
	[IPC_RELAYED_REFUSED] = "refused",
};

static void
outcomes(struct control_buf *b, const uint64_t counts[IPC_RELAYED_OUTCOMES + 1])
{
	for (unsigned i = 1; i <= IPC_RELAYED_OUTCOMES; i++)
		control_number(b, outcome_names[i], counts[i]);
}

int
control_relay_status(struct control_request *q)
{
	const struct relayed_counts *c = &q->activate->relayed;
	struct control_buf *b = q->out;

	control_row(b, "relay");
	control_number(b, "configured",
	    q->activate->config.relay_upstream[0] != '\0' ||
		q->activate->config.relay_domain[0] != '\0');
	control_text(b, "upstream", q->activate->config.relay_upstream);
	control_text(b, "domain", q->activate->config.relay_domain);
	outcomes(b, c->outcomes);
	control_number(b, "dropped", c->dropped);
	control_number(b, "unwritten", c->unwritten);
	for (unsigned i = 0; i < c->host_count; i++) {
		const struct relayed_host *h = &c->hosts[i];
		char text[ADDRESS_TEXT];
		uint64_t done = h->outcomes[IPC_RELAYED_DONE];

		control_row(b, "relay-host");
		control_text(b, "name", h->name);
		control_text(b, "address", address_text(text, h->address));
		control_number(b, "port", h->port);
		outcomes(b, h->outcomes);
		control_number(b, "latency-mean", done > 0 ? h->latency / done : 0);
		control_number(b, "latency-most", h->latency_most);
		control_number(b, "last", h->last);
	}
	for (unsigned i = 0; i < c->version_count; i++) {
		control_row(b, "relay-version");
		control_number(b, "major", c->versions[i].major);
		control_number(b, "minor", c->versions[i].minor);
		control_number(b, "requests", c->versions[i].count);
	}
	return KMS_OK;
}

/* What the KMS host's own log says of a source, brought by kmsctl relay import. */
int
control_relay_name(struct control_request *q)
{
	struct entry_relayed_name e = { .time = q->activate->now };
	struct control_field source, cmid, name, count, told;
	uint8_t entry[ENTRY_MAX];
	uint32_t leaf;
	size_t len;
	int rc = KMS_E_FORMAT;

	if (!control_argument(q, 'b', "source", &source) || source.value_len != 16 ||
	    !control_argument(q, 'b', "cmid", &cmid) || cmid.value_len != 16 ||
	    !control_argument(q, 's', "name", &name) || name.value_len == 0 ||
	    name.value_len > MESSAGE_NAME || !control_argument(q, 'u', "count", &count) ||
	    count.number > UINT32_MAX || !control_argument(q, 'u', "told", &told)) {
		snprintf(q->why, CONTROL_WHY, "source, cmid, name, count and told are due");
		return KMS_E_ARGUMENT;
	}
	memcpy(e.source, source.value, 16);
	memcpy(e.cmid, cmid.value, 16);
	memcpy(e.name, name.value, name.value_len);
	e.count = (uint32_t)count.number;
	e.told = told.number;
	if (kmsdb_staged(q->activate->db) >= KMSDB_BATCH_MAX)
		batch_finish(q->activate);
	if ((len = entry_relayed_name_encode(entry, sizeof(entry), &e)) > 0)
		rc = kmsdb_stage(q->activate->db, entry, len, &leaf);
	if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the entry was not written: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}
