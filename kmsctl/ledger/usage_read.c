/*
 * usage_read.c - see usage_read.h.
 */
#include "kmsctl/ledger/usage_read.h"

#include <string.h>
#include <time.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define DAY 86400

typedef int (*usage_fn)(const struct kmsdb_usage *row, void *arg);

struct wanted {
	uint64_t from, to; /* days */
	usage_fn fn;
	void *arg;
};

static int
filter(const struct kmsdb_usage *row, void *arg)
{
	struct wanted *w = arg;

	return row->day < w->from || row->day > w->to ? 0 : w->fn(row, w->arg);
}

static int
read_files(struct ctl *ctl, struct wanted *w, struct fault *fault)
{
	struct kmsdb *db;
	int rc = ledger_access_open(ctl, &db, fault);

	if (rc != KMS_OK)
		return rc;
	rc = kmsdb_each_usage(db, NULL, (uint64_t)time(NULL), filter, w);
	ledger_access_close(db, -1);
	if (rc != KMS_OK)
		fault_set(fault, rc, NULL);
	return rc;
}

/* -- asked -- */

static bool
take_row(const struct reply_row *row, struct kmsdb_usage *out)
{
	static const char *const names[] = { "pool", "status", "day", "peak", "end", "first",
		"renewals", "releases", "clients", "refusals" };
	uint64_t v[sizeof(names) / sizeof(names[0])] = { 0 };
	const char *publisher = reply_text(row, "publisher");

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!reply_number(row, names[i], &v[i]) && i < 3)
			return false;
	out->pool = (uint16_t)v[0];
	out->status = (uint16_t)v[1];
	out->day = (uint32_t)(v[2] / DAY);
	out->peak = (uint32_t)v[3];
	out->end = (uint32_t)v[4];
	out->first = v[5];
	out->renewals = v[6];
	out->releases = v[7];
	out->clients = v[8];
	out->refusals = v[9];
	return publisher != NULL && hex_parse(out->publisher, 8, publisher);
}

/* One page; *more: after is where the next one begins. */
static int
ask_page(struct ctl *ctl, const struct wanted *w, uint8_t after[CONTROL_USAGE_CURSOR], bool *more,
    struct fault *fault)
{
	const struct reply_row *row = NULL;
	struct control_buf args = { 0 };
	struct kmsdb_usage u;
	struct reply reply;
	int rc;

	control_number(&args, "from", w->from * DAY);
	control_number(&args, "to", w->to * DAY);
	if (*more)
		control_octets(&args, "after", after, CONTROL_USAGE_CURSOR);
	rc = ask_quietly(ctl, CONTROL_USAGE, &args, &reply, fault);
	control_buf_free(&args);
	if (rc != KMS_OK)
		return rc;
	while (rc == KMS_OK && (row = reply_next(&reply, "usage", row)) != NULL)
		rc = take_row(row, &u) ? w->fn(&u, w->arg)
				       : fault_set(fault, KMS_E_FORMAT,
					     "the host's answer has a malformed row of usage");
	row = reply_next(&reply, "page", NULL);
	*more = rc == KMS_OK && row != NULL &&
		reply_octets(row, "next", after, CONTROL_USAGE_CURSOR) == CONTROL_USAGE_CURSOR;
	reply_free(&reply);
	return rc;
}

int
usage_ask(struct ctl *ctl, uint64_t from, uint64_t to, usage_fn fn, void *arg, struct fault *fault)
{
	struct wanted w = { from / DAY, to / DAY, fn, arg };
	uint8_t after[CONTROL_USAGE_CURSOR];
	bool more = false;
	int rc;

	do {
		rc = ask_page(ctl, &w, after, &more, fault);
	} while (rc == KMS_OK && more);
	return rc;
}

int
usage_read(struct ctl *ctl, uint64_t from, uint64_t to, usage_fn fn, void *arg, struct fault *fault)
{
	struct wanted w = { from / DAY, to / DAY, fn, arg };

	return ledger_access_may(ctl) ? read_files(ctl, &w, fault)
				      : usage_ask(ctl, from, to, fn, arg, fault);
}
