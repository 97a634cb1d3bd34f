/*
 * sharing.c - see sharing.h.
 *
 * What comes from kmsd-share only changes what is known; share_turn, once in each turn of the event
 * loop and with no batch under way, does what follows from it.
 */
#include "kmsd/activate/share/sharing.h"

#include <event2/event.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/share/held.h"
#include "kmsd/activate/share/own_place.h"
#include "kmsd/activate/share/share_entries.h"
#include "kmsd/activate/share/share_peer.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsdb/share.h"
#include "libkms/base/clock.h"
#include "libkms/base/wire.h"

_Static_assert(PARCEL_ONE_MAX <= SHARE_PARCEL, "every parcel fits");

#define TICK_US 250000
#define BEAT_MS 5000
#define AGAIN_MS 250  /* a request that failed is asked again */
#define PLACE_MS 5000 /* the same of a place with something that is not this host's */
#define START_MS 5000 /* the same of START, when the ledger cannot be written */
#define FETCHES 4     /* at once; STORE, BEAT and the rest need requests, too */
#define FETCH_MS 1000 /* nothing new came with a parcel */
#define FETCH_TROUBLE 15000
#define STUCK_MS 15000 /* a member hears no more of this chain: its parcels may be gone */
#define STUCK_AGAIN 60000
#define STUCK_PARCELS 64 /* that are stored again for it, before it is looked at again */
#define PRUNE_MS 60000
#define HEARD_MS 60000
#define HEARD_IDLE_MS 3600000
#define PRUNE_FIRSTS 4096 /* own parcels in the engine, and the bytes of all of them, */
#define PRUNE_OCTETS (UINT64_C(256) << 20) /* before it prunes what some did not hear */

/* A request of which there is one at a time. */
struct errand {
	uint64_t token; /* 0: none is under way */
	uint64_t first, through;
	size_t octets;
	int64_t at; /* ms: not before */
};

struct share {
	struct activate *a;
	struct share_state state;
	struct members members;
	struct held held;
	struct share_peer *peer; /* NULL: none */
	bool ended;              /* it is to be freed */
	struct event *tick;
	struct errand place, store, again, beat, prune;
	bool place_behind;   /* what is behind the last batch is asked for */
	bool place_free;     /* nothing is in the place up to the last batch */
	uint64_t place_same; /* it has what is on disk, up to here */
	unsigned again_left; /* parcels */
	bool beats_heard;    /* of the others, since the link came up */
	bool starting;       /* START is being written */
	int64_t start_at;
	uint64_t started; /* second of START */
	enum share_status said;
	uint64_t since; /* seconds */
	bool skewed, certificates_said;
	struct own_rights rights;
	uint64_t told;                      /* seconds: the clock in the last own beat */
	bool gives;                         /* beats came: others may want rights */
	bool first, share_written;          /* as the journal says */
	struct beat_want needs[BEAT_WANTS]; /* of clients that got no seat since the last beat */
	unsigned need_count;
	bool alone_written;   /* the journal has it as alone */
	int64_t alone_at;     /* ms: it is not written before */
	unsigned certified;   /* publishers that it is confirmed by */
	int64_t heard_at;     /* ms: when HEARD was written, */
	uint64_t heard_batch; /* its batch, */
	uint64_t heard_sum;   /* and the sum of the batches that it names */
	char reason[SHARE_REASON + 1];
	/* first batches of own parcels that were stored by this run, ascending, and their bytes */
	uint64_t firsts[PRUNE_FIRSTS], octets[PRUNE_FIRSTS], octets_all;
	unsigned first_count;
	uint8_t parcel[PARCEL_ONE_MAX];
};

static const uint8_t *
own_id(const struct share *s)
{
	return host_identity_id(s->a->key);
}

static const char *
host_text(char out[33], const uint8_t host[16])
{
	return sodium_bin2hex(out, 33, host, 16);
}

static void
broken(struct share *s, const char *what)
{
	if (s->peer != NULL)
		share_peer_broken(s->peer, what);
}

/* -- requests -- */

static bool
ask(struct share *s, struct share_message *m, struct errand *e)
{
	uint64_t token;

	if (s->peer == NULL || s->ended || share_peer_ask(s->peer, m, &token) != KMS_OK)
		return false;
	e->token = token;
	return true;
}

static void
ask_fetch(struct share *s, const uint8_t host[16], uint64_t from, enum share_fetch which,
    struct errand *e)
{
	struct share_message m = { .verb = SHARE_FETCH, .number = from, .value = which };

	memcpy(m.host, host, 16);
	(void)ask(s, &m, e);
}

/* Own batches from that one on. */
static bool
ask_store(struct share *s, uint64_t from, struct errand *e)
{
	struct share_message m = { .verb = SHARE_STORE, .number = from, .octets = s->parcel };
	struct fault fault = { 0 };
	unsigned count;
	size_t len;
	int rc = kmsdb_share_parcel(s->a->db, NULL, from, s->parcel, &len, &count, &fault);

	if (rc != KMS_OK || count == 0) {
		log_limited(LOG_ERR, "share-unstored", "batch %" PRIu64 " cannot be read: %s", from,
		    rc != KMS_OK ? fault.text : "it is not in the journal");
		return false;
	}
	memcpy(m.host, own_id(s), 16);
	m.len = (uint32_t)len;
	e->first = from;
	e->octets = len;
	e->through = from + count - 1;
	return ask(s, &m, e);
}

/* -- the place of this host's batches -- */

static enum share_place
compare(struct share *s, const struct share_message *m, uint64_t *through)
{
	const struct place_host h = { .db = s->a->db,
		.host_id = own_id(s),
		.sign_pk = host_identity_sign_pk(s->a->key),
		.last = s->a->last_batch };

	return place_compare(&h, m->octets, m->len, through);
}

static void
found_place(struct share *s, enum share_place found, uint64_t through)
{
	int64_t now = clock_ms();

	share_state_place(&s->state, found, through, now);
	if (found != SHARE_PLACE_JUNK)
		return;
	s->place.at = now + PLACE_MS;
	log_limited(LOG_ERR, "share-place",
	    "etcd has something in the place of this host's batches that this host never signed: nothing can be stored. Somebody else writes below kms/%s/b/: look at the accounts and certificates of etcd",
	    s->a->config.share_name);
}

static void
ask_place(struct share *s, int64_t now)
{
	uint64_t own = s->a->last_batch;

	if (!share_state_asks_place(&s->state) || s->place.token != 0 || now < s->place.at)
		return;
	s->place.first = own;
	s->place_free = true;
	s->place_same = own;
	s->place_behind = own == 0;
	/* First what it is in, then what is behind it. */
	ask_fetch(s, own_id(s), own == 0 ? 1 : own, own == 0 ? SHARE_FROM : SHARE_UP_TO, &s->place);
}

static void
take_place(struct share *s, const struct share_message *m)
{
	bool behind = s->place_behind;
	enum share_place found;
	uint64_t through = 0;

	s->place.token = 0;
	if (m->number == 0) {
		if (behind) {
			found_place(
			    s, s->place_free ? SHARE_PLACE_FREE : SHARE_PLACE_SAME, s->place_same);
			return;
		}
	} else {
		found = compare(s, m, &through);
		/* Behind the last batch, nothing can be the same. */
		if (behind && found == SHARE_PLACE_SAME && through <= s->place.first)
			found = SHARE_PLACE_JUNK;
		if (found != SHARE_PLACE_SAME || behind) {
			found_place(s, found, through);
			return;
		}
		s->place_free = false;
		s->place_same = through;
	}
	s->place_behind = true;
	ask_fetch(s, own_id(s), s->place.first + 1, SHARE_FROM, &s->place);
}

/* -- STORE -- */

static void
remember_first(struct share *s, uint64_t first, uint64_t octets)
{
	if (s->first_count == PRUNE_FIRSTS ||
	    (s->first_count > 0 && s->firsts[s->first_count - 1] >= first))
		return;
	s->firsts[s->first_count] = first;
	s->octets[s->first_count++] = octets;
	s->octets_all += octets;
}

static void
store(struct share *s, int64_t now)
{
	if (!share_state_stores(&s->state) || s->store.token != 0 || now < s->store.at)
		return;
	if (!ask_store(s, s->state.stored + 1, &s->store))
		s->store.at = now + AGAIN_MS;
}

static void
take_stored(struct share *s, const struct share_message *m)
{
	struct errand *e = m->token == s->store.token ? &s->store : &s->again;
	enum share_place found = SHARE_PLACE_SAME;
	uint64_t through = e->through;

	e->token = 0;
	if (m->verb == SHARE_TAKEN)
		found = compare(s, m, &through);
	/* It is in the place of the first. */
	if (found == SHARE_PLACE_SAME && through < e->first)
		found = SHARE_PLACE_JUNK;
	if (found == SHARE_PLACE_AHEAD || found == SHARE_PLACE_OTHER ||
	    (found == SHARE_PLACE_JUNK && e == &s->store)) {
		found_place(s, found, 0);
		return;
	}
	if (e == &s->again) {
		s->again.first = (found == SHARE_PLACE_SAME ? through : e->through) + 1;
		s->again_left--;
		return;
	}
	remember_first(s, e->first, e->octets);
	share_state_stored(&s->state, through, clock_ms());
}

/*
 * A member has not heard of this chain what was stored: the engine may have lost it, or it was
 * pruned. Places that are free are taken again, whatever their parcels are cut to.
 */
static void
look_for_stuck(struct share *s, struct member *m, int64_t now)
{
	uint64_t heard = beat_heard_of(&m->beat, own_id(s));

	if (heard != m->behind || m->behind_at == 0) {
		m->behind = heard;
		m->behind_at = now;
		return;
	}
	if (heard >= s->state.stored || now - m->behind_at < STUCK_MS)
		return;
	m->behind_at = now + STUCK_AGAIN - STUCK_MS;
	if (s->again_left > 0 && s->again.first <= heard + 1)
		return;
	s->again.first = heard + 1;
	s->again_left = STUCK_PARCELS;
}

static void
store_again(struct share *s, int64_t now)
{
	struct errand *e = &s->again;

	if (s->again_left == 0 || e->token != 0 || now < e->at || !s->state.placed || !s->state.up)
		return;
	if (e->first > s->state.stored)
		s->again_left = 0;
	else if (!ask_store(s, e->first, e))
		e->at = now + STUCK_AGAIN;
}

/* -- beats -- */

static int
compare_heard(const void *a, const void *b)
{
	return memcmp(
	    ((const struct beat_heard *)a)->host, ((const struct beat_heard *)b)->host, 16);
}

static int
compare_certificates(const void *a, const void *b)
{
	return memcmp(((const struct beat_octets *)a)->octets + 8,
	    ((const struct beat_octets *)b)->octets + 8, 8);
}

static int
compare_wants(const void *a, const void *b)
{
	const struct beat_want *x = a, *y = b;
	int c = memcmp(x->publisher, y->publisher, sizeof(x->publisher));

	return c != 0 ? c : (x->pool > y->pool) - (x->pool < y->pool);
}

static uint32_t
needed(const struct share *s, const uint8_t publisher[8], uint16_t pool)
{
	for (unsigned i = 0; i < s->need_count; i++)
		if (s->needs[i].pool == pool && memcmp(s->needs[i].publisher, publisher, 8) == 0)
			return s->needs[i].rights;
	return 0;
}

struct wants {
	const struct share *share;
	struct beat *beat;
};

/* What the reserve lacks, and what clients asked for beyond it. */
static void
add_want(const struct own_pool *pool, void *arg)
{
	struct wants *w = arg;
	const struct share *s = w->share;
	const uint8_t *publisher = pool->publisher->public.key.id;
	uint64_t want = needed(s, publisher, pool->pool->number);
	struct beat_want *to;

	if (pool->left < s->a->config.share_reserve)
		want += s->a->config.share_reserve - pool->left;
	if (want == 0 || w->beat->want_count == BEAT_WANTS)
		return;
	to = &w->beat->wants[w->beat->want_count++];
	memcpy(to->publisher, publisher, 8);
	to->pool = pool->pool->number;
	to->rights = want < UINT32_MAX ? (uint32_t)want : UINT32_MAX;
}

static void
fill_beat(struct share *s, struct beat *b)
{
	struct wants wants = { s, b };

	const struct publishers *publishers = &s->a->publishers;
	struct kmsdb_info info;

	memset(b, 0, sizeof(*b));
	memcpy(b->sign_pk, host_identity_sign_pk(s->a->key), 32);
	strcpy(b->share, s->a->config.share_name);
	strcpy(b->name, s->a->host_name);
	kmsdb_info(s->a->db, &info);
	b->time = s->a->now;
	b->head = info.last_batch;
	memcpy(b->hash, info.last_hash, sizeof(b->hash));
	for (unsigned i = 0; i < s->members.count; i++) {
		const struct member *m = &s->members.at[i];

		if (!m->chain || m->last == 0)
			continue;
		memcpy(b->heard[b->heard_count].host, m->host, 16);
		b->heard[b->heard_count++].number = m->last;
	}
	qsort(b->heard, b->heard_count, sizeof(b->heard[0]), compare_heard);
	own_rights_each(s->a, &s->rights, add_want, &wants);
	qsort(b->wants, b->want_count, sizeof(b->wants[0]), compare_wants);
	for (unsigned i = 0; i < publishers->count; i++) {
		const struct publisher *p = &publishers->list[i];

		if (p->confirmed && b->certificate_count < BEAT_CERTIFICATES)
			b->certificates[b->certificate_count++] =
			    (struct beat_octets){ p->certificate_octets, p->certificate_len };
	}
	qsort(b->certificates, b->certificate_count, sizeof(b->certificates[0]),
	    compare_certificates);
}

static void
send_beat(struct share *s, int64_t now)
{
	struct share_message m = { .verb = SHARE_BEAT };
	uint8_t octets[SHARE_BEAT_MAX];
	struct beat b;
	unsigned left;
	size_t len;

	if (s->beat.token != 0 || now < s->beat.at || !s->state.up ||
	    !share_state_signs(&s->state) || !s->state.placed)
		return;
	s->beat.at = now + BEAT_MS;
	fill_beat(s, &b);
	if ((len = beat_write(octets, &b, &left)) == 0 ||
	    host_identity_beat(s->a->key, octets + len, octets, len) != KMS_OK) {
		log_limited(LOG_ERR, "share-unstored", "the beat of this host cannot be written");
		return;
	}
	if (left > 0 && !s->certificates_said)
		log_event(LOG_WARNING, "share-member",
		    "%u certificates of this host do not fit into its beat: hosts that are confirmed by these publishers alone do not follow it",
		    left);
	s->certificates_said = left > 0;
	memcpy(m.host, own_id(s), 16);
	m.octets = octets;
	m.len = (uint32_t)(len + BEAT_SIGNATURE);
	if (!ask(s, &m, &s->beat))
		return;
	s->told = b.time;
	s->need_count = 0;
}

static void
say_member(struct member *m)
{
	char text[33];

	if (m->told && m->said == m->why)
		return;
	m->told = true;
	m->said = m->why;
	log_event(m->why == MEMBER_FOLLOWED ? LOG_NOTICE : LOG_WARNING, "share-member",
	    "host %s (%s) %s", host_text(text, m->host), m->beat.name, member_why_words(m->why));
}

/* From now on it is a member, for this run and all later ones. */
static void
follow(struct share *s, struct member *m)
{
	struct kmsdb_member row;
	struct fault fault = { 0 };
	char text[33];
	int rc;

	pending_finish(s->a);
	rc = kmsdb_share_follow(s->a->db, m->beat.sign_pk, &fault);
	if (rc == KMS_OK)
		rc = kmsdb_share_member(s->a->db, m->host, &row);
	if (rc == KMS_OK) {
		m->chain = true;
		m->last = row.last;
		return;
	}
	m->why = MEMBER_LEDGER;
	log_limited(LOG_ERR, "share-untaken", "host %s (%s) cannot be followed: %s",
	    host_text(text, m->host), m->beat.name,
	    fault.text[0] != '\0' ? fault.text : kms_strerror((uint32_t)rc));
}

static void
look_at_clocks(struct share *s, int64_t now)
{
	const struct member *m = members_skewed(&s->members, s->a->now, now);

	if ((m != NULL) != s->skewed) {
		if (m != NULL)
			log_event(LOG_ERR, "share-clock",
			    "the clocks of this host and of %s are more than %d hours apart: this host gives no new seats, and renews. Check both clocks (timedatectl)",
			    m->beat.name, MEMBERS_SKEW / 3600);
		else
			log_event(LOG_NOTICE, "share-clock",
			    "the clocks of the hosts agree again: this host gives new seats");
	}
	s->skewed = m != NULL;
}

static void
take_beats(struct share *s, const struct share_message *answer)
{
	int64_t now = clock_ms();
	struct wire_reader r;
	const uint8_t *octets;
	uint8_t host[16];
	size_t len;
	int rc;

	s->beat.token = 0;
	wire_reader_init(&r, answer->octets, answer->len);
	while ((rc = share_beats_next(&r, host, &octets, &len)) == KMS_OK) {
		struct member *m;

		if (memcmp(host, own_id(s), 16) == 0)
			continue;
		m = members_take(&s->members, &s->a->publishers, s->a->config.share_name, host,
		    octets, len, now);
		if (m == NULL) {
			log_limited(LOG_WARNING, "share-member",
			    "etcd has something in the place of a beat that is no beat of this version, or too many of them");
			continue;
		}
		if (m->why == MEMBER_FOLLOWED && !m->chain)
			follow(s, m);
		say_member(m);
		if (m->chain)
			look_for_stuck(s, m, now);
	}
	if (rc != KMS_E_NOT_FOUND) {
		broken(s, "sent malformed beats");
		return;
	}
	s->beats_heard = true;
	s->gives = true;
	own_rights_told(&s->rights, &s->members, own_id(s), s->a->last_batch, s->told);
	look_at_clocks(s, now);
}

/* -- batches of the others -- */

static unsigned
fetches(const struct share *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->members.count; i++)
		count += s->members.at[i].fetching != 0;
	return count;
}

static void
fetch(struct share *s, int64_t now)
{
	unsigned count = fetches(s);

	for (unsigned i = 0; i < s->members.count && count < FETCHES; i++) {
		struct member *m = &s->members.at[i];
		struct errand e = { 0 };

		if (!m->chain || m->why == MEMBER_FORKED || !m->beats || m->fetching != 0 ||
		    m->beat.head <= m->last || now < m->fetch_at || !s->state.up)
			continue;
		ask_fetch(s, m->host, m->last + 1, m->up_to ? SHARE_UP_TO : SHARE_FROM, &e);
		m->fetching = e.token;
		count += e.token != 0;
	}
}

static void
forked(struct member *m)
{
	m->why = MEMBER_FORKED;
	say_member(m);
}

static void
take_parcel(struct share *s, struct member *m, const struct share_message *answer)
{
	struct fault fault = { 0 };
	struct kmsdb_member row;
	unsigned taken = 0;
	int64_t now;
	char text[33];
	int rc = KMS_OK;

	m->fetching = 0;
	if (answer->number != 0) {
		/* Taking waits for the disk, and is done between own batches. */
		pending_finish(s->a);
		rc = kmsdb_share_take(s->a->db, answer->octets, answer->len, &taken, &fault);
		if (kmsdb_share_member(s->a->db, m->host, &row) == KMS_OK)
			m->last = row.last;
	}
	now = clock_ms();
	if (rc == KMS_E_CHAIN) {
		forked(m);
		return;
	}
	/* A parcel that is cut in another way begins before what is looked for. */
	if (taken == 0) {
		m->up_to = !m->up_to;
		m->fetch_at = now + FETCH_MS;
	}
	if (rc == KMS_OK || rc == KMS_E_MISSING)
		return;
	m->fetch_at = now + FETCH_TROUBLE;
	log_limited(LOG_ERR, "share-untaken", "batches of host %s (%s) are not taken: %s",
	    host_text(text, m->host), m->beat.name,
	    fault.text[0] != '\0' ? fault.text : kms_strerror((uint32_t)rc));
}

/* -- pruning -- */

/* The last parcel before which all may go: everything before it was heard up to that batch. */
static unsigned
heard_firsts(const struct share *s, uint64_t heard)
{
	unsigned i = 0;

	while (i + 1 < s->first_count && s->firsts[i + 1] - 1 <= heard)
		i++;
	return i;
}

static void
prune(struct share *s, int64_t now)
{
	struct share_message m = { .verb = SHARE_PRUNE };
	unsigned upto;

	if (s->prune.token != 0 || now < s->prune.at || s->first_count < 2 || !s->state.up ||
	    !s->beats_heard)
		return;
	s->prune.at = now + PRUNE_MS;
	upto = heard_firsts(s, members_heard(&s->members, own_id(s)));
	/* The engine is not to fill up because of one host that is away: it is stored again. */
	if (upto == 0 && (s->first_count == PRUNE_FIRSTS || s->octets_all > PRUNE_OCTETS))
		upto = s->first_count / 2;
	if (upto == 0)
		return;
	memcpy(m.host, own_id(s), 16);
	m.number = s->firsts[upto];
	s->prune.through = upto;
	(void)ask(s, &m, &s->prune);
}

static void
take_pruned(struct share *s)
{
	unsigned gone = (unsigned)s->prune.through;

	s->prune.token = 0;
	for (unsigned i = 0; i < gone; i++)
		s->octets_all -= s->octets[i];
	s->first_count -= gone;
	memmove(s->firsts, s->firsts + gone, s->first_count * sizeof(s->firsts[0]));
	memmove(s->octets, s->octets + gone, s->first_count * sizeof(s->octets[0]));
}

/* -- what comes -- */

static struct member *
fetcher(struct share *s, uint64_t token)
{
	for (unsigned i = 0; i < s->members.count; i++)
		if (s->members.at[i].fetching == token)
			return &s->members.at[i];
	return NULL;
}

static void
take_link(struct share *s, const struct share_message *m)
{
	int64_t now = clock_ms();
	uint64_t before = s->state.cluster;

	if (m->value != KMS_OK) {
		share_state_down(&s->state, now);
		s->beats_heard = false;
		return;
	}
	share_state_up(&s->state, m->number, now);
	if (before == 0 || before == m->number)
		return;
	/* What is on its way may be about the other one. */
	s->place.token = 0;
	s->beats_heard = false;
	s->first_count = 0;
	s->octets_all = 0;
	log_event(LOG_WARNING, "share-cluster",
	    "etcd is another cluster than before (%" PRIx64 ", before %" PRIx64
	    "): it was made anew or restored. The hosts store again what is missing there",
	    m->number, before);
}

static void
take_failed(struct share *s, const struct share_message *m)
{
	struct errand *all[] = { &s->place, &s->store, &s->again, &s->beat, &s->prune };
	int64_t now = clock_ms();
	struct member *member = fetcher(s, m->token);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i]->token != m->token)
			continue;
		all[i]->token = 0;
		if (all[i]->at < now + AGAIN_MS)
			all[i]->at = now + AGAIN_MS;
	}
	if (member != NULL) {
		member->fetching = 0;
		member->fetch_at = now + FETCH_MS;
	}
	if (m->value == KMS_E_FULL)
		log_limited(LOG_ERR, "share-unstored",
		    "etcd has no space left, or a member has an alarm: etcdctl alarm list tells which");
}

static void
take(const struct share_message *m, void *arg)
{
	struct share *s = arg;
	struct member *member;

	activate_clock(s->a);
	switch (m->verb) {
	case SHARE_LINK:
		take_link(s, m);
		break;
	case SHARE_STORED:
	case SHARE_TAKEN:
		if (m->token == s->store.token || m->token == s->again.token)
			take_stored(s, m);
		break;
	case SHARE_PARCEL_IS:
		if (m->token == s->place.token)
			take_place(s, m);
		else if ((member = fetcher(s, m->token)) != NULL)
			take_parcel(s, member, m);
		break;
	case SHARE_BEATS_ARE:
		take_beats(s, m);
		break;
	case SHARE_PRUNED:
		if (m->token == s->prune.token)
			take_pruned(s);
		break;
	case SHARE_FAILED:
		take_failed(s, m);
		break;
	}
}

static void
ended(void *arg)
{
	struct share *s = arg;

	s->ended = true;
	share_state_down(&s->state, clock_ms());
	s->place.token = s->store.token = s->again.token = s->beat.token = s->prune.token = 0;
	for (unsigned i = 0; i < s->members.count; i++)
		s->members.at[i].fetching = 0;
	s->beats_heard = false;
}

/* -- the states -- */

/* START, and what is installed; what was given before is dated earlier than its second. */
static void
begin(struct share *s, int64_t now)
{
	struct activate *a = s->a;
	int rc;

	if (!share_state_starts(&s->state) || now < s->start_at)
		return;
	s->start_at = now + START_MS;
	s->starting = true;
	rc = activate_record_start(a);
	s->starting = false;
	if (rc != KMS_OK || a->opening.due)
		return;
	s->started = kmsdb_last_time(a->db);
	share_state_started(&s->state, a->last_batch, now);
}

static void
say_state(struct share *s)
{
	const struct share_state *st = &s->state;

	switch (st->status) {
	case SHARE_WAITING:
		break;
	case SHARE_JOINING:
		log_event(LOG_NOTICE, "share-state",
		    "joining: this host serves when it is confirmed, and all hosts of the share have heard it");
		break;
	case SHARE_TOGETHER:
		log_event(LOG_NOTICE, "share-state",
		    "together: each answer leaves when a majority of etcd has its batch");
		break;
	case SHARE_ALONE:
		log_event(LOG_WARNING, "share-state",
		    "alone: %s. [share] alone says what it does; kmsctl share status shows the link",
		    st->said ? "an administrator said so" : "etcd does not answer");
		break;
	case SHARE_STOPPED:
		log_event(LOG_CRIT, "share-state",
		    st->found == SHARE_PLACE_OTHER
			? "stopped: etcd has other batches of this host than its ledger, signed with its key: another machine runs with this host's key, or this ledger is an older copy that went on. Stop one of the two machines. This host gives no leases"
			: "stopped: etcd has batches of this host that its ledger lacks: another machine runs with this host's key, or an older backup was restored. Stop the other machine, or restore the newest ledger (kmsctl ledger restore), and start kmsd again. This host gives no leases");
		break;
	}
}

static void
enter(struct share *s)
{
	s->said = s->state.status;
	s->since = s->a->now;
	say_state(s);
}

/* Before an answer leaves that is not stored, the journal says why. */
static void
write_alone(struct share *s, int64_t now)
{
	bool alone = s->state.status == SHARE_ALONE;

	if (alone == s->alone_written || now < s->alone_at || !share_state_signs(&s->state))
		return;
	s->alone_at = now + START_MS;
	if (share_record_alone(s->a, alone, s->state.said ? s->reason : "") == KMS_OK)
		s->alone_written = alone;
}

/* It shares from now on; what it says of the first rights stays as it was. */
static void
write_share(struct share *s)
{
	if (s->share_written || !share_state_signs(&s->state))
		return;
	s->share_written = true;
	(void)share_record_share(s->a, s->a->config.share_name, s->first);
}

struct giving {
	struct share *share;
	struct member *to;
};

/* Rights that the member wants and this host can do without. One pool at a time. */
static void
give_of(const struct own_pool *pool, void *arg)
{
	struct giving *g = arg;
	struct share *s = g->share;
	const struct beat *b = &g->to->beat;
	struct entry_give give = { .pool = pool->pool->number };

	if (beat_heard_of(b, own_id(s)) < g->to->given)
		return;
	memcpy(give.publisher, pool->publisher->public.key.id, 8);
	for (unsigned i = 0; i < b->want_count; i++)
		if (b->wants[i].pool == give.pool &&
		    memcmp(b->wants[i].publisher, give.publisher, 8) == 0)
			give.rights = own_rights_to_give(
			    pool->left, s->a->config.share_reserve, b->wants[i].rights);
	if (give.rights == 0)
		return;
	memcpy(give.to, g->to->host, 16);
	if (share_record_give(s->a, &give) == KMS_OK)
		g->to->given = s->a->last_batch;
}

/* To those that were heard a moment ago, and have heard all that they were given before. */
static void
give(struct share *s, int64_t now)
{
	if (!s->gives || s->state.status != SHARE_TOGETHER || !share_serves(s))
		return;
	s->gives = false;
	for (unsigned i = 0; i < s->members.count; i++) {
		struct member *m = &s->members.at[i];
		struct giving g = { s, m };

		if (!m->chain || m->why != MEMBER_FOLLOWED || now - m->at > 2 * BEAT_MS)
			continue;
		if (m->given == 0)
			m->given = s->state.start;
		own_rights_each(s->a, &s->rights, give_of, &g);
	}
}

static uint64_t
heard_sum(const struct share *s)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->members.count; i++)
		sum += s->members.at[i].chain ? s->members.at[i].last : 0;
	return sum;
}

/*
 * Hosts at which nothing else happens would write it for ever because of each other's: they do it
 * seldom.
 */
static void
write_heard(struct share *s, int64_t now)
{
	bool idle = s->a->last_batch == s->heard_batch;

	if (now - s->heard_at < (idle ? HEARD_IDLE_MS : HEARD_MS) || !share_serves(s) ||
	    heard_sum(s) == s->heard_sum)
		return;
	s->heard_at = now;
	if (share_record_heard(s->a) != KMS_OK)
		return;
	s->heard_sum = heard_sum(s);
	s->heard_batch = s->a->last_batch;
}

/* A host without a certificate is nobody's member. With a new one, it is one of others. */
static void
look_at_certificates(struct share *s, int64_t now)
{
	const struct publishers *p = &s->a->publishers;
	unsigned count = 0;

	for (unsigned i = 0; i < p->count; i++)
		count += p->list[i].confirmed;
	if (count > s->certified) {
		s->beats_heard = false;
		s->beat.at = now;
		share_state_rejoin(&s->state, now);
	}
	s->certified = count;
}

static bool
alone_is_over(const struct share *s)
{
	int64_t most = (int64_t)s->a->config.share_alone_for * 86400 * 1000;

	return clock_ms() - s->state.since > most;
}

static void
deliver(struct share *s, const struct held_reply *r, bool lost)
{
	struct front_peer *p = front_peer_find(s->a, r->peer);
	size_t len = lost ? 0 : r->len;
	uint8_t *room;

	if (p == NULL || (room = front_peer_reserve(p, r->len)) == NULL)
		return;
	memcpy(room, r->frame, len);
	front_peer_commit(p, r->token, 0, len);
}

static void
release(struct share *s)
{
	bool refuses = s->state.status == SHARE_STOPPED ||
		       (s->state.status == SHARE_ALONE && !share_serves(s));
	uint64_t through = refuses || s->state.status == SHARE_ALONE ? UINT64_MAX : s->state.stored;
	struct held_reply *r;

	while ((r = held_take(&s->held, through)) != NULL) {
		deliver(s, r, refuses && r->batch > s->state.stored);
		free(r);
	}
}

void
share_turn(struct share *s)
{
	int64_t now = clock_ms();

	if (s->ended) {
		share_peer_free(s->peer);
		s->peer = NULL;
		s->ended = false;
	}
	if (host_identity_locked(s->a->key))
		return;
	share_state_tick(&s->state, now);
	begin(s, now);
	look_at_certificates(s, now);
	if (s->state.status == SHARE_JOINING && s->beats_heard && s->certified > 0 &&
	    s->a->now != s->started && members_know(&s->members, own_id(s)))
		share_state_joined(&s->state, now);
	while (s->said != s->state.status)
		enter(s);
	write_share(s);
	write_alone(s, now);
	release(s);
	give(s, now);
	write_heard(s, now);
	if (s->peer == NULL || s->state.status == SHARE_STOPPED)
		return;
	ask_place(s, now);
	store(s, now);
	store_again(s, now);
	send_beat(s, now);
	fetch(s, now);
	prune(s, now);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct share *s = arg;

	/* The turn follows. */
	activate_clock(s->a);
}

/* -- the rest of activation -- */

static int
add_chain(const struct kmsdb_member *row, void *arg)
{
	struct share *s = arg;
	struct member *m;

	if (row->own)
		return 0;
	if ((m = members_add(&s->members, row->host)) == NULL)
		return 1;
	m->chain = true;
	m->last = row->last;
	return 0;
}

/* What the journal says of this host. */
static void
read_told(struct share *s)
{
	struct kmsdb_share_told told;

	if (kmsdb_share_told(s->a->db, own_id(s), &told) != KMS_OK)
		return;
	s->share_written = strcmp(told.name, s->a->config.share_name) == 0;
	/* Those of another share are not those of this one. */
	s->first = told.first && s->share_written;
	s->alone_written = told.alone;
}

struct share *
share_new(struct activate *a)
{
	struct share *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->a = a;
	s->since = a->now;
	share_state_init(&s->state, a->last_batch, clock_ms());
	held_init(&s->held);
	read_told(s);
	s->tick = event_new(a->base, -1, EV_PERSIST, on_tick, s);
	if (s->tick == NULL || loop_timer(s->tick, TICK_US) != 0 ||
	    kmsdb_share_each(a->db, add_chain, s) != 0) {
		share_free(s);
		return NULL;
	}
	return s;
}

void
share_free(struct share *s)
{
	struct held_reply *r;

	if (s == NULL)
		return;
	while ((r = held_take(&s->held, UINT64_MAX)) != NULL)
		free(r);
	share_peer_free(s->peer);
	if (s->tick != NULL)
		event_free(s->tick);
	free(s);
}

int
share_open(struct share *s, int fd)
{
	struct share_peer_to to = { .take = take, .ended = ended, .arg = s };
	struct share_peer *p;

	strcpy(to.share, s->a->config.share_name);
	memcpy(to.own, own_id(s), 16);
	if ((p = share_peer_new(s->a->base, fd, &to)) == NULL)
		return KMS_E_NO_MEMORY;
	if (s->peer != NULL) {
		share_peer_free(s->peer);
		ended(s);
	}
	s->ended = false;
	s->peer = p;
	return KMS_OK;
}

bool
share_layers(const struct share *s, uint32_t *layers)
{
	if (s->peer == NULL || s->ended || !share_peer_ready(s->peer))
		return false;
	*layers = share_peer_layers(s->peer);
	return true;
}

bool
share_signs(const struct share *s)
{
	return s->starting || share_state_signs(&s->state);
}

bool
share_serves(const struct share *s)
{
	if (!share_state_serves(&s->state) || s->a->now == s->started)
		return false;
	return s->state.status != SHARE_ALONE ||
	       (s->a->config.share_alone != CONFIG_ALONE_REFUSE && !alone_is_over(s));
}

bool
share_gives_none(const struct share *s)
{
	return s->skewed ||
	       (s->state.status == SHARE_ALONE && s->a->config.share_alone == CONFIG_ALONE_RENEW);
}

void
share_committed(struct share *s)
{
	share_state_committed(&s->state, s->a->last_batch, clock_ms());
}

bool
share_waits(const struct share *s, uint64_t batch)
{
	return share_state_waits(&s->state, batch);
}

bool
share_hold(struct share *s, struct front_peer *p, uint64_t token, uint64_t batch,
    const uint8_t *frame, size_t len)
{
	const struct held_reply r = {
		.batch = batch, .peer = p->serial, .token = token, .len = len
	};

	if (p->dead || held_put(&s->held, &r, frame) == KMS_OK)
		return true;
	log_limited(LOG_ERR, "share-unstored",
	    "too many answers wait for etcd: clients are told to try again");
	return false;
}

bool
share_holds(const struct share *s)
{
	return s->held.count > 0;
}

/* The first rights of the share are somebody's. */
static bool
has_first(const struct share *s)
{
	struct kmsdb_share_told told;

	for (unsigned i = 0; i < s->members.count; i++)
		if (s->members.at[i].chain &&
		    kmsdb_share_told(s->a->db, s->members.at[i].host, &told) == KMS_OK &&
		    told.first && strcmp(told.name, s->a->config.share_name) == 0)
			return true;
	return s->first;
}

int
share_be_first(struct share *s)
{
	int rc;

	if (s->state.status != SHARE_TOGETHER)
		return KMS_E_LEDGER;
	if (has_first(s))
		return KMS_E_EXISTS;
	if ((rc = share_record_share(s->a, s->a->config.share_name, true)) == KMS_OK)
		s->first = true;
	return rc;
}

void
share_fill_rights(
    struct share *s, const struct publisher_product *of, struct policy_counters *counters)
{
	struct rights_purse purse;

	if (of->pool == NULL || !of->publisher->confirmed ||
	    !own_rights_purse(s->a, &s->rights, of->publisher, of->pool, &purse))
		return;
	counters->shared = true;
	counters->rights = rights_left(&purse);
}

enum kms_status
share_wants(struct share *s, const struct publisher_product *of)
{
	const uint8_t *publisher = of->publisher->public.key.id;
	struct beat_want *need = NULL;

	for (unsigned i = 0; i < s->need_count && need == NULL; i++)
		if (s->needs[i].pool == of->pool->number &&
		    memcmp(s->needs[i].publisher, publisher, 8) == 0)
			need = &s->needs[i];
	if (need == NULL && s->need_count < BEAT_WANTS) {
		need = &s->needs[s->need_count++];
		*need = (struct beat_want){ .pool = of->pool->number };
		memcpy(need->publisher, publisher, 8);
	}
	if (need != NULL && need->rights < UINT32_MAX)
		need->rights++;
	return s->state.status == SHARE_ALONE ? KMS_E_ALONE : KMS_E_CAPACITY;
}

int
share_go_alone(struct share *s, const char *reason)
{
	int rc = share_state_alone(&s->state, clock_ms());

	if (rc == KMS_OK)
		snprintf(s->reason, sizeof(s->reason), "%s", reason);
	return rc;
}

void
share_look(const struct share *s, struct share_view *out)
{
	*out = (struct share_view){ .state = &s->state,
		.members = &s->members,
		.since = s->since,
		.skewed = s->skewed,
		.held = s->held.count,
		.first = s->first,
		.rights = &s->rights };
}
