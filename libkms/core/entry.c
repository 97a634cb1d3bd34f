/*
 * entry.c - which kinds of entries there are, and the codec of those of clients (entry.h).
 */
#include "libkms/core/entry.h"

#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_codec.h"
#include "libkms/kms_error.h"

_Static_assert(ENTRY_CLIENT_MAX == ENTRY_CLIENT_FIXED + TAIL_ENTRY_CLIENT, "limits.h");

#define TLV_BINDING 1
/* Those that a refusal may have, a release, and all. */
#define FLAGS_REFUSAL (ENTRY_VM | ENTRY_CLONE | ENTRY_STATELESS | ENTRY_BOUND_OTHER)
#define FLAGS_RELEASE (FLAGS_REFUSAL | ENTRY_CAUGHT_UP)
#define FLAGS_SEAT (FLAGS_RELEASE | ENTRY_BORROWED | ENTRY_OVERDRAFT | ENTRY_RIGHT)

static bool
kind_known(int kind)
{
	return (kind >= ENTRY_LEASE && kind <= ENTRY_REFUSAL) || entry_kind_is_about(kind) ||
	       entry_blobs_kind(kind);
}

int
entry_kind(const uint8_t *entry, size_t len)
{
	if (len < ENTRY_HEAD || len > ENTRY_MAX || entry[0] != ENTRY_VERSION ||
	    !kind_known(entry[1]))
		return 0;
	return entry[1];
}

bool
entry_may_have_aside(const uint8_t *entry, size_t len)
{
	int kind = entry_kind(entry, len);

	return kind == 0 || entry_kind_is_client(kind) || kind == ENTRY_RELAYED ||
	       kind == ENTRY_RELAYED_NAME || kind == ENTRY_BASE;
}

uint64_t
entry_time(const uint8_t *entry, size_t len)
{
	struct entry_head h = { 0 };
	struct wire_reader r;

	wire_reader_init(&r, entry, len);
	if (len >= ENTRY_HEAD)
		entry_head_get(&r, &h);
	return h.time;
}

bool
entry_base_kept_in(struct entry_base_kept *k, const uint8_t *entry, size_t len)
{
	struct entry_admin admin;

	if (entry_kind(entry, len) != ENTRY_BASE ||
	    entry_admin_decode(&admin, entry, len) != KMS_OK ||
	    entry_base_part(admin.blob) != BASE_KEPT)
		return false;
	entry_base_get_kept(k, admin.blob, admin.blob_len);
	return true;
}

int
entry_check(const uint8_t *entry, size_t len)
{
	struct entry_client client;
	struct entry_about about;
	struct entry_admin admin;
	int kind = entry_kind(entry, len);

	if (len < ENTRY_HEAD)
		return KMS_E_TRUNCATED;
	if (len > ENTRY_MAX)
		return KMS_E_FORMAT;
	if (kind == 0)
		return KMS_E_SCHEMA;
	if (entry_kind_is_client(kind))
		return entry_client_decode(&client, entry, len);
	return entry_kind_is_about(kind) ? entry_about_decode(&about, entry, len)
					 : entry_admin_decode(&admin, entry, len);
}

static uint16_t
flags_of(int kind)
{
	return kind == ENTRY_REFUSAL   ? FLAGS_REFUSAL
	       : kind == ENTRY_RELEASE ? FLAGS_RELEASE
				       : FLAGS_SEAT;
}

/* A kind that counts: until is the end of a slot, after its time. */
static bool
counting_in_range(const struct entry_client *e)
{
	if (e->kind != ENTRY_LEASE && e->kind != ENTRY_SEEN)
		return e->until == 0 && e->width == 0;
	if (e->width == 0 || e->width > ENTRY_SLOT_MAX)
		return false;
	return e->until == 0 || (e->until > e->time / 60 && e->until % e->width == 0);
}

static bool
times_in_range(const struct entry_client *e)
{
	if (e->kind == ENTRY_LEASE)
		return e->expires > e->time && e->renew_after <= e->expires;
	return e->renew_after == 0 && (e->kind == ENTRY_SEEN || e->expires == 0);
}

static bool
status_in_range(const struct entry_client *e)
{
	if (e->kind == ENTRY_REFUSAL)
		return e->status != KMS_OK && e->status != KMS_E_COUNT_TOO_LOW;
	return e->status == (e->kind == ENTRY_SEEN ? KMS_E_COUNT_TOO_LOW : KMS_OK);
}

/* All but flags that nobody knows. */
static bool
in_range(const struct entry_client *e)
{
	return entry_kind_is_client(e->kind) && kind_known(e->kind) &&
	       (e->flags & FLAGS_SEAT & ~flags_of(e->kind)) == 0 && status_in_range(e) &&
	       times_in_range(e) && counting_in_range(e) && e->sequence >= 1 &&
	       e->sequence <= ENTRY_SEQUENCE_MAX && e->operation >= MESSAGE_ACTIVATE &&
	       e->operation <= MESSAGE_RELEASE && e->state <= MESSAGE_CLOCK_BACK &&
	       !octets_zero(e->commitments.name, COMMITMENT) &&
	       !octets_zero(e->commitments.address, COMMITMENT);
}

size_t
entry_client_encode(uint8_t *out, size_t size, const struct entry_client *e)
{
	struct wire_writer w;

	if (!in_range(e) || (e->flags & ~FLAGS_SEAT) != 0)
		return 0;
	wire_writer_init(&w, out, size);
	entry_head_put(&w, e->kind, e->flags, e->status, e->time);
	wire_put(&w, e->cmid, sizeof(e->cmid));
	wire_put(&w, e->product, sizeof(e->product));
	wire_put(&w, e->request_id, sizeof(e->request_id));
	wire_put_u64(&w, e->sequence);
	wire_put_u64(&w, e->expires);
	wire_put_u64(&w, e->renew_after);
	wire_put_u32(&w, e->count);
	wire_put_u32(&w, e->required);
	wire_put(&w, e->publisher, sizeof(e->publisher));
	wire_put_u16(&w, e->pool);
	wire_put_u16(&w, e->class);
	wire_put_u32(&w, e->until);
	wire_put_u16(&w, e->width);
	wire_put_u8(&w, e->operation);
	wire_put_u8(&w, e->state);
	wire_put_u32(&w, e->grace_minutes);
	wire_put(&w, e->commitments.name, COMMITMENT);
	wire_put(&w, e->commitments.user, COMMITMENT);
	wire_put(&w, e->commitments.address, COMMITMENT);
	if (e->bound)
		wire_put_tlv(&w, TLV_BINDING, e->binding, sizeof(e->binding));
	return wire_written(&w);
}

static int
get_tail(struct wire_reader *r, struct entry_client *e)
{
	struct wire_tail tail;
	struct wire_tlv tlv;

	e->bound = false;
	memset(e->binding, 0, sizeof(e->binding));
	wire_tail_init(&tail, r, TAIL_ENTRY_CLIENT);
	while (wire_tail_next(&tail, &tlv)) {
		if (tlv.type != TLV_BINDING) {
			wire_tail_unknown(&tail, &tlv);
		} else if (wire_tail_expect(&tail, &tlv, sizeof(e->binding))) {
			memcpy(e->binding, tlv.value, sizeof(e->binding));
			e->bound = true;
		}
	}
	return wire_tail_finish(&tail);
}

int
entry_client_decode(struct entry_client *e, const uint8_t *in, size_t len)
{
	struct entry_head h;
	struct wire_reader r;
	int rc;

	wire_reader_init(&r, in, len);
	entry_head_get(&r, &h);
	e->kind = h.kind;
	e->flags = h.flags;
	e->status = h.status;
	e->time = h.time;
	wire_get(&r, e->cmid, sizeof(e->cmid));
	wire_get(&r, e->product, sizeof(e->product));
	wire_get(&r, e->request_id, sizeof(e->request_id));
	e->sequence = wire_get_u64(&r);
	e->expires = wire_get_u64(&r);
	e->renew_after = wire_get_u64(&r);
	e->count = wire_get_u32(&r);
	e->required = wire_get_u32(&r);
	wire_get(&r, e->publisher, sizeof(e->publisher));
	e->pool = wire_get_u16(&r);
	e->class = wire_get_u16(&r);
	e->until = wire_get_u32(&r);
	e->width = wire_get_u16(&r);
	e->operation = wire_get_u8(&r);
	e->state = wire_get_u8(&r);
	e->grace_minutes = wire_get_u32(&r);
	wire_get(&r, e->commitments.name, COMMITMENT);
	wire_get(&r, e->commitments.user, COMMITMENT);
	wire_get(&r, e->commitments.address, COMMITMENT);
	if (r.bad)
		return KMS_E_TRUNCATED;
	if (h.version != ENTRY_VERSION || !kind_known(h.kind) || (h.flags & ~FLAGS_SEAT) != 0)
		return KMS_E_SCHEMA;
	rc = get_tail(&r, e);
	return rc == KMS_OK && !in_range(e) ? KMS_E_FORMAT : rc;
}

uint16_t
entry_slot_width(uint32_t window)
{
	uint32_t width = (window + 63) / 64;

	return window % ENTRY_SLOT_MAX == 0 || width > ENTRY_SLOT_MAX ? ENTRY_SLOT_MAX
								      : (uint16_t)width;
}

/* The end of the slot before that one; a clock beyond the year 10000 counts as long as the field
 * can say. */
static uint32_t
end_of_slots(uint64_t slots, uint64_t width)
{
	uint64_t most = UINT32_MAX / width;

	return (uint32_t)((slots < most ? slots : most) * width);
}

uint32_t
entry_counts_until(uint64_t time, uint32_t window)
{
	uint64_t width = entry_slot_width(window);

	return end_of_slots((time / 60 + window) / width + 1, width);
}

uint32_t
entry_counts_through(uint64_t time, uint32_t window)
{
	uint64_t width = entry_slot_width(window), minutes = time / 60 + (time % 60 != 0);

	return end_of_slots(minutes / width + (minutes % width != 0), width);
}
