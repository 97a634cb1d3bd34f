/*
 * known.c - see known.h.
 */
#include "kmsd/web/known.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libkms/base/clock.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define DAY 86400
#define HISTORY_DAYS 90
#define USAGE_PAGES 8 /* of CONTROL_USAGE_ROWS: what more pools have is not shown */

static const struct {
	uint16_t verb;
	int fresh; /* ms that an answer is used for */
} asks[KNOWN_COUNT] = {
	[KNOWN_STATUS] = { CONTROL_STATUS, 1000 },
	[KNOWN_METRICS] = { CONTROL_METRICS, 1000 },
	[KNOWN_KEYS] = { CONTROL_KEY_SHOW, 1000 },
	[KNOWN_RELAY] = { CONTROL_RELAY_STATUS, 1000 },
	[KNOWN_POLICY] = { CONTROL_POLICY_SHOW, 1000 },
	[KNOWN_USAGE] = { CONTROL_USAGE, 5000 },
};

struct fact {
	struct known *known;
	struct reply reply;
	struct reply begun; /* pages of the next one */
	unsigned pages;
	int64_t at; /* ms; 0: never */
	bool asked;
};

struct waiter {
	unsigned set; /* what it still waits for */
	int rc;
	known_done *done;
	void *arg;
};

struct known {
	struct ask *ask;
	const struct config *config;
	struct fact facts[KNOWN_COUNT];
	struct waiter waiters[KNOWN_WAITING];
	unsigned count;
};

struct known *
known_new(struct ask *ask, const struct config *config)
{
	struct known *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->ask = ask;
	k->config = config;
	for (unsigned i = 0; i < KNOWN_COUNT; i++)
		k->facts[i].known = k;
	return k;
}

const struct config *
known_config(const struct known *k)
{
	return k->config;
}

void
known_free(struct known *k)
{
	if (k == NULL)
		return;
	for (unsigned i = 0; i < KNOWN_COUNT; i++) {
		reply_free(&k->facts[i].reply);
		reply_free(&k->facts[i].begun);
	}
	free(k);
}

/* Who waits for nothing more is told; it may want something again from within. */
static void
tell(struct known *k, unsigned bit, int rc)
{
	unsigned i = 0;

	for (unsigned w = 0; w < k->count; w++) {
		if (rc != KMS_OK && (k->waiters[w].set & bit) != 0)
			k->waiters[w].rc = rc;
		k->waiters[w].set &= ~bit;
	}
	while (i < k->count) {
		struct waiter w = k->waiters[i];

		if (w.set != 0) {
			i++;
			continue;
		}
		k->waiters[i] = k->waiters[--k->count];
		w.done(w.arg, w.rc);
	}
}

static ask_done on_answer;

/* after: where the page before ended (CONTROL_USAGE_CURSOR bytes); NULL: the first. */
static int
put(struct fact *f, const uint8_t *after)
{
	unsigned what = (unsigned)(f - f->known->facts);
	struct control_buf args = { 0 };
	int rc;

	if (what == KNOWN_USAGE)
		control_number(&args, "from", (uint64_t)time(NULL) - HISTORY_DAYS * DAY);
	if (after != NULL)
		control_octets(&args, "after", after, CONTROL_USAGE_CURSOR);
	rc = ask_put(f->known->ask, asks[what].verb, &args, on_answer, f);
	control_buf_free(&args);
	return rc;
}

/* What was kept of the pages before, and this one; true: the next one was asked for. */
static bool
next_page(struct fact *f, struct reply *reply)
{
	uint8_t after[CONTROL_USAGE_CURSOR];
	const char *next = reply_text(reply_next(reply, "page", NULL), "next");
	bool more = next != NULL && hex_parse(after, sizeof(after), next);

	if (reply_join(&f->begun, reply) != KMS_OK)
		more = false;
	if (more && ++f->pages < USAGE_PAGES && put(f, after) == KMS_OK)
		return true;
	*reply = f->begun;
	memset(&f->begun, 0, sizeof(f->begun));
	f->pages = 0;
	return false;
}

static void
on_answer(void *arg, uint32_t status, struct reply *reply)
{
	struct fact *f = arg;
	struct known *k = f->known;
	bool failed = status == KMS_E_TIMEOUT || status == KMS_E_PEER;

	if (status == KMS_OK && f == &k->facts[KNOWN_USAGE] && next_page(f, reply))
		return;
	f->asked = false;
	f->pages = 0;
	reply_free(&f->begun);
	reply_free(&f->reply);
	f->reply = *reply;
	if (status != KMS_OK)
		reply_free(&f->reply);
	f->at = failed ? 0 : clock_ms();
	tell(k, 1u << (unsigned)(f - k->facts), failed ? (int)status : KMS_OK);
}

/* What of the set has to be waited for; asks for it. */
static unsigned
missing(struct known *k, unsigned set, int *rc)
{
	int64_t now = clock_ms();
	unsigned out = 0;

	for (unsigned i = 0; i < KNOWN_COUNT && *rc == KMS_OK; i++) {
		struct fact *f = &k->facts[i];

		if ((set & 1u << i) == 0 || (f->at != 0 && now - f->at < asks[i].fresh))
			continue;
		out |= 1u << i;
		if (f->asked)
			continue;
		*rc = put(f, NULL);
		f->asked = *rc == KMS_OK;
	}
	return out;
}

void
known_want(struct known *k, unsigned set, known_done *done, void *arg)
{
	int rc = KMS_OK;
	unsigned wait = missing(k, set, &rc);

	if (rc == KMS_OK && wait != 0 && k->count == KNOWN_WAITING)
		rc = KMS_E_OVERLOAD;
	if (rc != KMS_OK || wait == 0)
		done(arg, rc);
	else
		k->waiters[k->count++] = (struct waiter){ .set = wait, .done = done, .arg = arg };
}

const struct reply *
known_reply(const struct known *k, enum known_what what)
{
	return &k->facts[what].reply;
}
