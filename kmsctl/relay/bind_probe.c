/*
 * bind_probe.c - a connection and a bind, and an explanation of each failure for the
 * administrator.
 */
#include "kmsctl/relay/bind_probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kmsd/front/relay/pdu.h"
#include "libkms/base/clock.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

#define CALL_ID 1

/* What Windows reports as 0x800706BA, by the error of the connection. */
static const struct {
	int error;
	const char *text;
} causes[] = {
	{ ECONNREFUSED,
	    "0x800706BA: refused. The KMS service is not running there or listens on another port (slmgr.vbs /dli), or a firewall rejects the connection" },
	{ ETIMEDOUT,
	    "0x800706BA: no answer. A firewall in between drops TCP to that port (on Windows: the rule \"Key Management Service (TCP-In)\"), or the machine is off" },
	{ EHOSTUNREACH, "0x800706BA: no route to it from here, or the machine is off" },
	{ ENETUNREACH, "0x800706BA: no route to it from here" },
};

static void
not_connected(struct bind_probe *r, int error)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].error == error) {
			snprintf(r->text, sizeof(r->text), "%s", causes[i].text);
			return;
		}
	snprintf(
	    r->text, sizeof(r->text), "0x800706BA: cannot be connected to: %s", strerror(error));
}

static void
does_not_serve(struct bind_probe *r, const char *how)
{
	snprintf(
	    r->text, sizeof(r->text), "accepts, but does not serve the KMS interface: %s", how);
}

/* A complete fragment: does it accept the bind? */
static void
judge(struct bind_probe *r, struct pdu *p, const uint8_t *octets)
{
	char how[120];

	if (pdu_parse(p, octets) != KMS_OK || p->call_id != CALL_ID) {
		does_not_serve(r, "the answer is not DCE/RPC");
	} else if (p->type == PDU_BIND_NAK) {
		snprintf(how, sizeof(how), "bind_nak, reason %u%s", p->nak,
		    p->nak == PDU_NAK_CONGESTION
			? " (congestion: the host is busy, or is a relay without a KMS host)"
			: "");
		does_not_serve(r, how);
	} else if (p->type != PDU_BIND_ACK || p->context_count != 1) {
		does_not_serve(r, "the answer to the bind is of another kind");
	} else if (p->contexts[0].result != PDU_ACCEPTED) {
		snprintf(how, sizeof(how), "rejected (result %u, reason %u): another RPC service",
		    p->contexts[0].result, p->contexts[0].reason);
		does_not_serve(r, how);
	} else {
		r->serves = true;
		snprintf(r->text, sizeof(r->text), "can be reached, and serves the KMS interface");
	}
}

static void
hear(struct bind_probe *r, struct transport *t, int64_t until)
{
	uint8_t in[PDU_MAX];
	enum pdu_whole whole = PDU_MORE;
	struct pdu p;
	size_t have = 0, more;

	while (whole == PDU_MORE) {
		int rc = transport_some(t, in + have, sizeof(in) - have, &more, until);

		if (rc != KMS_OK) {
			does_not_serve(r,
			    rc == KMS_E_TIMEOUT ? "silent" : "closed the connection at the bind");
			return;
		}
		have += more;
		/* Never more than PDU_MAX: a longer one is bad at once. */
		whole = pdu_look(&p, in, have);
	}
	if (whole == PDU_WHOLE)
		judge(r, &p, in);
	else
		does_not_serve(r, "the answer is not DCE/RPC");
}

void
bind_probe(struct bind_probe *r, const struct discover_address *a, int patience_ms)
{
	uint8_t bind[PDU_BIND_SIZE];
	struct transport t = { .fd = -1 };
	int64_t until;
	int rc;

	memset(r, 0, sizeof(*r));
	rc = transport_connect(
	    &t, (const struct sockaddr *)&a->to, a->len, clock_ms() + patience_ms);
	if (rc != KMS_OK) {
		not_connected(r, rc == KMS_E_TIMEOUT ? ETIMEDOUT : errno);
		return;
	}
	r->connected = true;
	until = clock_ms() + patience_ms;
	/* A host that closes at once may still have sent something: read it in any case. */
	(void)transport_send(&t, bind, pdu_build_bind(bind, CALL_ID), until);
	hear(r, &t, until);
	transport_close(&t);
}

size_t
bind_probe_best(
    struct bind_probe *best, const struct discover_address *a, size_t count, int patience_ms)
{
	size_t failed = 0;
	struct bind_probe r;

	memset(best, 0, sizeof(*best));
	for (size_t i = 0; i < count; i++) {
		bind_probe(&r, &a[i], patience_ms);
		failed += !r.serves;
		if (i == 0 || (!best->serves && (r.serves || (r.connected && !best->connected))))
			*best = r;
	}
	return failed;
}
