/*
 * relay.c - what the relay did, and what the KMS host's own log says of its clients.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/common/relay_config.h"
#include "libkms/base/address.h"
#include "libkms/core/entry_relayed.h"

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
	const struct config *config = &q->activate->config;
	char upstream[RELAY_UPSTREAM_TEXT];
	struct control_buf *b = q->out;

	control_row(b, "relay");
	control_number(b, "configured", relay_configured(config));
	control_text(b, "upstream", relay_upstream_text(config, upstream));
	control_text(b, "domain", config->relay_domain);
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

/* What the KMS host's own log says about a source, from kmsctl relay import. */
int
control_relay_name(struct control_request *q)
{
	struct entry_relayed_name e = { .time = q->activate->now };
	struct control_field source, cmid, name, count, told;
	uint8_t entry[256], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	struct aside aside;
	int rc;

	if (!control_argument(q, 'b', "source", &source) || source.value_len != 16 ||
	    !control_argument(q, 'b', "cmid", &cmid) || cmid.value_len != 16 ||
	    !control_argument(q, 's', "name", &name) || name.value_len == 0 ||
	    name.value_len > MESSAGE_NAME || !control_argument(q, 'u', "count", &count) ||
	    count.number > UINT32_MAX || !control_argument(q, 'u', "told", &told)) {
		snprintf(q->why, CONTROL_WHY,
		    "one of the arguments \"source\", \"cmid\", \"name\", \"count\" and \"told\" is missing or wrong");
		return KMS_E_ARGUMENT;
	}
	rc = relayed_subject(q->activate, source.value, &aside, e.subject);
	memcpy(e.cmid, cmid.value, 16);
	memcpy(aside.name, name.value, name.value_len);
	commit_name(e.name, aside.salt, aside.name);
	e.count = (uint32_t)count.number;
	e.told = told.number;
	item.entry_len = entry_relayed_name_encode(entry, sizeof(entry), &e);
	item.aside_len = aside_encode(beside, sizeof(beside), &aside);
	if (rc == KMS_OK)
		rc = item.aside_len > 0 ? pending_stage(q->activate, &item) : KMS_E_FORMAT;
	if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the entry was not written: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}
