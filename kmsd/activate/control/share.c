/*
 * share.c - the share of this host, as kmsctl share status shows it, and the administrator's word
 * that it goes on alone.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/share/sharing.h"
#include "libkms/base/clock.h"

static const char *
alone_name(const struct config *c)
{
	static const char *const names[] = { [CONFIG_ALONE_SERVE] = "serve",
		[CONFIG_ALONE_RENEW] = "renew",
		[CONFIG_ALONE_REFUSE] = "refuse" };

	return names[c->share_alone];
}

static const char *
place_name(enum share_place found)
{
	static const char *const names[] = { [SHARE_PLACE_FREE] = "free",
		[SHARE_PLACE_SAME] = "same",
		[SHARE_PLACE_AHEAD] = "ahead",
		[SHARE_PLACE_OTHER] = "other",
		[SHARE_PLACE_JUNK] = "junk" };

	return names[found];
}

static void
row_rights(const struct own_pool *p, void *arg)
{
	struct control_buf *b = arg;

	control_row(b, "share-rights");
	control_text(b, "publisher", p->publisher->name);
	control_number(b, "pool", p->pool->number);
	control_text(b, "pool-name", p->pool->name);
	control_number(b, "left", p->left);
	control_number(b, "first", p->purse.first);
	control_number(b, "received", p->purse.received);
	control_number(b, "given", p->purse.given);
	control_number(b, "bound", p->purse.bound);
	control_number(b, "held", p->purse.held);
}

static void
row_share(const struct activate *a, const struct share_view *v, struct control_buf *b)
{
	const struct config *c = &a->config;

	control_row(b, "share");
	control_number(b, "configured", v->state != NULL);
	if (v->state == NULL)
		return;
	control_text(b, "name", c->share_name);
	control_hex(b, "host-id", host_identity_id(a->key), 16);
	control_text(b, "host-name", a->host_name);
	control_text(b, "state", share_status_name(v->state->status));
	control_number(b, "since", v->since);
	control_number(b, "serves", share_serves(a->share));
	control_number(b, "new-seats", share_serves(a->share) && !share_gives_none(a->share));
	control_number(b, "by-administrator", v->state->said);
	control_number(b, "link", v->state->up);
	control_textf(b, "cluster", "%llx", (unsigned long long)v->state->cluster);
	control_text(b, "place",
	    v->state->placed                      ? place_name(v->state->found)
	    : v->state->found == SHARE_PLACE_FREE ? "not-compared"
						  : place_name(v->state->found));
	control_text(b, "alone", alone_name(c));
	control_number(b, "alone-for", c->share_alone_for * UINT64_C(1440));
	control_number(b, "time", a->now);
	control_number(b, "last-batch", a->last_batch);
	control_number(b, "stored", v->state->stored);
	control_number(b, "waiting", v->held);
	control_number(b, "clocks-apart", v->skewed);
	control_number(b, "first", v->first);
}

/* A host that was never heard has no name, and no figures. */
static void
row_member(const struct activate *a, const struct member *m, struct control_buf *b)
{
	int64_t age = (clock_ms() - m->at) / 1000;

	control_row(b, "share-member");
	control_hex(b, "host-id", m->host, 16);
	control_text(b, "state", member_why_name(m->why));
	control_number(b, "member", m->chain);
	control_number(b, "heard-here", m->last);
	if (!m->beats)
		return;
	control_text(b, "name", m->beat.name);
	control_text(b, "share", m->beat.share);
	control_number(b, "time", m->beat.time);
	control_number(b, "age", age > 0 ? (uint64_t)age : 0);
	control_number(b, "head", m->beat.head);
	control_number(b, "heard-there", beat_heard_of(&m->beat, host_identity_id(a->key)));
}

int
control_share_status(struct control_request *q)
{
	const struct activate *a = q->activate;
	struct share_view v = { 0 };

	if (a->share != NULL)
		share_look(a->share, &v);
	row_share(a, &v, q->out);
	for (unsigned i = 0; v.members != NULL && i < v.members->count; i++)
		row_member(a, &v.members->at[i], q->out);
	if (a->share != NULL)
		own_rights_each(a, v.rights, row_rights, q->out);
	return KMS_OK;
}

int
control_share_first(struct control_request *q)
{
	struct activate *a = q->activate;
	int rc;

	if (a->share == NULL) {
		snprintf(q->why, CONTROL_WHY, "this host counts by itself: kms.ini has no [share]");
		return KMS_E_ARGUMENT;
	}
	rc = share_be_first(a->share);
	if (rc == KMS_E_EXISTS)
		snprintf(q->why, CONTROL_WHY,
		    "a host of the share, or this one, has the first rights already: kmsctl share status");
	else if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY,
		    "this host is not together with the others: kmsctl share status shows its state");
	return rc;
}

int
control_share_alone(struct control_request *q)
{
	struct activate *a = q->activate;
	struct control_field f;
	char reason[SHARE_REASON + 1] = "";

	if (!control_argument(q, 's', "reason", &f) || f.value_len == 0 ||
	    f.value_len > SHARE_REASON || !wire_text_ok((const char *)f.value, f.value_len)) {
		snprintf(q->why, CONTROL_WHY,
		    "the argument \"reason\" is missing, empty or longer than %d bytes",
		    SHARE_REASON);
		return KMS_E_ARGUMENT;
	}
	if (a->share == NULL) {
		snprintf(q->why, CONTROL_WHY, "this host counts by itself: kms.ini has no [share]");
		return KMS_E_ARGUMENT;
	}
	memcpy(reason, f.value, f.value_len);
	if (share_go_alone(a->share, reason) == KMS_OK)
		return KMS_OK;
	snprintf(q->why, CONTROL_WHY,
	    "this host does not wait for the others: kmsctl share status shows its state");
	return KMS_E_EXISTS;
}
