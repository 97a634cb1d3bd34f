/*
 * web.c - what kmsd-web asks for beside sums: a session for a token, and, with a session, clients.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/common/log.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/base/glob.h"
#include "libkms/base/hex.h"

#define STOP 1
#define ROWS_LOOKED_AT 1000 /* of the index, for one answer: no search holds up a renewal */
#define ROWS_FOUND 50
#define PATTERN_MAX 64

int
control_web_login(struct control_request *q)
{
	uint8_t token[WEB_SECRET];

	web_sessions_token(&q->activate->web_sessions, clock_seconds(), token);
	control_row(q->out, "login");
	control_hex(q->out, "token", token, sizeof(token));
	control_number(q->out, "seconds", WEB_TOKEN_SECONDS);
	return KMS_OK;
}

int
control_web_logout(struct control_request *q)
{
	unsigned ended = web_sessions_end(&q->activate->web_sessions, clock_seconds());

	control_row(q->out, "logout");
	control_number(q->out, "sessions", ended);
	return KMS_OK;
}

/* A secret in hexadecimal. */
static bool
secret(const struct control_request *q, const char *name, uint8_t out[WEB_SECRET])
{
	char text[2 * WEB_SECRET + 1];
	struct control_field f;

	if (!control_argument(q, 's', name, &f) || f.value_len != 2 * WEB_SECRET)
		return false;
	memcpy(text, f.value, f.value_len);
	text[f.value_len] = '\0';
	return hex_parse(out, WEB_SECRET, text);
}

int
control_web_session(struct control_request *q)
{
	uint8_t token[WEB_SECRET], session[WEB_SECRET];

	if (!secret(q, "token", token) ||
	    !web_sessions_begin(&q->activate->web_sessions, clock_seconds(), token, session)) {
		log_limited(LOG_WARNING, "web-login",
		    "refused: the token is wrong, was used or is too old");
		snprintf(q->why, CONTROL_WHY,
		    "the address was used already, or is older than five minutes: kmsctl web login prints a new one");
		return KMS_E_DENIED;
	}
	log_event(LOG_NOTICE, "web-login",
	    "a browser logged in: it can see the names of clients for 12 hours");
	control_row(q->out, "session");
	control_hex(q->out, "session", session, sizeof(session));
	control_number(q->out, "seconds", WEB_SESSION_SECONDS);
	return KMS_OK;
}

struct search {
	struct control_request *q;
	char pattern[PATTERN_MAX + 3]; /* empty: all */
	unsigned looked, found;
	uint8_t next[16];
	bool more;
};

static bool
is_wanted(
    const struct search *s, const char *cmid, const char *address, const struct kmsdb_cold *cold)
{
	return s->pattern[0] == '\0' || glob_match(s->pattern, cold->name) ||
	       glob_match(s->pattern, cold->user) || glob_match(s->pattern, address) ||
	       glob_match(s->pattern, cmid);
}

static void
row_client(struct search *s, const struct kmsdb_client *c, const struct kmsdb_cold *cold,
    const char *address)
{
	struct activate *a = s->q->activate;
	struct control_buf *b = s->q->out;
	struct publisher_product found;
	bool known = publishers_find(&a->publishers, c->product, &found);

	control_row(b, "client");
	control_hex(b, "cmid", c->cmid, 16);
	control_text(b, "name", cold->name);
	control_text(b, "address", address);
	if (known) {
		control_text(b, "product-name", found.product->name);
		control_text(b, "pool-name", found.pool->name);
	}
	control_number(b, "counted",
	    known && kmsdb_client_counts(c, found.publisher->public.key.id, found.pool->number,
			 policy_minute(a->now)));
	control_text(b, "state", kmsdb_client_state(c, a->now));
	control_number(b, "last-seen", c->last_seen);
	if (c->expires != 0)
		control_number(b, "expires", c->expires);
	if (c->status != KMS_OK)
		control_text(b, "refused", kms_error_find(c->status)->symbol);
	if (cold->last_clone != 0)
		control_number(b, "last-clone", cold->last_clone);
}

static int
look(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	char address[ADDRESS_TEXT], cmid[33];
	struct search *s = arg;

	if (s->looked == ROWS_LOOKED_AT || s->found == ROWS_FOUND) {
		memcpy(s->next, c->cmid, 16);
		s->more = true;
		return STOP;
	}
	s->looked++;
	if (kmsdb_client_gone(c))
		return 0;
	address_text(address, cold->address);
	hex_format(cmid, c->cmid, 16);
	if (!is_wanted(s, cmid, address, cold))
		return 0;
	s->found++;
	row_client(s, c, cold, address);
	return 0;
}

/* Without '*' and '?', what is looked for may stand anywhere. */
static int
take_pattern(struct search *s)
{
	struct control_field f;
	char text[PATTERN_MAX + 1];

	if (!control_argument(s->q, 's', "pattern", &f) || f.value_len == 0)
		return KMS_OK;
	if (f.value_len > PATTERN_MAX) {
		snprintf(s->q->why, CONTROL_WHY, "a pattern has at most %d bytes", PATTERN_MAX);
		return KMS_E_ARGUMENT;
	}
	memcpy(text, f.value, f.value_len);
	text[f.value_len] = '\0';
	snprintf(s->pattern, sizeof(s->pattern), glob_is_pattern(text) ? "%s" : "*%s*", text);
	return KMS_OK;
}

int
control_client_find(struct control_request *q)
{
	struct search s = { .q = q };
	uint8_t session[WEB_SECRET], from[16];
	struct control_field f;
	bool given = control_argument(q, 's', "from", &f);
	int rc;

	if (!secret(q, "session", session) ||
	    !web_sessions_has(&q->activate->web_sessions, clock_seconds(), session)) {
		snprintf(q->why, CONTROL_WHY, "not logged in: kmsctl web login");
		return KMS_E_DENIED;
	}
	if (given && (rc = control_id(q, "from", from)) != KMS_OK)
		return rc;
	if ((rc = take_pattern(&s)) != KMS_OK)
		return rc;
	rc = kmsdb_each_client_from(q->activate->db, given ? from : NULL, look, &s);
	if (rc != KMS_OK && rc != STOP)
		return rc;
	control_row(q->out, "page");
	control_number(q->out, "looked", s.looked);
	if (s.more)
		control_hex(q->out, "next", s.next, 16);
	return KMS_OK;
}
