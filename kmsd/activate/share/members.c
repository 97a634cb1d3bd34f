/*
 * members.c - see members.h.
 */
#include "kmsd/activate/share/members.h"

#include <string.h>

#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"

static const struct {
	const char *name, *words;
} whys[MEMBER_WHYS] = {
	[MEMBER_FOLLOWED] = { "followed", "counts together with this host" },
	[MEMBER_UNHEARD] = { "not-heard", "has no beat in the engine" },
	[MEMBER_SHARE] = { "other-share", "says the name of another share" },
	[MEMBER_CERTIFICATE] = { "no-certificate",
	    "shows no certificate of a publisher that this host is confirmed by, or a revoked one" },
	[MEMBER_CUSTOMER] = { "other-customer", "has the certificate of another customer" },
	[MEMBER_BACK] = { "went-back",
	    "sends a beat that is older than one before: its clock or its ledger went back, or the engine is an older copy" },
	[MEMBER_FORKED] = { "forked",
	    "signed two chains: another machine has its key, or its ledger was set back. Stop all but one of these machines" },
	[MEMBER_LEDGER] = { "ledger", "cannot be followed here" },
};

const char *
member_why_name(enum member_why why)
{
	return whys[why].name;
}

const char *
member_why_words(enum member_why why)
{
	return whys[why].words;
}

struct member *
members_find(struct members *m, const uint8_t host[16])
{
	for (unsigned i = 0; i < m->count; i++)
		if (memcmp(m->at[i].host, host, 16) == 0)
			return &m->at[i];
	return NULL;
}

/* Of those that are nobody's chain, the one that was heard first. */
static struct member *
replaceable(struct members *m)
{
	struct member *oldest = NULL;

	for (unsigned i = 0; i < m->count; i++)
		if (!m->at[i].chain && (oldest == NULL || m->at[i].at < oldest->at))
			oldest = &m->at[i];
	return oldest;
}

struct member *
members_add(struct members *m, const uint8_t host[16])
{
	struct member *found = members_find(m, host);

	if (found != NULL)
		return found;
	found = m->count < SHARE_MEMBERS ? &m->at[m->count++] : replaceable(m);
	if (found == NULL)
		return NULL;
	memset(found, 0, sizeof(*found));
	memcpy(found->host, host, 16);
	found->why = MEMBER_UNHEARD;
	return found;
}

/* One certificate, by the publisher that it names. */
static enum member_why
judge_one(const struct publishers *publishers, const struct beat *b, const struct beat_octets *o)
{
	const struct publisher *p = publishers_by_id(publishers, o->octets + 8);
	struct certificate c;

	if (p == NULL || !p->confirmed ||
	    publisher_keys_certificate(&p->public, &c, o->octets, o->len, NULL) != KMS_OK ||
	    memcmp(c.sign_pk, b->sign_pk, sizeof(c.sign_pk)) != 0)
		return MEMBER_CERTIFICATE;
	if (p->revocations != NULL &&
	    revocation_find(p->revocations, c.host_key_id, c.host_id, c.serial) != NULL)
		return MEMBER_CERTIFICATE;
	return strcmp(c.customer, p->certificate.customer) == 0 ? MEMBER_FOLLOWED : MEMBER_CUSTOMER;
}

enum member_why
members_judge(const struct publishers *publishers, const struct beat *b)
{
	enum member_why why = MEMBER_CERTIFICATE;

	for (unsigned i = 0; i < b->certificate_count; i++) {
		enum member_why one = judge_one(publishers, b, &b->certificates[i]);

		if (one == MEMBER_FOLLOWED)
			return one;
		if (one == MEMBER_CUSTOMER)
			why = one;
	}
	return why;
}

/* Two beats may have the same second; a head that stays must be the same batch. */
static bool
goes_back(const struct member *m, const struct beat *b)
{
	const struct beat *had = &m->beat;

	return m->beats &&
	       (b->time < had->time || b->head < had->head ||
		   (b->head == had->head && memcmp(b->hash, had->hash, sizeof(b->hash)) != 0));
}

struct member *
members_take(struct members *m, const struct publishers *publishers, const char *share,
    const uint8_t host[16], const uint8_t *octets, size_t len, int64_t now)
{
	struct member *member;
	struct beat b;
	bool news;

	if (beat_open(&b, octets, len) != KMS_OK || memcmp(b.host, host, 16) != 0 ||
	    (member = members_add(m, host)) == NULL)
		return NULL;
	if (member->why == MEMBER_FORKED)
		return member;
	if (goes_back(member, &b)) {
		member->why = MEMBER_BACK;
		return member;
	}
	if (!member->chain || member->why == MEMBER_BACK || member->why == MEMBER_UNHEARD) {
		if (strcmp(b.share, share) != 0)
			member->why = MEMBER_SHARE;
		else
			member->why =
			    member->chain ? MEMBER_FOLLOWED : members_judge(publishers, &b);
	}
	news = !member->beats || b.time != member->beat.time;
	memset(b.certificates, 0, sizeof(b.certificates));
	b.certificate_count = 0;
	member->beat = b;
	member->beats = true;
	if (news)
		member->at = now;
	return member;
}

/* One that signed two chains has no head that could be reached. */
static bool
known_by(struct member *m, const uint8_t own[16])
{
	if (m->why == MEMBER_FORKED)
		return true;
	if (!m->knows && m->beats && beat_heard_of(&m->beat, own) > 0) {
		m->knows = true;
		m->goal = m->beat.head;
	}
	return m->knows && m->last >= m->goal;
}

bool
members_know(struct members *m, const uint8_t own[16])
{
	bool all = true;

	for (unsigned i = 0; i < m->count; i++)
		if (m->at[i].chain && !known_by(&m->at[i], own))
			all = false;
	return all;
}

uint64_t
members_heard(const struct members *m, const uint8_t host[16])
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < m->count; i++) {
		const struct member *member = &m->at[i];
		uint64_t heard = member->beats ? beat_heard_of(&member->beat, host) : 0;

		if (member->chain && memcmp(member->host, host, 16) != 0 && heard < least)
			least = heard;
	}
	return least;
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

#define FRESH_MS 30000 /* the clock of a beat that is older tells nothing of now */

const struct member *
members_skewed(const struct members *m, uint64_t now, int64_t ms)
{
	const struct member *worst = NULL;
	uint64_t most = MEMBERS_SKEW;

	for (unsigned i = 0; i < m->count; i++) {
		const struct member *member = &m->at[i];

		if (!member->chain || !member->beats || ms - member->at > FRESH_MS)
			continue;
		if (apart(member->beat.time, now) > most) {
			most = apart(member->beat.time, now);
			worst = member;
		}
	}
	return worst;
}
