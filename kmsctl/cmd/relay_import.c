/*
 * relay_import.c - relay import: the KMS host's own log gives the observed clients their names.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/input.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/relay/event_log.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/address.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

/* Sources that the relay observed, to be matched with names. */
struct sources {
	uint8_t (*addresses)[16];
	size_t count, room;
};

static int
keep_source(const struct kmsdb_relayed *r, void *arg)
{
	struct sources *s = arg;

	if (s->count == s->room) {
		size_t room = s->room == 0 ? 256 : s->room * 2;
		void *more = realloc(s->addresses, room * 16);

		if (more == NULL)
			return KMS_E_NO_MEMORY;
		s->addresses = more;
		s->room = room;
	}
	memcpy(s->addresses[s->count++], r->address, 16);
	return 0;
}

struct import {
	struct ctl *ctl;
	struct sources sources;
	uint64_t joined, unknown, refused;
	int code;
};

/* The observed source with that name, or NULL. */
static const uint8_t *
source_of(const struct import *m, const char *name)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *all = NULL;
	const uint8_t *found = NULL;

	if (getaddrinfo(name, NULL, &hints, &all) != 0)
		return NULL;
	for (struct addrinfo *i = all; i != NULL && found == NULL; i = i->ai_next) {
		uint8_t address[16];

		address_take(address, NULL, i->ai_addr);
		for (size_t j = 0; j < m->sources.count && found == NULL; j++)
			if (memcmp(m->sources.addresses[j], address, 16) == 0)
				found = m->sources.addresses[j];
	}
	freeaddrinfo(all);
	return found;
}

static int
import_event(const struct event_12290 *e, void *arg)
{
	struct import *m = arg;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	const uint8_t *source;

	if (e->status != 0) {
		m->refused++;
		return 0;
	}
	if ((source = source_of(m, e->name)) == NULL) {
		m->unknown++;
		return 0;
	}
	control_octets(&args, "source", source, 16);
	control_octets(&args, "cmid", e->cmid, 16);
	control_text(&args, "name", e->name);
	control_number(&args, "count", e->count);
	control_number(&args, "told", e->time);
	m->code = ask_host(m->ctl, CONTROL_RELAY_NAME, &args, &reply);
	m->joined += m->code == CTL_OK;
	control_buf_free(&args);
	reply_free(&reply);
	return m->code != CTL_OK;
}

static int
run_relay_import(struct ctl *ctl)
{
	struct import m = { .ctl = ctl, .code = CTL_OK };
	struct kmsdb *db = NULL;
	struct fault fault = { 0 };
	char *text = NULL;
	size_t len = 0, events;
	int rc = input_read(ctl->args[0], EVENT_LOG_MAX, &text, &len);

	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "%s", ctl->args[0]);
	/* Changes that are not yet in the index must be found, too. */
	if ((m.code = ask_host(ctl, CONTROL_CHECKPOINT, NULL, &(struct reply){ 0 })) != CTL_OK)
		goto done;
	rc = ledger_access_open(ctl, &db, &fault);
	if (rc == KMS_OK)
		rc = kmsdb_each_relayed(db, keep_source, &m.sources);
	ledger_access_close(db, -1);
	if (rc != KMS_OK) {
		m.code = fail(
		    ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault_text(&fault, rc));
		goto done;
	}
	events = event_log_each(text, len, import_event, &m);
	output_number(ctl->out, "events", "Events 12290", events);
	output_number(ctl->out, "joined", "Joined", m.joined);
	output_number(ctl->out, "unknown", "Not observed, or without an address", m.unknown);
	output_number(ctl->out, "refused", "Refused by the host", m.refused);
	if (events == 0)
		m.code = fail(ctl, KMS_E_FORMAT, "%s: contains no event 12290", ctl->args[0]);
done:
	free(m.sources.addresses);
	free(text);
	return m.code;
}

const struct ctl_command cmd_relay_import = {
	.line.noun = "relay",
	.line.verb = "import",
	.line.args = "FILE",
	.line.summary =
	    "import names and CMIDs of observed clients from the KMS host's own event log",
	.line.min = 1,
	.line.max = 1,
	.run = run_relay_import,
};
