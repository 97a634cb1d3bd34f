/*
 * verify_index.c - every row of the index against the scratch index. See verify.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kmsdb/verify.h"
#include "libkms/base/hex.h"

#define LINES 20 /* differences reported one by one */

static bool
enough(struct verify *c)
{
	if (++c->differences == LINES + 1)
		verify_tell(c, KMS_E_ALTERED, "index: more differences; run kmsctl ledger rebuild");
	return c->differences > LINES;
}

static int
differs(struct verify *c, const uint8_t cmid[ROW_CMID], const char *how)
{
	char text[33];

	hex_format(text, cmid, ROW_CMID);
	verify_tell(c, KMS_E_ALTERED, "index: client %s %s", text, how);
	return enough(c) ? KMS_E_ALTERED : 0;
}

static bool
same_row(struct index *a, struct index *b, enum index_table table, const uint8_t *key, size_t len)
{
	const uint8_t *x = NULL, *y = NULL;
	size_t xl = 0, yl = 0;
	int sx = index_get(a, table, key, len, &x, &xl),
	    sy = index_get(b, table, key, len, &y, &yl);

	return sx == sy && xl == yl && (xl == 0 || memcmp(x, y, xl) == 0);
}

/* -- clients -- */

struct client {
	struct client_row row;
	struct kmsdb_cold cold;
};

static void
drop(uint64_t *time, uint64_t floor)
{
	if (*time <= floor)
		*time = 0;
}

/*
 * A row that had expired and came back knows nothing of before; it may again after a replay over
 * the rows of an unfinished checkpoint. Nobody is served by these fields.
 */
static void
forget_before(const struct verify *c, struct kmsdb_cold *cold)
{
	const struct index_floors *floors = &c->scratch->floors;
	uint64_t floor =
	    floors->refusals > floors->forgotten ? floors->refusals : floors->forgotten;

	drop(&cold->first_seen, floor);
	drop(&cold->last_clone, floor);
	if (cold->caught_up * UINT64_C(60) <= floor)
		cold->caught_up = 0;
	if (cold->forgotten != 0 && cold->forgotten <= floor) {
		cold->forgotten = 0;
		cold->hold = (struct kmsdb_register){ 0 };
	}
}

/* What does not depend on the order in which seats were met; names as the scratch's floor says. */
static void
canonical(const struct verify *c, struct client *client)
{
	forget_before(c, &client->cold);
	client->row.seat = 0;
	client->row.shown = 0;
	if (client->row.c.last_seen <= c->scratch->floors.names)
		apply_blank(&client->cold);
}

/* Numbers of chains are those of the scratch index. */
static uint16_t
chain_of(const struct verify *c, uint16_t chain)
{
	const struct chains *is = &c->index->chains;

	if (chain == 0)
		return 0;
	return chain < is->count ? (uint16_t)chains_find(&c->scratch->chains, is->hosts[chain])
				 : UINT16_MAX;
}

static int
from_index(struct verify *c, const uint8_t cmid[ROW_CMID], struct client *out)
{
	const uint8_t *octets;
	size_t len;
	int rc = index_get(c->index->index, INDEX_HOT, cmid, ROW_CMID, &octets, &len);

	if (rc == KMS_OK)
		rc = seats_row_decode(&c->index->seats, &out->row, cmid, octets, len);
	if (rc == KMS_OK)
		rc = index_get(c->index->index, INDEX_COLD, cmid, ROW_CMID, &octets, &len);
	if (rc == KMS_OK)
		rc = row_cold_decode(&out->cold, cmid, octets, len);
	out->row.c.chain = chain_of(c, out->row.c.chain);
	out->cold.revocation.chain = chain_of(c, out->cold.revocation.chain);
	out->cold.hold.chain = chain_of(c, out->cold.hold.chain);
	canonical(c, out);
	return rc;
}

/*
 * An aside of the journal that is damaged or was erased counts as erased: the index may still show
 * what was there.
 */
static void
forgive_names(struct client *is, const struct client *should)
{
	static const uint8_t none[16];

	if (memcmp(should->cold.address, none, sizeof(none)) == 0 && should->cold.name[0] == '\0' &&
	    should->cold.user[0] == '\0')
		apply_blank(&is->cold);
}

/* Is the index's row what the journal makes, so far as it was replayed? */
static bool
client_holds(struct verify *c, const uint8_t cmid[ROW_CMID])
{
	struct client is, should;

	if (from_index(c, cmid, &is) != KMS_OK ||
	    ledger_client(c->scratch, cmid, &should.row) != KMS_OK ||
	    ledger_cold(c->scratch, &should.row, &should.cold) != KMS_OK)
		return false;
	canonical(c, &should);
	forgive_names(&is, &should);
	return memcmp(&is.row, &should.row, sizeof(is.row)) == 0 &&
	       memcmp(&is.cold, &should.cold, sizeof(is.cold)) == 0;
}

static int
suspect(struct verify *c, const uint8_t cmid[ROW_CMID])
{
	size_t room = c->suspect_room == 0 ? 1024 : 2 * c->suspect_room;
	struct verify_suspect *more;

	if (c->suspect_count == c->suspect_room) {
		if ((more = realloc(c->suspects, room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		c->suspects = more;
		c->suspect_room = room;
	}
	memcpy(c->suspects[c->suspect_count].cmid, cmid, ROW_CMID);
	c->suspects[c->suspect_count++].settled = false;
	return 0;
}

/* A row of the index: counts it, and compares it. */
static int
index_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct verify *c = arg;
	struct client_row row;
	uint16_t seat;
	int rc = key_len == ROW_CMID ? seats_row_decode(&c->index->seats, &row, key, octets, len)
				     : KMS_E_ALTERED;

	if (rc != KMS_OK) {
		verify_tell(c, KMS_E_ALTERED, "index: a client row is malformed");
		return enough(c) ? KMS_E_ALTERED : 0;
	}
	if (row.seat != ROW_NO_SEAT && seats_find(&c->counted, &row.c, &seat) == KMS_OK)
		seats_count(&c->counted, seat, row_hot_borrowed(octets), row_hot_holder(octets),
		    row_hot_counts(octets), 1);
	/* Those that the last checkpoint did not come to remove are absent. */
	if (row_hot_expired(octets, &c->index->floors) ||
	    row_hot_expired(octets, &c->scratch->floors))
		return 0;
	return client_holds(c, key) ? 0 : suspect(c, key);
}

/* A row that should be in the index. */
static int
scratch_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct verify *c = arg;

	if (len == ROW_HOT && row_hot_expired(octets, &c->scratch->floors))
		return 0;
	if (index_get(c->index->index, INDEX_HOT, key, key_len, &octets, &len) == KMS_OK)
		return 0;
	return differs(c, key, "is missing");
}

static int
by_cmid(const void *key, const void *row)
{
	return memcmp(key, ((const struct verify_suspect *)row)->cmid, ROW_CMID);
}

/* All entries about a client have its CMID at the same place. */
void
verify_later(struct verify *c, const struct record *r)
{
	for (uint32_t i = 0; i < r->batch.size && c->suspect_count > 0; i++) {
		struct verify_suspect *s;

		if (r->items[i].entry_len < ENTRY_HEAD + ROW_CMID)
			continue;
		s = bsearch(r->items[i].entry + ENTRY_HEAD, c->suspects, c->suspect_count,
		    sizeof(*s), by_cmid);
		if (s != NULL && !s->settled)
			s->settled = client_holds(c, s->cmid);
	}
}

void
verify_end(struct verify *c)
{
	for (size_t i = 0; i < c->suspect_count; i++) {
		if (!c->suspects[i].settled &&
		    differs(c, c->suspects[i].cmid, "does not match the journal") != 0)
			return;
	}
}

/* -- the other tables -- */

static int
scratch_batch(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct verify *c = arg;

	(void)octets;
	(void)len;
	if (same_row(c->index->index, c->scratch->index, INDEX_BATCHES, key, key_len))
		return 0;
	verify_tell(c, KMS_E_ALTERED, "index: the position of batch 0x%02x%02x%02x%02x is wrong",
	    key[6], key[7], key[8], key[9]);
	return enough(c) ? KMS_E_ALTERED : 0;
}

/* False: malformed. Names as the scratch's floor says. */
static bool
observed_of(struct verify *c, struct kmsdb *db, const uint8_t *key, struct observed_row *row)
{
	const uint8_t *octets;
	size_t len;

	if (index_get(db->index, INDEX_RELAYED, key, 16, &octets, &len) != KMS_OK ||
	    observed_decode(row, key, octets, len) != KMS_OK)
		return false;
	observed_blank(&row->r, c->scratch->floors.names);
	return true;
}

/* Rows of the relay, from either side: equal on both sides, except for later changes. */
static int
observed_same(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct verify *c = arg;
	struct observed_row is, should;

	if (key_len == 16 && observed_decode(&is, key, octets, len) == KMS_OK &&
	    observed_expired(&is.r, &c->scratch->floors))
		return 0;
	if (key_len == 16 && observed_of(c, c->index, key, &is) &&
	    (is.changed > c->upto || (observed_of(c, c->scratch, key, &should) &&
					 memcmp(&is, &should, sizeof(is)) == 0)))
		return 0;
	verify_tell(c, KMS_E_ALTERED, "index: a relayed client's row does not match the journal");
	return enough(c) ? KMS_E_ALTERED : 0;
}

/* A row of own_rows.h, from either side; the index may be ahead. */
static int
own_same(struct verify *c, enum index_table table, const uint8_t *key, size_t key_len,
    const uint8_t *row, size_t len)
{
	static const char *const names[] = { [INDEX_WITNESSES] = "witness",
		[INDEX_RESTORED] = "restore",
		[INDEX_INSTALLED] = "file" };

	if (own_batch(row, len) > c->upto ||
	    same_row(c->index->index, c->scratch->index, table, key, key_len))
		return 0;
	verify_tell(
	    c, KMS_E_ALTERED, "index: the row of a %s does not match the journal", names[table]);
	return enough(c) ? KMS_E_ALTERED : 0;
}

static int
witness_same(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	return own_same(arg, INDEX_WITNESSES, key, key_len, row, len);
}

static int
restored_same(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	return own_same(arg, INDEX_RESTORED, key, key_len, row, len);
}

static int
installed_same(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	return own_same(arg, INDEX_INSTALLED, key, key_len, row, len);
}

/* Compares every count of a with b; called twice, to find what either lacks. */
static void
compare_counts(struct verify *c, const struct seats *a, const struct seats *b)
{
	for (size_t p = 0; p < a->tally_count; p++) {
		const struct tally *x = &a->tallies[p];
		const struct tally *y = seats_tally(b, x);
		for (size_t i = 0, j = 0; i < x->slot_count; i++) {
			const struct tally_slot *slot = &x->slots[i];
			while (y != NULL && j < y->slot_count && y->slots[j].until < slot->until)
				j++;
			if (y != NULL && j < y->slot_count && y->slots[j].until == slot->until &&
			    y->slots[j].count == slot->count)
				continue;
			verify_tell(c, KMS_E_ALTERED,
			    "index: pool %u, minute %" PRIu32
			    ": the count is not what the clients make",
			    x->pool, slot->until);
			if (enough(c))
				return;
		}
	}
}

/* Tables whose rows are compared from both sides, and one that is from the scratch's alone. */
static int
compare_tables(struct verify *c)
{
	static const struct {
		enum index_table table;
		int (*fn)(const uint8_t *, size_t, const uint8_t *, size_t, void *);
	} both[] = {
		{ INDEX_RELAYED, observed_same },
		{ INDEX_WITNESSES, witness_same },
		{ INDEX_RESTORED, restored_same },
		{ INDEX_INSTALLED, installed_same },
	};
	int rc = KMS_OK;

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]) && rc == KMS_OK; i++) {
		rc = index_each(c->index->index, both[i].table, both[i].fn, c);
		if (rc == KMS_OK)
			rc = index_each(c->scratch->index, both[i].table, both[i].fn, c);
	}
	return rc != KMS_OK ? rc : index_each(c->scratch->index, INDEX_BATCHES, scratch_batch, c);
}

static int
usage_same(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct verify *c = arg;

	(void)row;
	(void)len;
	if ((key_len == ROW_USAGE_KEY && usage_old(key, c->scratch->usage.day)) ||
	    same_row(c->index->index, c->scratch->index, INDEX_USAGE, key, key_len))
		return 0;
	verify_tell(
	    c, KMS_E_ALTERED, "index: the usage of a pool on a day does not match the journal");
	return enough(c) ? KMS_E_ALTERED : 0;
}

/*
 * What a host counted each day is what it knew that day: with other chains, a replay knows more, or
 * less, at the time of an entry.
 */
void
verify_usage(struct verify *c)
{
	int rc = checkpoint_all(c->scratch);

	if (c->index->chains.count > 1)
		return;
	if (rc == KMS_OK && c->scratch->usage.day != c->index->usage.day)
		verify_tell(c, KMS_E_ALTERED, "index: the last day of the usage is wrong");
	if (rc == KMS_OK &&
	    (rc = index_each(c->index->index, INDEX_USAGE, usage_same, c)) == KMS_OK)
		rc = index_each(c->scratch->index, INDEX_USAGE, usage_same, c);
	if (rc != KMS_OK && c->first == KMS_OK)
		verify_tell(c, rc, "index: %s", kms_strerror((uint32_t)rc));
}

void
verify_index(struct verify *c)
{
	int rc = checkpoint_all(c->scratch);

	if (rc != KMS_OK) {
		verify_tell(
		    c, rc, "the scratch index cannot be written: %s", kms_strerror((uint32_t)rc));
		return;
	}
	if (c->scratch->meta.last == c->index->meta.last &&
	    memcmp(c->scratch->meta.hash, c->index->meta.hash, 32) != 0)
		verify_tell(c, KMS_E_ALTERED,
		    "index: made from another journal; run kmsctl ledger rebuild");
	if (c->scratch->meta.floors.clock != c->index->meta.floors.clock)
		verify_tell(c, KMS_E_ALTERED, "index: the time of the last CLOCK entry is wrong");
	if ((rc = index_each(c->index->index, INDEX_HOT, index_client, c)) != KMS_OK ||
	    (rc = index_each(c->scratch->index, INDEX_HOT, scratch_client, c)) != KMS_OK ||
	    (rc = compare_tables(c)) != KMS_OK) {
		if (c->first == KMS_OK)
			verify_tell(c, rc, "index: %s", kms_strerror((uint32_t)rc));
		return;
	}
	compare_counts(c, &c->counted, &c->index->seats);
	compare_counts(c, &c->index->seats, &c->counted);
}
