/*
 * top.c - top: seats, requests and refusals of a running host, again and again in a terminal; once
 * for anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/live.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/report/top_screen.h"
#include "libkms/kms_error.h"

#define INTERVAL 2 /* seconds */
#define INTERVAL_MAX 3600
#define ONCE_MS 1000 /* between the samples, when there is one screen */

struct top_options {
	uint64_t interval; /* seconds; 0: not given */
};

static bool
read_interval(void *field, const char *text)
{
	uint64_t seconds;

	if (!option_count(&seconds, text) || seconds > INTERVAL_MAX)
		return false;
	*(uint64_t *)field = seconds;
	return true;
}

struct top {
	struct ctl *ctl;
	struct top_sample before, now;
	struct top_who who;
};

static void
look(struct top *t)
{
	top_sample_free(&t->before);
	t->before = t->now;
	top_sample_take(t->ctl, &t->now);
	if (t->now.rc == KMS_OK)
		top_who_look(t->ctl, &t->who, &t->now);
}

static int
show_once(struct top *t)
{
	static const struct top_rows all = { UINT16_MAX, UINT16_MAX, TOP_REFUSED };
	const struct timespec pause = { .tv_sec = ONCE_MS / 1000 };

	look(t);
	if (t->now.rc == KMS_OK) {
		nanosleep(&pause, NULL);
		look(t);
	}
	if (t->now.rc != KMS_OK)
		return fail_fault(t->ctl, &t->now.fault);
	top_show(t->ctl, t->ctl->out, &t->before, &t->now, &t->who, &all);
	return CTL_OK;
}

/* The screen as text; NULL: memory. */
static char *
compose(const struct top *t, const struct live *l)
{
	/* Pools and causes leave room for the clients. */
	const struct top_rows most = { l->rows / 4, l->rows / 8, l->rows };
	char *text = NULL;
	struct output *o;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	o = output_new(&output_format_text, f, t->ctl->out->colour);
	if (o != NULL) {
		o->width = l->columns;
		if (t->now.rc == KMS_OK)
			top_show(t->ctl, o, &t->before, &t->now, &t->who, &most);
		else
			output_line(o, OUTPUT_BAD, "%s", t->now.fault.text);
	}
	if (o == NULL || !output_close(o)) {
		fclose(f);
		free(text);
		return NULL;
	}
	fclose(f);
	return text;
}

static int
show_live(struct top *t, struct live *l, int ms)
{
	enum live_event event = LIVE_TIME;
	char *text;
	int code = CTL_OK;

	while (code == CTL_OK && event != LIVE_END) {
		/* A new size alone is drawn from what is known. */
		if (event != LIVE_RESIZED)
			look(t);
		if ((text = compose(t, l)) == NULL)
			code = CTL_FAILED;
		else
			live_draw(l, text, "q: quit, space: refresh");
		free(text);
		event = code == CTL_OK ? live_wait(l, ms) : LIVE_END;
	}
	live_end(l);
	return code == CTL_OK ? CTL_OK : fail(t->ctl, KMS_E_NO_MEMORY, "the screen");
}

static int
run_top(struct ctl *ctl)
{
	const struct top_options *o = ctl->options;
	static struct top t; /* large */

	struct live live;
	int code;

	t.ctl = ctl;
	if (!ctl->json && live_begin(&live))
		code =
		    show_live(&t, &live, (int)(o->interval != 0 ? o->interval : INTERVAL) * 1000);
	else
		code = show_once(&t);
	top_sample_free(&t.before);
	top_sample_free(&t.now);
	return code;
}

static const struct option_row top_rows[] = {
	{ "interval", 0, "SECONDS", "time between refreshes (default: 2)",
	    .offset = offsetof(struct top_options, interval), .read = read_interval,
	    .takes = "seconds, 1 to 3600" },
	{ 0 },
};

const struct ctl_command cmd_top = {
	.line.noun = "top",
	.line.summary = "watch seats, requests and refusals, live in a terminal",
	.line.options = top_rows,
	.line.values = sizeof(struct top_options),
	.run = run_top,
};
