/*
 * opening.c - see opening.h.
 */
#include "kmsd/activate/opening.h"

#include <poll.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "libkms/base/wire.h"

#define RESTORED_BLOB 17
#define CLOCK_BLOB 16

static int
stage(struct activate *a, struct entry_admin *e)
{
	uint8_t entry[512];
	struct item item = { .entry = entry };
	uint32_t leaf;

	e->time = a->now;
	memcpy(e->subject, host_identity_id(a->key), 16);
	item.entry_len = entry_admin_encode(entry, sizeof(entry), e);
	return item.entry_len > 0 ? kmsdb_stage(a->db, &item, &leaf) : KMS_E_FORMAT;
}

static int
stage_clock(struct activate *a, uint64_t last)
{
	uint8_t blob[CLOCK_BLOB];
	struct entry_admin e = { .kind = ENTRY_CLOCK, .blob = blob, .blob_len = sizeof(blob) };
	struct wire_writer w;

	wire_writer_init(&w, blob, sizeof(blob));
	wire_put_u64(&w, last);
	wire_put_u64(&w, last - a->now);
	log_limited(LOG_ERR, "clock-back",
	    "the clock is %llu s behind the last batch of the journal: it was ahead then, or is wrong now. Check the clock (timedatectl). kmsd refuses clients if the clocks differ by more than four hours, and records in the journal when the clock went back",
	    (unsigned long long)(last - a->now));
	return stage(a, &e);
}

/* The batch right before this one, whatever anybody says: so nobody explains away what is there. */
static int
stage_restored(struct activate *a, enum entry_restored cause)
{
	uint8_t blob[RESTORED_BLOB];
	struct entry_admin e = { .kind = ENTRY_RESTORED, .blob = blob, .blob_len = sizeof(blob) };
	struct kmsdb_info info;
	struct wire_writer w;

	kmsdb_info(a->db, &info);
	memcpy(e.digest, info.last_hash, sizeof(e.digest));
	wire_writer_init(&w, blob, sizeof(blob));
	wire_put_u64(&w, info.last_batch);
	wire_put_u64(&w, kmsdb_last_time(a->db));
	wire_put_u8(&w, (uint8_t)cause);
	return stage(a, &e);
}

static int
stage_start(struct activate *a)
{
	static const char version[] = PACKAGE_STRING;
	struct entry_admin e = {
		.kind = ENTRY_START,
		.text = version,
		.text_len = sizeof(version) - 1,
		.blob = host_identity_sign_pk(a->key),
		.blob_len = 32,
	};
	int rc = KMS_OK;

	if (a->opening.lost)
		rc = stage_restored(a, RESTORED_NOTHING);
	else if (kmsdb_restored_told(a->state_dir))
		rc = stage_restored(a, RESTORED_BACKUP);
	if (rc == KMS_OK)
		rc = stage(a, &e);
	a->opening.staged = rc == KMS_OK;
	return rc;
}

static bool
anything_installed(const struct publishers *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct publisher *p = &s->list[i];

		if (p->key_count > 0 || p->confirmed || p->pack != NULL || p->public.count > 0 ||
		    p->revocations != NULL)
			return true;
	}
	return false;
}

/* What is installed has its entry, and a host that was made just now never had a ledger. */
void
opening_start(struct activate *a)
{
	a->opening = (struct opening){ .due = true };
	a->opening.lost =
	    a->last_batch == 0 && !a->new_identity && anything_installed(&a->publishers);
	if (a->opening.lost)
		log_event(LOG_ERR, "ledger-lost",
		    "there is no ledger, but this host has keys and files of publishers: the ledger was lost or removed. kmsd begins a new one, and the next audit shows that. If there is a backup: stop kmsd, move kmsdb away, and run kmsctl ledger restore");
}

int
opening_stage(struct activate *a)
{
	uint64_t last = kmsdb_last_time(a->db);
	int rc = KMS_OK;

	a->opening.time = a->now;
	if (a->now + OPENING_SKEW < last)
		rc = stage_clock(a, last);
	return rc == KMS_OK && a->opening.due ? stage_start(a) : rc;
}

/* A crash before the file is gone has RESTORED written twice, which says nothing false. */
void
opening_settled(struct activate *a, bool on_disk)
{
	if (on_disk && a->opening.staged) {
		a->opening.due = a->opening.lost = false;
		(void)kmsdb_restored_forget(a->state_dir);
	}
	a->opening.staged = false;
}

#define WAIT_STEP 10  /* milliseconds */
#define WAIT_MOST 120 /* steps: a clock may stand still or go back */

void
opening_wait(struct activate *a)
{
	uint64_t start = kmsdb_last_time(a->db);

	activate_clock(a);
	for (unsigned i = 0; a->now == start && i < WAIT_MOST; i++) {
		poll(NULL, 0, WAIT_STEP);
		activate_clock(a);
	}
}
