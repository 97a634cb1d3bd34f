/*
 * test_unseen.c - whose seat is taken back: the longest unseen of the pool, each side of the time
 * that the pack says; not who borrowed, asked meanwhile or asks now; and a walk over many clients
 * in pieces.
 */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/unseen.h"
#include "t/unit/ledger_fixture.h"

#define RECLAIM 60 /* minutes */
#define NOW (FIXTURE_NOW + 100000)
#define ASKING 9999

struct scene {
	struct fixture f;
	struct activate a;
	struct publisher publisher;
	struct policy_pool pool;
	struct publisher_product of;
};

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	fixture_make(&s->f, NULL);
	fixture_open(&s->f);
	s->a.db = s->f.db;
	s->a.base = event_base_new();
	s->a.now = NOW;
	s->a.unseen = unseen_new(&s->a);
	assert_non_null(s->a.unseen);
	memcpy(s->publisher.public.key.id, s->f.publisher, 8);
	s->pool = (struct policy_pool){ .number = 1, .window = 30 * 1440, .reclaim = RECLAIM };
	s->of = (struct publisher_product){ .publisher = &s->publisher, .pool = &s->pool };
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	unseen_free(s->a.unseen);
	event_base_free(s->a.base);
	fixture_remove(&s->f);
	free(s);
	return 0;
}

static void
seen(struct scene *s, uint32_t client, uint64_t ago, struct fixture_entry e)
{
	e.client = client;
	e.product = 1;
	e.pool = e.pool != 0 ? e.pool : 1;
	e.kind = e.kind != 0 ? e.kind : ENTRY_LEASE;
	e.sequence = e.sequence != 0 ? e.sequence : 1;
	e.time = NOW - ago;
	fixture_stage(&s->f, &e);
	fixture_commit(&s->f);
}

static void
carried(struct scene *s)
{
	assert_int_equal(kmsdb_checkpoint(s->f.db), KMS_OK);
}

/* The next client that may lose its seat, -1: none. */
static int
next(struct scene *s, unsigned *i)
{
	struct kmsdb_client c;
	uint8_t asking[16], cmid[16];

	fixture_cmid(asking, ASKING);
	if (!unseen_next(s->a.unseen, &s->of, asking, i, &c))
		return -1;
	for (uint32_t client = 0; client < 4000; client++) {
		fixture_cmid(cmid, client);
		if (memcmp(cmid, c.cmid, 16) == 0)
			return (int)client;
	}
	fail_msg("a stranger");
	return -1;
}

static void
test_who(void **state)
{
	struct scene *s = *state;
	unsigned i = 0;

	seen(s, 1, 3600, (struct fixture_entry){ 0 });  /* just long enough */
	seen(s, 2, 3599, (struct fixture_entry){ 0 });  /* a second short */
	seen(s, 3, 86000, (struct fixture_entry){ 0 }); /* the longest */
	seen(s, 4, 5000, (struct fixture_entry){ .kind = ENTRY_SEEN });
	seen(s, 5, 90000, (struct fixture_entry){ .flags = ENTRY_BORROWED });
	seen(s, 6, 90000, (struct fixture_entry){ .pool = 2 });
	seen(s, 7, 90000, (struct fixture_entry){ 0 });
	seen(s, 7, 80000, (struct fixture_entry){ .kind = ENTRY_RELEASE, .sequence = 2 });
	seen(s, 8, 90000, (struct fixture_entry){ 0 });
	seen(s, 8, 80000, (struct fixture_entry){ .kind = ENTRY_REVOKE, .sequence = 1 });
	seen(s, 9, 90000, (struct fixture_entry){ .kind = ENTRY_REFUSAL });
	seen(s, 10, 90000, (struct fixture_entry){ .window = 5 }); /* counts no more */
	seen(s, 11, 90000, (struct fixture_entry){ 0 });
	seen(s, 11, 60, (struct fixture_entry){ .sequence = 2 });
	seen(s, ASKING, 90000, (struct fixture_entry){ 0 });
	carried(s);
	assert_int_equal(next(s, &i), 3);
	assert_int_equal(next(s, &i), 4);
	assert_int_equal(next(s, &i), 1);
	assert_int_equal(next(s, &i), -1);
	assert_int_equal(unseen_wait(s->a.unseen, &s->of), 0);
	/* Another request begins with the same one. */
	i = 0;
	assert_int_equal(next(s, &i), 3);
	/* The pool asks for more. */
	s->pool.reclaim = 100;
	i = 0;
	assert_int_equal(next(s, &i), 3);
	assert_int_equal(next(s, &i), -1);
}

/* What the index says is a minute old: the row as it is now decides. */
static void
test_meanwhile(void **state)
{
	struct scene *s = *state;
	unsigned i = 0;

	seen(s, 1, 9000, (struct fixture_entry){ 0 });
	seen(s, 2, 8000, (struct fixture_entry){ 0 });
	seen(s, 3, 7000, (struct fixture_entry){ 0 });
	seen(s, 4, 6000, (struct fixture_entry){ 0 });
	carried(s);
	seen(s, 1, 10, (struct fixture_entry){ .sequence = 2 }); /* before the walk */
	assert_int_equal(next(s, &i), 2);
	seen(s, 2, 10, (struct fixture_entry){ .sequence = 2 }); /* after it */
	seen(s, 3, 10, (struct fixture_entry){ .kind = ENTRY_RECLAIM, .sequence = 1 });
	i = 0;
	assert_int_equal(next(s, &i), 4);
	assert_int_equal(next(s, &i), -1);
	/* At most one walk a minute: the others are found with the next. */
	s->a.now += 4000;
	i = 0;
	assert_int_equal(next(s, &i), 4);
	assert_int_equal(next(s, &i), -1);
}

/* More clients than a piece has, of which more may lose their seats than the list holds. */
static void
test_pieces(void **state)
{
	struct scene *s = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 1 };
	unsigned i = 0, turns = 0;

	for (e.client = 0; e.client < 3500; e.client++) {
		e.time = NOW - (e.client % 7 == 0 ? 20000 + e.client : 1000);
		fixture_stage(&s->f, &e);
		if (kmsdb_staged(s->f.db) == 500)
			fixture_commit(&s->f);
	}
	fixture_commit(&s->f);
	carried(s);
	assert_int_equal(next(s, &i), -1);
	assert_int_equal(unseen_wait(s->a.unseen, &s->of), UNSEEN_RETRY);
	while (unseen_wait(s->a.unseen, &s->of) == UNSEEN_RETRY && turns++ < 100)
		event_base_loop(s->a.base, EVLOOP_ONCE);
	assert_int_equal(turns, 3);
	for (int n = 0; n < UNSEEN_LIST; n++)
		assert_int_equal(next(s, &i), 3500 / 7 * 7 - 7 * (n + 1));
	assert_int_equal(next(s, &i), -1);
	assert_in_range(unseen_wait(s->a.unseen, &s->of), 1, UNSEEN_PAUSE);
	assert_false(event_base_got_exit(s->a.base));
}

/* More pools than are known at once: each has its own. */
static void
test_pools(void **state)
{
	struct scene *s = *state;

	for (uint16_t pool = 1; pool <= UNSEEN_POOLS + 3; pool++)
		seen(s, pool, 9000, (struct fixture_entry){ .pool = pool });
	carried(s);
	for (uint16_t pool = 1; pool <= UNSEEN_POOLS + 3; pool++) {
		unsigned i = 0;

		s->pool.number = pool;
		assert_int_equal(next(s, &i), pool);
		assert_int_equal(next(s, &i), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who, setup, teardown),
		cmocka_unit_test_setup_teardown(test_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pools, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
