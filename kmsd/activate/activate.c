/*
 * activate.c - the clock, and entries that are not about one request of a client.
 */
#include "kmsd/activate/activate.h"

#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "kmsd/activate/installed.h"
#include "kmsd/activate/share/sharing.h"
#include "kmsd/common/log.h"
#include "libkms/base/clock.h"

void
activate_clock(struct activate *a)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	a->now = (uint64_t)t.tv_sec;
}

const uint32_t activate_commit_steps[ACTIVATE_COMMIT_STEPS] = { 100, 250, 500, 1000, 2500, 5000,
	10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000 };

void
activate_count_answer(struct activate *a, uint32_t status)
{
	if (status < ACTIVATE_STATUSES)
		a->counts.answers[status]++;
}

void
activate_count_commit(struct activate *a, uint64_t us)
{
	a->counts.commit_us += us;
	for (unsigned i = 0; i < ACTIVATE_COMMIT_STEPS; i++)
		a->counts.commits[i] += us <= activate_commit_steps[i];
}

void
activate_look_at_disk(struct activate *a)
{
	struct statvfs fs;
	bool low;

	if (a->disk_looked == a->now)
		return;
	a->disk_looked = a->now;
	low = a->config.disk_reserve != 0 && fstatvfs(a->state_dir, &fs) == 0 &&
	      (uint64_t)fs.f_bavail * fs.f_frsize < a->config.disk_reserve;
	if (low && !a->budget.disk_low)
		log_event(LOG_CRIT, "disk-low",
		    "less than [limits] disk_reserve is free on the disk of the state directory: only renewals are written until space is freed");
	if (!low && a->budget.disk_low)
		log_event(LOG_NOTICE, "disk-enough",
		    "the disk of the state directory has [limits] disk_reserve free again: all clients are served");
	a->budget.disk_low = low;
}

bool
activate_may_write(const struct activate *a)
{
	return a->failing_since == 0 && !host_identity_locked(a->key) &&
	       (a->share == NULL || share_signs(a->share));
}

int
activate_stage(struct activate *a, const struct item *item, uint32_t *leaf)
{
	int rc;

	if (a->share != NULL && !share_signs(a->share))
		return KMS_E_LEDGER;
	rc = kmsdb_staged(a->db) == 0 ? opening_stage(a) : KMS_OK;

	return rc == KMS_OK ? kmsdb_stage(a->db, item, leaf) : rc;
}

/* len 0: it does not fit. */
static int
stage_alone(struct activate *a, const uint8_t *entry, size_t len)
{
	const struct item item = { .entry = entry, .entry_len = len };
	uint32_t leaf;

	return len > 0 ? activate_stage(a, &item, &leaf) : KMS_E_TOO_LARGE;
}

int
activate_stage_admin(struct activate *a, struct entry_admin *e)
{
	uint8_t entry[ENTRY_MAX];

	e->time = a->now;
	return stage_alone(a, entry, entry_admin_encode(entry, sizeof(entry), e));
}

int
activate_stage_about(struct activate *a, struct entry_about *e)
{
	uint8_t entry[ENTRY_ABOUT_MAX];

	e->time = a->now;
	e->counter = kmsdb_counter(a->db);
	return stage_alone(a, entry, entry_about_encode(entry, sizeof(entry), e));
}

int
activate_record(struct activate *a, struct entry_admin *e)
{
	int rc;

	pending_finish(a);
	activate_clock(a);
	rc = activate_stage_admin(a, e);
	return rc == KMS_OK ? pending_commit(a) : rc;
}

int
activate_record_about(struct activate *a, struct entry_about *e)
{
	int rc;

	pending_finish(a);
	activate_clock(a);
	rc = activate_stage_about(a, e);
	return rc == KMS_OK ? pending_commit(a) : rc;
}

int
activate_record_start(struct activate *a)
{
	int rc;

	pending_finish(a);
	activate_clock(a);
	opening_start(a);
	rc = opening_stage(a);
	if (rc == KMS_OK)
		rc = pending_commit(a);
	if (rc == KMS_OK)
		rc = installed_record(a);
	/* Continue when it cannot be written: clients are told, and space may be freed. */
	if (rc == KMS_E_FULL || rc == KMS_E_IO)
		return KMS_OK;
	return rc;
}

int
activate_begin(struct activate *a)
{
	int rc;

	if (a->share != NULL)
		return KMS_OK;
	if ((rc = activate_record_start(a)) == KMS_OK)
		opening_wait(a);
	return rc;
}

int
activate_open_exchange(struct activate *a)
{
	int rc = exchange_keys_open(
	    &a->exchange, a->key, a->state_dir, a->now, a->config.exchange_rotation);

	if (rc != KMS_OK)
		log_event(LOG_CRIT, "exchange-key-failed", "%s", kms_strerror((uint32_t)rc));
	return rc;
}

/* Session keys under a destroyed key would still open what was recorded. */
static void
forget_sessions(const uint8_t key_id[EXCHANGE_KEY_ID], void *arg)
{
	session_keys_forget(arg, key_id);
}

void
activate_turn_exchange(struct activate *a)
{
	if (a->exchange != NULL)
		exchange_keys_tick(
		    a->exchange, a->now, a->config.exchange_rotation, forget_sessions, a->cache);
}

#define SECONDS_A_DAY UINT64_C(86400)

/* The new floor for what is older than age seconds; 0: it would not move by a day. */
static uint64_t
floor_due(uint64_t now, uint64_t age, uint64_t floor)
{
	return now < age || now - age < floor + SECONDS_A_DAY ? 0 : now - age;
}

uint64_t
activate_names_due(uint64_t now, unsigned keep, uint64_t floor)
{
	return keep == 0 ? 0 : floor_due(now, keep * SECONDS_A_DAY, floor);
}

void
activate_erase_names(struct activate *a)
{
	struct entry_about e = { .kind = ENTRY_ERASE };
	struct kmsdb_info info;

	if (a->config.keep_names == 0 || !activate_may_write(a))
		return;
	kmsdb_info(a->db, &info);
	e.value = activate_names_due(a->now, a->config.keep_names, info.names_floor);
	if (e.value == 0)
		return;
	/* When it fails, the ledger says so, and the next tick tries again. */
	(void)activate_record_about(a, &e);
}

#define EXPIRY_INTERVAL (6 * UINT64_C(3600))
#define EXPIRY_SEEN (7 * SECONDS_A_DAY)

/* Of rows of a floor, when it can move by a day. */
static void
expire(struct activate *a, uint64_t rows, uint64_t floor, uint64_t age)
{
	struct entry_about e = {
		.kind = ENTRY_EXPIRE, .through = rows, .value = floor_due(a->now, age, floor)
	};

	if (e.value == 0)
		return;
	/* When it fails, the ledger says so, and it is tried again later. */
	(void)activate_record_about(a, &e);
}

void
activate_expire(struct activate *a)
{
	uint64_t monotonic = clock_seconds();
	struct kmsdb_info info;

	/*
	 * Not soon after the start: a floor never falls again, and a clock that is wrong is mended
	 * by then.
	 */
	if (a->expiry_looked == 0)
		a->expiry_looked = monotonic;
	if (monotonic - a->expiry_looked < EXPIRY_INTERVAL || !activate_may_write(a))
		return;
	a->expiry_looked = monotonic;
	kmsdb_info(a->db, &info);
	if (info.last_batch == a->expiry_batch)
		return;
	/*
	 * What is before it is in the index then: a replay never meets both sides of a floor in
	 * rows that were carried in part.
	 */
	pending_finish(a);
	if (kmsdb_checkpoint(a->db) != KMS_OK)
		return;
	expire(a, ENTRY_EXPIRE_REFUSALS | ENTRY_EXPIRE_RELAYED,
	    info.refusals_floor > info.relayed_floor ? info.refusals_floor : info.relayed_floor,
	    EXPIRY_SEEN);
	expire(a, ENTRY_EXPIRE_FORGOTTEN, info.forgotten_floor, ACTIVATE_FORGOTTEN);
	a->expiry_batch = a->last_batch;
}

void
activate_write_refusals(struct activate *a, bool end)
{
	struct entry_admin e = { .kind = ENTRY_COUNTERS, .text = "" };
	uint8_t blob[ENTRY_COUNTERS_BLOB];

	if (a->refusal_counts.count == 0 ||
	    !(end || refusal_counts_due(&a->refusal_counts, a->now)) || !activate_may_write(a))
		return;
	activate_look_at_disk(a);
	if (a->budget.disk_low)
		return;
	memcpy(e.subject, host_identity_id(a->key), 16);
	e.blob_len = refusal_counts_blob(&a->refusal_counts, blob, sizeof(blob), a->now);
	e.blob = blob;
	/* When it fails, they are counted on, and told with the next. */
	if (activate_record(a, &e) == KMS_OK)
		refusal_counts_clear(&a->refusal_counts, a->now);
}

void
activate_tell_classes(struct activate *a)
{
	struct fault f = { 0 };

	if (classes_check(&a->classes, &a->publishers, &f) != KMS_OK)
		log_event(LOG_ERR, "class-problem", "%s", f.text);
}
