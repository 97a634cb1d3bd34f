/*
 * carrier.c - see carrier.h.
 */
#include "kmsd/share/carrier.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/share/etcd.h"
#include "kmsd/share/share_keys.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define MS_US 1000
#define PAUSE_MS 250 /* when all members were tried */
#define WATCH_MS 250
#define PROBE 0 /* the verb of an errand of our own */

/* One request on its way. */
struct errand {
	struct carrier *carrier;
	bool busy;
	struct share_message asked; /* what it borrows is kept in: */
	uint8_t *octets;            /* malloc'd, also when there are none */
	struct etcd_text text;
	enum etcd_kind kind;
	int64_t began, until;
	unsigned member, tries;
	int trouble; /* why its last try failed */
	struct event *again;
};

struct carrier {
	struct event_base *base;
	struct engine *engine;
	const struct ipc_upstreams *members;
	carrier_say *say;
	void *arg;
	bool begun;
	char share[SHARE_NAME + 1];
	uint8_t own[16];
	struct errand errands[SHARE_REQUESTS], probe;
	unsigned member; /* that answered last */
	bool told, up;   /* what LINK said last, if it said anything */
	uint64_t cluster;
	int64_t heard, probed;
	int trouble;   /* why the last try failed */
	char why[512]; /* the same in words */
	struct event *watch;
	uint8_t octets[SHARE_OCTETS]; /* a value as it is read */
	uint8_t answer[SHARE_BEATS];  /* BEATS as they are written */
};

/* -- the link -- */

static void
tell_link(struct carrier *c, bool up, int status)
{
	const struct share_message m = {
		.verb = SHARE_LINK, .number = c->cluster, .value = (uint32_t)status
	};

	c->told = true;
	c->up = up;
	if (up)
		log_event(
		    LOG_NOTICE, "share-link", "the engine answers: cluster %" PRIx64, c->cluster);
	else
		log_event(LOG_WARNING, "share-link", "the engine does not answer: %s",
		    c->why[0] != '\0' ? c->why : kms_strerror((uint32_t)status));
	c->say(c->arg, &m);
}

/* A majority has answered. */
static void
heard(struct carrier *c, unsigned member, uint64_t cluster)
{
	bool news = !c->told || !c->up || c->cluster != cluster;

	c->heard = clock_ms();
	c->member = member;
	c->cluster = cluster;
	c->trouble = KMS_OK;
	if (news)
		tell_link(c, true, KMS_OK);
	c->why[0] = '\0';
}

static void
failed_try(struct errand *e, int status, const char *why, const char *advice)
{
	struct carrier *c = e->carrier;
	char name[ENGINE_MEMBER_TEXT];

	c->trouble = e->trouble = status;
	snprintf(c->why, sizeof(c->why), "%s: %.200s%s%s",
	    engine_member_text(name, &c->members->at[e->member]),
	    why[0] != '\0' ? why : kms_strerror((uint32_t)status), advice[0] != '\0' ? ". " : "",
	    advice);
	if (c->member == e->member)
		c->member = (e->member + 1) % c->members->count;
}

/* -- answers -- */

static void
say(struct carrier *c, const struct errand *e, uint8_t verb, uint64_t number, const void *octets,
    size_t len)
{
	struct share_message m = { .verb = verb,
		.token = e->asked.token,
		.number = number,
		.octets = octets,
		.len = (uint32_t)len };

	if (verb != SHARE_BEATS_ARE)
		memcpy(m.host, e->asked.host, sizeof(m.host));
	c->say(c->arg, &m);
}

static void
say_failed(struct carrier *c, const struct errand *e, int status)
{
	struct share_message m = {
		.verb = SHARE_FAILED, .token = e->asked.token, .value = (uint32_t)status
	};

	memcpy(m.host, e->asked.host, sizeof(m.host));
	c->say(c->arg, &m);
}

/*
 * A place that is taken may have our own parcel: it was stored, and the answer to that was lost.
 */
static int
answer_store(struct carrier *c, const struct errand *e, const struct etcd_answer *a)
{
	char key[SHARE_KEY];
	uint64_t first;
	size_t len;

	if (!a->created &&
	    (!etcd_answer_pair(a, 0, key, sizeof(key), c->octets, SHARE_PARCEL, &len) ||
		!share_key_is_parcel(key, c->share, e->asked.host, &first) ||
		first != e->asked.number))
		return KMS_E_FORMAT;
	if (a->created || (len == e->asked.len && memcmp(c->octets, e->octets, len) == 0))
		say(c, e, SHARE_STORED, e->asked.number, NULL, 0);
	else
		say(c, e, SHARE_TAKEN, e->asked.number, c->octets, len);
	return KMS_OK;
}

/* What others left there and is no beat is skipped: who can write there could as well say nothing.
 */
static int
answer_beat(struct carrier *c, const struct errand *e, const struct etcd_answer *a)
{
	struct share_beats b = { .out = c->answer };

	for (size_t i = 0; i < a->count; i++) {
		char key[SHARE_KEY];
		uint8_t host[16];
		size_t len;

		if (!etcd_answer_pair(a, i, key, sizeof(key), c->octets, SHARE_BEAT_MAX, &len) ||
		    !share_key_is_beat(key, c->share, host) ||
		    share_beats_add(&b, host, c->octets, len) != KMS_OK)
			log_limited(LOG_WARNING, "share-link",
			    "something below kms/%s/h/ is not the beat of a host", c->share);
	}
	say(c, e, SHARE_BEATS_ARE, 0, c->answer, b.len);
	return KMS_OK;
}

static int
answer_fetch(struct carrier *c, const struct errand *e, const struct etcd_answer *a)
{
	char key[SHARE_KEY];
	uint64_t first;
	size_t len;

	if (a->count == 0) {
		say(c, e, SHARE_PARCEL_IS, 0, NULL, 0);
		return KMS_OK;
	}
	if (a->count != 1 ||
	    !etcd_answer_pair(a, 0, key, sizeof(key), c->octets, SHARE_PARCEL, &len) || len == 0 ||
	    !share_key_is_parcel(key, c->share, e->asked.host, &first) || first == 0 ||
	    (e->asked.value == SHARE_FROM ? first < e->asked.number : first > e->asked.number))
		return KMS_E_FORMAT;
	say(c, e, SHARE_PARCEL_IS, first, c->octets, len);
	return KMS_OK;
}

/* KMS_E_FORMAT: the answer is to something else. */
static int
answer(struct carrier *c, const struct errand *e, const struct etcd_answer *a)
{
	switch (e->asked.verb) {
	case SHARE_STORE:
		return answer_store(c, e, a);
	case SHARE_BEAT:
		return answer_beat(c, e, a);
	case SHARE_FETCH:
		return answer_fetch(c, e, a);
	case SHARE_PRUNE:
		say(c, e, SHARE_PRUNED, a->deleted, NULL, 0);
		break;
	}
	return KMS_OK;
}

/* -- errands -- */

static void
end_errand(struct errand *e)
{
	free(e->text.bytes);
	free(e->octets);
	memset(&e->text, 0, sizeof(e->text));
	e->octets = NULL;
	e->busy = false;
}

static long
more_time(const struct errand *e)
{
	return (long)(e->text.len / CARRIER_OCTETS_A_MS);
}

static void try_member(struct errand *e);

/* Another member at once, and all of them again after a pause. A probe is not repeated. */
static void
try_again(struct errand *e)
{
	struct carrier *c = e->carrier;

	e->member = (e->member + 1) % c->members->count;
	if (clock_ms() >= e->until) {
		if (e->asked.verb != PROBE)
			say_failed(c, e, e->trouble);
		end_errand(e);
	} else if (++e->tries % c->members->count == 0) {
		loop_timer(e->again, PAUSE_MS * MS_US);
	} else {
		try_member(e);
	}
}

/* What the members of one cluster all say. One that is not honest may say it alone. */
static bool
final(const struct errand *e, int status)
{
	return (status == KMS_E_FULL || status == KMS_E_TOO_LARGE) &&
	       e->tries + 1 >= e->carrier->members->count && e->asked.verb != PROBE;
}

static void
refused(struct errand *e, const struct engine_result *result)
{
	char why[128];
	int status = etcd_error(why, result->http, result->body, result->len);

	failed_try(e, status, why, "");
	if (!final(e, status)) {
		try_again(e);
		return;
	}
	log_limited(LOG_WARNING, "share-link", "%s", e->carrier->why);
	say_failed(e->carrier, e, status);
	end_errand(e);
}

static void
on_result(void *arg, const struct engine_result *result)
{
	struct errand *e = arg;
	struct carrier *c = e->carrier;
	struct etcd_answer a;
	int rc;

	if (result->status != KMS_OK) {
		failed_try(e, result->status, result->why, result->advice);
		try_again(e);
		return;
	}
	if (result->http != 200) {
		refused(e, result);
		return;
	}
	rc = etcd_answer_parse(&a, e->kind, result->body, result->len);
	if (rc == KMS_OK) {
		heard(c, e->member, a.cluster);
		rc = answer(c, e, &a);
	}
	etcd_answer_free(&a);
	if (rc == KMS_OK) {
		end_errand(e);
		return;
	}
	failed_try(e, rc, "its answer is not one of etcd's to this request", "");
	try_again(e);
}

static void
try_member(struct errand *e)
{
	const struct engine_request r = { .member = e->member,
		.path = e->text.path,
		.text = e->text.bytes,
		.len = e->text.len,
		.patience = CARRIER_TRY_MS + more_time(e),
		.done = on_result,
		.arg = e };
	int rc = engine_post(e->carrier->engine, &r);

	if (rc == KMS_OK)
		return;
	failed_try(e, rc, "", "");
	loop_timer(e->again, PAUSE_MS * MS_US);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct errand *e = arg;

	if (clock_ms() >= e->until)
		try_again(e);
	else
		try_member(e);
}

static void
set_out(struct errand *e, int64_t patience)
{
	e->busy = true;
	e->began = clock_ms();
	e->until = e->began + patience + more_time(e);
	e->member = e->carrier->member;
	e->tries = 0;
	try_member(e);
}

/* -- the watch -- */

static void
probe(struct carrier *c)
{
	char from[SHARE_KEY], end[SHARE_KEY];
	struct errand *e = &c->probe;

	c->probed = clock_ms();
	e->kind = ETCD_RANGE;
	if (etcd_probe(
		&e->text, share_key_beats(from, c->share), share_key_beats_end(end, c->share)))
		set_out(e, CARRIER_LINK_MS);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct carrier *c = arg;
	int64_t now = clock_ms();

	if (!c->probe.busy && now - c->probed >= CARRIER_PROBE_MS &&
	    now - c->heard >= CARRIER_PROBE_MS)
		probe(c);
	if ((!c->told || c->up) && now - c->heard >= CARRIER_LINK_MS)
		tell_link(c, false, c->trouble != KMS_OK ? c->trouble : KMS_E_TIMEOUT);
}

/* -- what activation asks -- */

static bool
write_text(struct carrier *c, struct errand *e)
{
	const struct share_message *m = &e->asked;
	char key[SHARE_KEY], end[SHARE_KEY];

	switch (m->verb) {
	case SHARE_STORE:
		e->kind = ETCD_CREATE;
		return etcd_create(&e->text, share_key_parcel(key, c->share, m->host, m->number),
		    e->octets, m->len);
	case SHARE_BEAT: {
		char from[SHARE_KEY];

		e->kind = ETCD_PUT_AND_LIST;
		return etcd_put_and_list(&e->text, share_key_beat(key, c->share, m->host),
		    e->octets, m->len, share_key_beats(from, c->share),
		    share_key_beats_end(end, c->share), SHARE_MEMBERS);
	}
	case SHARE_FETCH:
		e->kind = ETCD_RANGE;
		if (m->value == SHARE_FROM)
			return etcd_first(&e->text,
			    share_key_parcel(key, c->share, m->host, m->number),
			    share_key_parcels_end(end, c->share, m->host), false);
		/* The end of a range is not in it. */
		if (m->number == UINT64_MAX)
			share_key_parcels_end(end, c->share, m->host);
		else
			share_key_parcel(end, c->share, m->host, m->number + 1);
		return etcd_first(&e->text, share_key_parcels(key, c->share, m->host), end, true);
	case SHARE_PRUNE:
		e->kind = ETCD_DELETE;
		return etcd_delete(&e->text, share_key_parcels(key, c->share, m->host),
		    share_key_parcel(end, c->share, m->host, m->number));
	}
	return false;
}

static struct errand *
free_errand(struct carrier *c)
{
	for (size_t i = 0; i < SHARE_REQUESTS; i++)
		if (!c->errands[i].busy)
			return &c->errands[i];
	return NULL;
}

/* Only the own chain is written to. */
static bool
may_ask(const struct carrier *c, const struct share_message *m)
{
	return c->begun && (m->verb == SHARE_FETCH || memcmp(m->host, c->own, sizeof(c->own)) == 0);
}

int
carrier_take(struct carrier *c, const struct share_message *request)
{
	struct errand *e = free_errand(c);

	if (!may_ask(c, request) || e == NULL)
		return KMS_E_PEER;
	e->asked = *request;
	e->asked.octets = NULL;
	e->octets = malloc(request->len + 1);
	if (e->octets != NULL && request->len > 0)
		memcpy(e->octets, request->octets, request->len);
	if (e->octets == NULL || !write_text(c, e)) {
		say_failed(c, e, KMS_E_NO_MEMORY);
		end_errand(e);
		return KMS_OK;
	}
	set_out(e, CARRIER_ASK_MS);
	return KMS_OK;
}

int
carrier_begin(struct carrier *c, const struct share_message *welcome)
{
	if (c->begun)
		return KMS_E_PEER;
	c->begun = true;
	memcpy(c->own, welcome->host, sizeof(c->own));
	memcpy(c->share, welcome->octets, welcome->len);
	c->heard = clock_ms();
	probe(c);
	return loop_timer(c->watch, WATCH_MS * MS_US) == 0 ? KMS_OK : KMS_E_NO_MEMORY;
}

static bool
make_errand(struct carrier *c, struct errand *e)
{
	e->carrier = c;
	e->again = evtimer_new(c->base, on_again, e);
	return e->again != NULL;
}

struct carrier *
carrier_new(struct event_base *base, struct engine *engine, const struct ipc_upstreams *members,
    carrier_say *say_to, void *arg)
{
	struct carrier *c = calloc(1, sizeof(*c));
	bool made = c != NULL;

	if (!made)
		return NULL;
	c->base = base;
	c->engine = engine;
	c->members = members;
	c->say = say_to;
	c->arg = arg;
	for (size_t i = 0; i < SHARE_REQUESTS && made; i++)
		made = make_errand(c, &c->errands[i]);
	made = made && make_errand(c, &c->probe);
	c->watch = event_new(base, -1, EV_PERSIST, on_watch, c);
	if (made && c->watch != NULL)
		return c;
	carrier_free(c);
	return NULL;
}

void
carrier_free(struct carrier *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < SHARE_REQUESTS; i++) {
		end_errand(&c->errands[i]);
		if (c->errands[i].again != NULL)
			event_free(c->errands[i].again);
	}
	end_errand(&c->probe);
	if (c->probe.again != NULL)
		event_free(c->probe.again);
	if (c->watch != NULL)
		event_free(c->watch);
	free(c);
}
