/*
 * test_after.c - what a client says of its earlier requests to a host: the list itself, and whole
 * lives of honest clients with the real decision, in which no host may ever find two holders.
 */
#include <inttypes.h>
#include <string.h>

#include "libkms/client/after.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"
#include "t/unit/core_test.h"

#define HOUR 3600

static const uint8_t host_a[16] = { 0xa };

static const uint8_t *
id(unsigned n)
{
	static uint8_t out[16];

	memset(out, 0, sizeof(out));
	out[0] = (uint8_t)n;
	out[1] = (uint8_t)(n >> 8);
	out[15] = 1;
	return out;
}

static bool
sends(struct after *a, const uint8_t host[16], unsigned n)
{
	struct asked q = { .sequence = n, .operation = MESSAGE_RENEW };

	memcpy(q.id, id(n), 16);
	return after_sending(a, host, &q, n);
}

/* Sends the request n, which was not sent before. */
static void
send_new(struct after *a, unsigned n)
{
	assert_true(sends(a, host_a, n));
}

/* The one to be sent again before the request own; 0: none. */
static uint64_t
unsettled(const struct after *a, unsigned own)
{
	struct asked q = { .sequence = 0 };

	return after_unsettled(a, host_a, id(own), &q) ? q.sequence : 0;
}

/* Is exactly this said, in this order? ends with 0. */
static void
says(const struct after *a, unsigned own, const unsigned *want)
{
	uint8_t own_id[16], out[16 * MESSAGE_AFTER_MAX];
	unsigned count, n = 0;

	memcpy(own_id, id(own), 16);
	count = after_say(a, host_a, own_id, out);
	while (want[n] != 0) {
		assert_memory_equal(out + (size_t)16 * n, id(want[n]), 16);
		n++;
	}
	assert_int_equal(count, n);
}
#define SAYS(a, own, ...) says(a, own, (const unsigned[]){ __VA_ARGS__, 0 })

static bool
says_none(const struct after *a)
{
	static const uint8_t none[16];
	uint8_t out[16 * MESSAGE_AFTER_MAX];

	return after_say(a, host_a, id(9999), out) == 1 && memcmp(out, none, 16) == 0;
}

static void
test_list(void **state)
{
	struct after a = { 0 };

	assert_true(says_none(&a));
	send_new(&a, 1);
	assert_false(sends(&a, host_a, 1)); /* again: it need not be written */
	send_new(&a, 2);
	SAYS(&a, 2, 1);
	after_answered(&a, host_a, true, true);
	send_new(&a, 3);
	SAYS(&a, 3, 1, 2);
	/* Another host hears nothing of it. */
	a.hosts[0].id[0]++;
	assert_true(says_none(&a));
	(void)state;
}

/* What goes first when there is no more room. */
static void
test_room(void **state)
{
	struct after a = { 0 };

	for (unsigned n = 1; n <= 3; n++) {
		send_new(&a, n);
		after_answered(&a, host_a, true, true);
	}
	for (unsigned n = 4; n <= 9; n++)
		send_new(&a, n);
	SAYS(&a, 9, 1, 2, 3, 4, 5, 6, 7, 8);
	assert_int_equal(unsettled(&a, 10), 0);
	send_new(&a, 10);
	SAYS(&a, 10, 2, 3, 4, 5, 6, 7, 8, 9);
	send_new(&a, 11); /* 3 was answered last: it stays */
	SAYS(&a, 11, 3, 4, 5, 6, 7, 8, 9, 10);
	assert_int_equal(unsettled(&a, 12), 11);
	assert_int_equal(unsettled(&a, 11), 0);
	after_answered(&a, host_a, false, true);
	assert_int_equal(unsettled(&a, 12), 0);
	send_new(&a, 12); /* 11 was refused */
	SAYS(&a, 12, 3, 4, 5, 6, 7, 8, 9, 10);
	send_new(&a, 13); /* nothing is sure: the ends stay */
	SAYS(&a, 13, 3, 4, 5, 6, 8, 9, 10, 12);
	after_answered(&a, host_a, true, true);
	send_new(&a, 14);
	SAYS(&a, 14, 4, 5, 6, 8, 9, 10, 12, 13);
	(void)state;
}

/* A challenge says that the host served none of them last: all may go. */
static void
test_challenged(void **state)
{
	struct after a = { 0 };

	for (unsigned n = 1; n <= 9; n++)
		send_new(&a, n);
	assert_int_equal(unsettled(&a, 10), 9);
	assert_int_equal(unsettled(&a, 9), 0);
	after_challenged(&a, host_a);
	assert_int_equal(unsettled(&a, 10), 0);
	send_new(&a, 10);
	SAYS(&a, 10, 2, 3, 4, 5, 6, 7, 8, 9);
	(void)state;
}

/* A request that is sent again may be served then: its refusal says nothing any more. */
static void
test_refused_and_sent_again(void **state)
{
	struct after a = { 0 };

	send_new(&a, 1);
	after_answered(&a, host_a, false, true);
	assert_int_equal(a.hosts[0].refused, 1);
	assert_false(sends(&a, host_a, 1));
	after_answered(&a, host_a, false, false);
	assert_int_equal(a.hosts[0].refused, 0);
	(void)state;
}

/* More hosts than the list has: nothing is said to one of which something may be missing. */
static void
test_many_hosts(void **state)
{
	struct after a = { 0 };
	uint8_t host[16] = { 1 }, out[16 * MESSAGE_AFTER_MAX];

	for (unsigned n = 0; n < AFTER_HOSTS; n++) {
		host[1] = (uint8_t)n;
		assert_true(sends(&a, host, n + 1));
		assert_false(a.partial);
	}
	host[1] = 1;
	assert_false(sends(&a, host, 2));
	a.hosts[1].last_use = 100;
	assert_int_equal(after_say(&a, host_a, id(500), out), 1);
	assert_true(sends(&a, host_a, 500)); /* instead of 0 */
	host[1] = 0;
	assert_int_equal(after_say(&a, host, id(600), out), 0);
	assert_int_equal(after_say(&a, host_a, id(600), out), 0);
	host[1] = 1;
	assert_int_equal(after_say(&a, host, id(600), out), 1);
	assert_memory_equal(out, id(2), 16);
	/* From its next answer on all is known of it. */
	after_answered(&a, host_a, false, true);
	assert_int_equal(after_say(&a, host_a, id(600), out), 0);
	after_answered(&a, host_a, true, true);
	assert_int_equal(after_say(&a, host_a, id(600), out), 1);
	assert_memory_equal(out, id(500), 16);
	(void)state;
}

/* -- lives of honest clients -- */

/*
 * A world of hosts and one client, which keeps the rules of kms-protocol(7): as requests.c, judge.c
 * and apply.c do, without files, sockets and seals. Each host loses requests and answers, by spells
 * that may be long, refuses for a while, is restored from a backup of its own, ends the client's
 * seat; the client crashes with what is on its disk, moves to another product, gives up, and is
 * restored from a backup at most once in a hold.
 */
#define HOSTS 4
#define LIVES 3000
#define STEPS 400
#define HOLD_MINUTES (7 * 1440)

enum spell { FINE, REQUESTS_LOST, ANSWERS_LOST, EITHER_LOST, REFUSES, PUTS_OFF, SPELLS };

struct row {
	bool known;
	uint64_t sequence, caught_up, held_until, batch;
	uint8_t request_id[16];
};
struct host {
	uint8_t id[16];
	enum spell spell;
	struct row row, backup;
	uint64_t batch;
	uint64_t caught_up; /* also if it was restored since */
	bool owed;          /* it has not served the client since that was restored */
};
struct disk {
	struct after after;
	uint64_t sequence, pending_time;
	uint8_t operation, product;
	uint8_t pending_id[16], echo[16];
	uint64_t witness[HOSTS];
};
struct life {
	uint64_t seed, now;
	struct host hosts[HOSTS];
	struct disk disk, c, backup;
	uint8_t operation; /* of the attempt */
	bool old;          /* its files are of before after.h */
	unsigned ids, challenged, holds, served, settled, restored;
};

static uint32_t
draw(struct life *l, uint32_t below)
{
	l->seed = l->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(l->seed >> 33) % below;
}

static void
new_id(struct life *l, uint8_t out[16])
{
	memset(out, 0, 16);
	l->ids++;
	memcpy(out, &l->ids, sizeof(l->ids));
	out[15] = 1;
}

/* The challenge is the number that it is right for. */
static void
challenge_of(uint8_t out[16], const struct row *r)
{
	memset(out, 0, 16);
	memcpy(out, &r->sequence, sizeof(r->sequence));
	out[15] = 2;
}

static bool
among(const uint8_t *id, const struct message_request *m)
{
	for (unsigned i = 0; i < m->after_count; i++)
		if (memcmp(id, m->after + 16 * (size_t)i, 16) == 0)
			return true;
	return false;
}

/* What holders.c looks up; witness: the batch of the last lease that the client has. */
static void
look(struct policy_client *c, const struct host *h, const struct message_request *m, uint64_t now,
    uint64_t witness)
{
	static const uint8_t ended[16];
	uint8_t right[16];

	challenge_of(right, &h->row);
	memset(c, 0, sizeof(*c));
	c->known = h->row.known;
	c->counted = c->known;
	c->sequence = h->row.sequence;
	memcpy(c->request_id, h->row.request_id, 16);
	c->echoed =
	    m->echo != NULL && m->sequence > h->row.sequence && memcmp(m->echo, right, 16) == 0;
	if (m->after != NULL && memcmp(h->row.request_id, ended, 16) != 0)
		c->after = among(h->row.request_id, m) || witness > h->row.batch ? POLICY_KNOWN
										 : POLICY_PASSED;
	c->held_until = h->row.held_until;
	c->caught_up = h->row.caught_up;
	(void)now;
}

static uint32_t
at_host(struct life *l, struct host *h, const struct message_request *m, uint64_t witness,
    struct policy_decision *d)
{
	static const struct policy_pack pack = { .pool_count = 1 };
	const struct policy_product product = { .threshold = 1,
		.validity = 60 * 1440,
		.renewal_interval = 60,
		.clones = POLICY_REFUSE,
		.clone_hold = HOLD_MINUTES };
	const struct policy_host host = {
		.installed = true, .confirmed = true, .covered = true, .not_after = UINT64_MAX
	};
	const struct policy_counters counters = { .counted = 1 };
	struct policy_client client;

	if (h->spell == PUTS_OFF)
		return KMS_E_LEDGER;
	look(&client, h, m, l->now, witness);
	/* Before the repeat, as a host does whose certificate has ended. */
	if (h->spell == REFUSES)
		return KMS_E_KEY_EXPIRED;
	policy_decide(d, &pack, &product, &host, &counters, &client, m, l->now);
	if (d->hold_end != 0) {
		h->row.held_until = d->hold_end;
		l->holds++;
	}
	if (d->outcome == POLICY_GRANT || d->outcome == POLICY_RELEASE_SEAT) {
		h->row.known = true;
		h->row.sequence = m->sequence;
		memcpy(h->row.request_id, m->request_id, 16);
		h->row.batch = ++h->batch;
		h->owed = false;
		if (d->caught_up)
			h->row.caught_up = h->caught_up = l->now;
	}
	return d->status;
}

/* One request to one host. Returns false: no answer. */
static bool
send_once(struct life *l, unsigned at, const struct asked *q, struct policy_decision *d)
{
	static const uint8_t none[16];
	uint8_t said[16 * MESSAGE_AFTER_MAX];
	struct host *h = &l->hosts[at];
	struct disk *c = &l->c;
	struct message_request m = { .operation = q->operation,
		.state = MESSAGE_EXPIRED,
		.time = l->now,
		.sequence = q->sequence };
	bool lost = h->spell == REQUESTS_LOST || (h->spell == EITHER_LOST && draw(l, 2) == 0);
	bool mute = h->spell == ANSWERS_LOST || (h->spell == EITHER_LOST && draw(l, 2) == 0);

	memset(d, 0, sizeof(*d));
	memcpy(m.request_id, q->id, 16);
	if (memcmp(c->echo, none, 16) != 0)
		m.echo = c->echo;
	m.after_count = after_say(&c->after, h->id, q->id, said);
	m.after = m.after_count > 0 ? said : NULL;
	if (lost)
		return false;
	d->status = (enum kms_status)at_host(l, h, &m, c->witness[at], d);
	if (mute)
		return false;
	if (d->status == KMS_OK && q->operation == MESSAGE_RENEW && h->row.batch > c->witness[at])
		c->witness[at] = h->row.batch;
	return true;
}

static void
hear(struct life *l, unsigned at, const struct policy_decision *d, bool first)
{
	if (d->status == KMS_E_SEQUENCE)
		after_challenged(&l->c.after, l->hosts[at].id);
	else
		after_answered(&l->c.after, l->hosts[at].id, d->status == KMS_OK,
		    first && d->status != KMS_E_LEDGER);
}

/* As request() of converse.c. */
static bool
request(struct life *l, unsigned at, struct policy_decision *d)
{
	static const uint8_t none[16];
	struct disk *c = &l->c;
	struct asked q = { .sequence = c->sequence, .operation = l->operation }, newest;
	bool first;

	memcpy(q.id, c->pending_id, 16);
	if (memcmp(c->echo, none, 16) == 0 &&
	    after_unsettled(&c->after, l->hosts[at].id, q.id, &newest)) {
		l->settled++;
		if (!send_once(l, at, &newest, d))
			return false;
		if (d->status == KMS_E_LEDGER)
			return true;
		hear(l, at, d, false);
	}
	first = after_sending(&c->after, l->hosts[at].id, &q, l->now);
	if (first)
		l->disk = *c;
	if (!send_once(l, at, &q, d))
		return false;
	hear(l, at, d, first);
	return true;
}

/* Returns true: final. */
static bool
ask_host(struct life *l, unsigned at)
{
	struct policy_decision d;
	struct disk *c = &l->c;

	if (!request(l, at, &d))
		return false;
	if (d.status == KMS_E_SEQUENCE) {
		l->challenged++;
		assert_true(d.highest >= c->sequence);
		c->sequence = d.highest + 1;
		challenge_of(c->echo, &l->hosts[at].row);
		new_id(l, c->pending_id);
		c->operation = l->operation;
		l->disk = *c;
		if (!request(l, at, &d) || d.status == KMS_E_SEQUENCE)
			return false;
	}
	if (d.status == KMS_E_LEDGER)
		return false;
	c->operation = 0;
	if (d.status == KMS_OK) {
		memset(c->echo, 0, sizeof(c->echo));
		l->served++;
	}
	return d.status == KMS_OK;
}

static void
attempt(struct life *l, uint8_t operation, uint8_t product)
{
	static const uint8_t none[16];
	struct disk *c = &l->c;
	bool repeat = c->operation == operation && c->product == product &&
		      (memcmp(c->echo, none, 16) != 0 || l->now - c->pending_time <= HOUR);
	unsigned at = draw(l, HOSTS);

	l->operation = operation;
	if (!repeat) {
		c->sequence++;
		c->operation = operation;
		c->product = product;
		c->pending_time = l->now;
		new_id(l, c->pending_id);
		l->disk = *c;
	}
	for (unsigned i = 0; i < HOSTS && !ask_host(l, at); i++) {
		/* The process is killed between two hosts. */
		if (draw(l, 100) == 0) {
			*c = l->disk;
			return;
		}
		at = (at + 1) % HOSTS;
	}
	l->disk = *c;
}

/* An administrator who forgets a client begins anew with it. */
static void
forget(struct row *r)
{
	memset(r->request_id, 0, 16);
	r->caught_up = r->held_until = 0;
}

static void
turn_of_hosts(struct life *l)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		struct host *h = &l->hosts[i];

		if (draw(l, 12) == 0)
			h->spell = draw(l, 2) == 0 ? FINE : (enum spell)draw(l, SPELLS);
		if (draw(l, 10) == 0)
			h->backup = h->row;
		/* From a backup: others are served meanwhile, and its numbers of batches go on. */
		if (draw(l, 150) == 0) {
			h->row = h->backup;
			h->batch = h->row.batch + draw(l, 3);
		}
		if (draw(l, 200) == 0)
			forget(&h->row);
		h->batch += draw(l, 3);
	}
}

/*
 * Twice within a hold of one host is what clones are. A client whose files are of before says
 * nothing at first: for it a lost answer to an echo is as it was.
 */
static bool
may_be_restored(const struct life *l)
{
	for (unsigned i = 0; i < HOSTS; i++)
		if (l->old || l->hosts[i].owed ||
		    l->now <= l->hosts[i].caught_up + HOLD_MINUTES * UINT64_C(60))
			return false;
	return true;
}

static void
turn_of_client(struct life *l)
{
	if (draw(l, 40) == 0)
		l->backup = l->disk;
	if (draw(l, 60) != 0 || !may_be_restored(l))
		return;
	l->c = l->disk = l->backup;
	l->restored++;
	for (unsigned i = 0; i < HOSTS; i++)
		l->hosts[i].owed = l->hosts[i].row.known;
}

static void
live(struct life *l, uint64_t seed, bool old)
{
	uint8_t product = 1;

	memset(l, 0, sizeof(*l));
	l->seed = seed;
	l->now = UINT64_C(1800000000);
	l->old = l->c.after.partial = old;
	l->disk = l->backup = l->c;
	for (unsigned i = 0; i < HOSTS; i++)
		l->hosts[i].id[0] = (uint8_t)(i + 1);
	for (unsigned step = 0; step < STEPS; step++) {
		l->now += 60 + draw(l, draw(l, 3) == 0 ? 3 * 86400 : 2 * HOUR);
		turn_of_hosts(l);
		turn_of_client(l);
		if (draw(l, 60) == 0)
			product = (uint8_t)(3 - product);
		attempt(l, draw(l, 30) == 0 ? MESSAGE_RELEASE : MESSAGE_RENEW, product);
		if (l->holds > 0)
			fail_msg("seed %" PRIu64 ", step %u: a hold", seed, step);
	}
}

static void
test_honest_lives(void **state)
{
	static struct life l;
	unsigned challenged = 0, served = 0, settled = 0, restored = 0;

	for (uint64_t seed = 1; seed <= LIVES; seed++) {
		live(&l, seed, seed % 4 == 0);
		challenged += l.challenged;
		served += l.served;
		settled += l.settled;
		restored += l.restored;
	}
	print_message(
	    "# %u lives, %u requests served, %u challenges, %u sent again, %u restored, no hold\n",
	    LIVES, served, challenged, settled, restored);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_challenged),
		cmocka_unit_test(test_refused_and_sent_again),
		cmocka_unit_test(test_many_hosts),
		cmocka_unit_test(test_honest_lives),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("after", tests, NULL, NULL);
}
