/*
 * run.c - kmsclient run: a seat for as long as a command runs, which knows nothing of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/help.h"
#include "kmsctl/cli/output.h"
#include "libkms/base/clock.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/error_text.h"
#include "libkms/os/subprocess.h"

/* Milliseconds: looks at the clock and the licence at least so often; asks again without a lease.
 */
#define LOOK_MS 60000
#define RETRY_MS 30000
#define LEAST_MS 1000
#define CLOSE_MS 2000

struct run {
	struct tool *t;
	struct kms_client *client;
	struct os_child *command;
	int64_t asked; /* clock_ms, the last time */
	bool took;     /* this run took the seat, and gives it back */
	bool lacking;  /* the user was told that the command no longer has a seat */
	uint32_t said; /* the status of the last failure that was said; KMS_OK: none */
};

#define say(...) output_say(stderr, TOOL_NAME ": " __VA_ARGS__)

static bool
told_to_end(const struct run *r)
{
	return os_child_told_to_end(r->command) != 0;
}

static void
wait_event(struct run *r, int ms)
{
	os_child_wait(r->command, kms_fd(r->client), ms);
}

/* -- the seat -- */

static bool
may_start(struct run *r)
{
	struct kms_status_info s = { .size = sizeof(s) };

	(void)kms_status(r->client, &s);
	return tool_may_run(s.licence);
}

/* Asks, and passes signals meanwhile. KMS_E_PENDING: given up, since nobody needs it any more. */
static int
ask(struct run *r, enum kms_operation operation, struct kms_result *result, int64_t deadline)
{
	const bool ran = os_child_runs(r->command);
	int e = kms_start(r->client, operation);

	r->asked = clock_ms();
	if (e != KMS_OK)
		return e;
	while ((e = kms_poll(r->client, result)) == KMS_E_PENDING) {
		int64_t left = deadline - clock_ms();

		if (told_to_end(r) || os_child_runs(r->command) != ran || left <= 0) {
			kms_cancel(r->client);
			return e;
		}
		wait_event(r, left > LOOK_MS ? LOOK_MS : (int)left);
	}
	return e;
}

static void
say_expected(const struct kms_result *result)
{
	char when[OUTPUT_WHEN];

	if (!tool_seat_expected((uint32_t)result->status, result->retry_after))
		return;
	say("a seat is expected back at %s",
	    output_when(when, (uint64_t)time(NULL) + result->retry_after));
}

/* Milliseconds until it is time to ask; without a lease (then the operation is KMS_ACTIVATE), a
 * seat may come back before it is expected. */
static int
due_in(struct run *r, enum kms_operation *operation)
{
	int64_t now = clock_ms(), next = kms_next(r->client, operation);

	if (*operation == KMS_ACTIVATE && r->asked + RETRY_MS - now < next)
		next = r->asked + RETRY_MS - now;
	if (r->asked + LEAST_MS - now > next)
		next = r->asked + LEAST_MS - now;
	return next > LOOK_MS ? LOOK_MS : next > 0 ? (int)next : 0;
}

static int
no_seat(struct run *r, const struct kms_result *result)
{
	help_failure(TOOL_NAME, result->status, result->detail);
	say_expected(result);
	say("no seat, so %s is not started", r->t->args[0]);
	return TOOL_RUN_NO_SEAT;
}

static void
say_waiting(struct run *r, const struct kms_result *result)
{
	if (result->status == r->said)
		return;
	r->said = result->status;
	say("waiting for a seat: %s", result->detail);
	say_expected(result);
}

/* Until there is a seat, a signal, or no time left. TOOL_OK, TOOL_RUN_NO_SEAT (said). */
static int
take_seat(struct run *r)
{
	struct kms_result result = { .size = sizeof(result) };
	int64_t left, end = clock_ms() + r->t->wait_ms;
	enum kms_operation operation;
	int wait;

	(void)kms_next(r->client, &operation);
	r->took = operation == KMS_ACTIVATE; /* there is no lease yet */
	r->asked = clock_ms() - RETRY_MS;
	while (!told_to_end(r) && !(may_start(r) && kms_next(r->client, NULL) > 0)) {
		wait = due_in(r, &operation);
		if (wait == 0) {
			(void)ask(r, operation, &result, INT64_MAX);
			if (may_start(r))
				break;
			wait = due_in(r, &operation);
		}
		if ((left = end - clock_ms()) <= 0)
			return told_to_end(r) ? TOOL_OK : no_seat(r, &result);
		say_waiting(r, &result);
		if (!told_to_end(r))
			wait_event(r, wait < left ? wait : (int)left);
	}
	r->said = KMS_OK;
	return TOOL_OK;
}

/* What a renewal came to: each kind of failure once, and its end. */
static void
tell_renewal(struct run *r, int e, const struct kms_result *result)
{
	struct kms_status_info s = { .size = sizeof(s) };
	char when[OUTPUT_WHEN];

	if (e == KMS_E_PENDING || e == KMS_E_TOO_SOON)
		return;
	if (e == KMS_OK) {
		if (r->said != KMS_OK)
			say("%s has a seat again", r->t->args[0]);
		r->said = KMS_OK;
		r->lacking = false;
		return;
	}
	if (r->said == (uint32_t)e)
		return;
	r->said = (uint32_t)e;
	help_failure(TOOL_NAME, (uint32_t)e, result->detail);
	say_expected(result);
	(void)kms_status(r->client, &s);
	if (tool_may_run(s.licence) && s.expires != 0)
		say("the seat could not be renewed; its lease ends at %s",
		    output_when(when, s.expires));
}

static void
tell_lacking(struct run *r)
{
	if (r->lacking || may_start(r))
		return;
	r->lacking = true;
	say("%s no longer has a seat. It continues to run, and " TOOL_NAME
	    " asks for a seat until it ends",
	    r->t->args[0]);
}

/* Never ends the command: work that has begun is worth more than a count. */
static void
keep_seat(struct run *r)
{
	struct kms_result result = { .size = sizeof(result) };
	enum kms_operation operation;

	while (os_child_runs(r->command)) {
		int wait = due_in(r, &operation);

		if (wait == 0)
			tell_renewal(r, ask(r, operation, &result, INT64_MAX), &result);
		tell_lacking(r);
		if (wait > 0 && os_child_runs(r->command))
			wait_event(r, wait);
	}
}

/* A client without state gives its seat back when it is closed. */
static void
give_back(struct run *r)
{
	const uint32_t ms = r->t->options.close_timeout;
	struct kms_result result = { .size = sizeof(result) };
	int e;

	if (r->t->options.state_file == NULL || !r->took)
		return;
	e = ask(r, KMS_RELEASE, &result, clock_ms() + (ms != 0 ? ms : CLOSE_MS));
	if (e != KMS_OK && e != KMS_E_UNKNOWN_CLIENT)
		say("the seat could not be given back; it returns by itself: %s",
		    e == KMS_E_PENDING ? "no answer in time" : result.detail);
}

/* -- the command -- */

static int
not_started(const char *program, int why)
{
	say("%s: %s", program, os_error_text(why));
	return why == ENOENT ? TOOL_RUN_NOT_FOUND : TOOL_RUN_NOT_EXECUTED;
}

static int
run_command(struct run *r)
{
	int why = os_child_start(r->command, r->t->args, not_started);

	if (why != 0) {
		say("fork: %s", os_error_text(why));
		return TOOL_RUN_FAILED;
	}
	keep_seat(r);
	return os_child_exit(r->command);
}

static int
run_with(struct run *r)
{
	int rc;

	if ((r->command = os_child_prepare(r->t->sigpipe)) == NULL || kms_fd(r->client) < 0) {
		say("cannot wait for signals: %s", os_error_text(errno));
		return TOOL_RUN_FAILED;
	}
	rc = take_seat(r);
	if (rc == TOOL_OK)
		rc = told_to_end(r) ? os_child_told_to_end(r->command) : run_command(r);
	give_back(r);
	return rc;
}

int
command_run(struct tool *t)
{
	struct run r = { .t = t };
	char words[600];
	int rc;

	if (t->json)
		tool_usage("run: leave out --json, because run prints no result of its own");
	else if (!t->dashes)
		tool_usage("run: put -- before the command: run -- %s", t->args[0]);
	if (t->json || !t->dashes)
		return TOOL_RUN_FAILED;
	if ((rc = tool_try_open(t, &r.client, words, sizeof(words))) != KMS_OK) {
		help_failure(TOOL_NAME, (uint32_t)rc, words);
		return TOOL_RUN_FAILED;
	}
	rc = run_with(&r);
	kms_close(r.client);
	os_child_close(r.command);
	return rc;
}
