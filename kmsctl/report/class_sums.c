/*
 * class_sums.c - see class_sums.h. The seats are those of replay_table.h, in one world: what
 * happened. Each pair of a pool and a class has a number in it, from 1.
 */
#include "kmsctl/report/class_sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/recent.h"
#include "kmsctl/ledger/replay_table.h"
#include "kmsd/activate/classes.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"

/* A pool and one of its classes; class 0: clients of none. */
struct sum {
	uint8_t publisher[8];
	uint16_t pool, class;
	uint64_t peak, peak_time, taken, refused;
};
struct sums {
	const struct report_pools *pools;
	uint64_t from, to;
	struct class_list names;
	struct sum list[REPLAY_CLASSES];
	unsigned count;
	struct replay_table seats;
	bool begun; /* an entry of the time was met */
	int rc;     /* KMS_OK, or why the rest was not read */
};

/* Its number, 0: there are too many. */
static uint8_t
sum_of(struct sums *s, const uint8_t publisher[8], uint16_t pool, uint16_t class)
{
	unsigned i = 0;

	while (i < s->count && (s->list[i].pool != pool || s->list[i].class != class ||
				   memcmp(s->list[i].publisher, publisher, 8) != 0))
		i++;
	if (i == REPLAY_CLASSES) {
		s->rc = KMS_E_LIMIT;
		return 0;
	}
	if (i == s->count) {
		s->list[i] = (struct sum){ .pool = pool, .class = class };
		memcpy(s->list[i].publisher, publisher, 8);
		s->count++;
	}
	return (uint8_t)(i + 1);
}

static void
note_peak(struct sums *s, uint8_t number, uint64_t when)
{
	struct sum *one = &s->list[number - 1];
	uint32_t counted = s->seats.of_class[0][number];

	if (counted <= one->peak)
		return;
	one->peak = counted;
	one->peak_time = when;
}

/* Ends what no longer counts. What counts when the time begins is the first peak. */
static bool
go_to(struct sums *s, uint64_t when)
{
	bool within = when >= s->from && when <= s->to;

	if (within && !s->begun) {
		s->begun = true;
		replay_expire(&s->seats, 0, policy_minute(s->from));
		for (unsigned i = 1; i <= s->count; i++)
			note_peak(s, (uint8_t)i, s->from);
	}
	replay_expire(&s->seats, 0, policy_minute(when));
	return within;
}

static void
give(struct sums *s, const struct entry_client *e, uint32_t client, bool within)
{
	const struct replay_seat *was = replay_seat(&s->seats, 0, client);
	uint8_t number = sum_of(s, e->publisher, e->pool, e->class);
	const struct replay_seat seat = { .until = e->until, .seen = e->time, .class = number };

	if (number == 0)
		return;
	s->list[number - 1].taken += within && (was->until == 0 || was->class != number);
	replay_give(&s->seats, 0, client, &seat);
	if (within)
		note_peak(s, number, e->time);
}

static void
take_client(const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg)
{
	struct sums *s = arg;
	bool gives = e->kind != ENTRY_RELEASE && e->until > policy_minute(e->time);
	bool within;
	uint8_t number;
	uint32_t client;

	(void)names;
	(void)batch;
	if (s->rc != KMS_OK || e->time > s->to ||
	    !report_pools_wanted(s->pools, e->publisher, e->pool))
		return;
	within = go_to(s, e->time);
	if (e->kind == ENTRY_REFUSAL) {
		if (within && (e->status == KMS_E_CLASS_FULL || e->status == KMS_E_CAPACITY) &&
		    (number = sum_of(s, e->publisher, e->pool, e->class)) != 0)
			s->list[number - 1].refused++;
		return;
	}
	if ((!gives && !replay_knows(&s->seats, e->cmid)) ||
	    (s->rc = replay_hold(&s->seats, e->cmid, &client)) != KMS_OK)
		return;
	if (gives)
		give(s, e, client, within);
	else
		replay_take(&s->seats, 0, client);
	replay_drop(&s->seats, client);
}

static void
take_ended(const struct entry_about *e, void *arg)
{
	struct sums *s = arg;
	uint32_t client;

	if (s->rc != KMS_OK || e->time > s->to || !replay_knows(&s->seats, e->cmid))
		return;
	(void)go_to(s, e->time);
	if (!replay_knows(&s->seats, e->cmid) ||
	    (s->rc = replay_hold(&s->seats, e->cmid, &client)) != KMS_OK)
		return;
	replay_take(&s->seats, 0, client);
	replay_drop(&s->seats, client);
}

/* -- printing -- */

static const struct config_class *
named(const struct sums *s, const struct sum *one, const char *pool)
{
	for (unsigned i = 0; i < s->names.count; i++)
		if (one->class != 0 && s->names.at[i].number == one->class &&
		    (strcmp(s->names.at[i].of->pool, pool) == 0 || s->pools->count == 0))
			return s->names.at[i].of;
	return NULL;
}

static void
print_limit(struct output *o, const char *key, const char *label, uint32_t number, bool known)
{
	if (known)
		output_put(
		    o, &(struct output_field){
			   .key = key, .label = label, .type = OUTPUT_LIMIT, .number = number });
	else
		output_text(o, key, label, NULL);
}

static void
print_sum(struct output *o, const struct sums *s, unsigned i)
{
	const struct sum *one = &s->list[i];
	char publisher[POOL_TEXT], pool[POOL_TEXT], name[48] = "none";
	const struct config_class *class;

	report_pool_names(s->pools, one->publisher, one->pool, publisher, pool);
	class = named(s, one, pool);
	if (one->class != 0)
		snprintf(name, sizeof(name), "%u", one->class);
	output_row(o);
	output_text(o, "publisher", "Publisher", publisher);
	output_text(o, "pool", "Pool", pool);
	output_text(o, "class", "Class", class != NULL ? class->name : name);
	output_number(o, "number", NULL, one->class);
	output_number(o, "counted", "Counted", s->seats.of_class[0][i + 1]);
	output_number(o, "peak", "Peak", one->peak);
	output_time(o, "peak_time", "At", one->peak_time);
	output_number(o, "taken", "New", one->taken);
	output_number(o, "refused", "Refused", one->refused);
	if (class != NULL)
		output_number(o, "reserve", "Reserved", class->reserve);
	else
		output_text(o, "reserve", "Reserved", NULL);
	print_limit(o, "limit", "At most", class != NULL ? class->limit : 0, class != NULL);
}

/* The classes that a pool of the report has now, and that nobody used. */
static void
add_unused(struct sums *s)
{
	for (unsigned i = 0; i < s->pools->count && s->rc == KMS_OK; i++) {
		const struct report_pool *pool = &s->pools->list[i];

		for (unsigned k = 0; k < s->names.count && s->rc == KMS_OK; k++) {
			const struct config_class *of = s->names.at[k].of;

			if (report_pools_wanted(s->pools, pool->publisher, pool->number) &&
			    strcmp(of->pool, pool->name) == 0 &&
			    (of->publisher[0] == '\0' ||
				strcmp(of->publisher, pool->publisher_name) == 0))
				(void)sum_of(
				    s, pool->publisher, pool->number, s->names.at[k].number);
		}
	}
}

/* Has the pool any class? One without is in report usage. */
static bool
is_divided(const struct sums *s, const struct sum *one)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].class != 0 && s->list[i].pool == one->pool &&
		    memcmp(s->list[i].publisher, one->publisher, 8) == 0)
			return true;
	return false;
}

static void
print(struct ctl *ctl, const struct sums *s, const struct recent *searched)
{
	unsigned shown = 0;

	output_list(ctl->out, "classes", NULL);
	output_columns(ctl->out,
	    "publisher,pool,class,number,counted,peak,peak_time,taken,refused,reserve,limit");
	for (unsigned i = 0; i < s->count; i++) {
		if (!is_divided(s, &s->list[i]))
			continue;
		print_sum(ctl->out, s, i);
		shown++;
	}
	output_end(ctl->out);
	if (shown == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "No pool had classes in that time.");
	if (searched->from_time > s->from && !searched->whole)
		recent_print(ctl, searched);
}

int
report_classes(
    struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to, bool all)
{
	struct sums *s = calloc(1, sizeof(*s));
	struct recent searched;
	uint64_t now = (uint64_t)time(NULL);
	int code = CTL_OK;

	if (s == NULL)
		return fail(ctl, KMS_E_NO_MEMORY, "no memory for the classes");
	*s = (struct sums){ .pools = pools, .from = from, .to = to };
	classes_take(&s->names, &ctl->config);
	if ((s->rc = replay_table_init(&s->seats, 1)) == KMS_OK)
		code = recent_seats(ctl, &searched, all,
		    &(struct recent_calls){ .client = take_client, .ended = take_ended, .arg = s });
	if (code == CTL_OK && s->rc == KMS_OK) {
		(void)go_to(s, to < now ? to : now);
		add_unused(s);
	}
	if (code == CTL_OK && s->rc != KMS_OK)
		code = fail(ctl, (uint32_t)s->rc, "the journal has too many classes or seats");
	if (code == CTL_OK)
		print(ctl, s, &searched);
	replay_table_free(&s->seats);
	free(s);
	return code;
}
