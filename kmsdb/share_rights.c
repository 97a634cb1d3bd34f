/*
 * share_rights.c - see share_rights.h.
 */
#include "kmsdb/share_rights.h"

#include <string.h>

#include "kmsdb/ledger.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Whose rights those of a client are for this host to bind. */
static bool
binds(const struct kmsdb *db, uint8_t holder)
{
	return holder == ROW_HOLDER_OWN || (holder == ROW_HOLDER_NONE && db->rights.first);
}

static bool
heard_by_all(const struct kmsdb *db, const struct linger *l, const struct kmsdb_beats *b)
{
	if (l->chain >= db->chains.count)
		return false;
	for (unsigned i = 0; i < b->count; i++)
		if (memcmp(b->heard[i].host, db->chains.hosts[l->chain], 16) == 0)
			return b->heard[i].number >= l->batch;
	return false;
}

/* Those that are over are forgotten. */
static void
drop_heard(struct kmsdb *db, const struct kmsdb_beats *b)
{
	struct lingering *all = &db->rights.lingering;
	uint8_t key[16];

	for (size_t i = 0; i < all->places;) {
		const struct linger *l = &all->list[i];

		if (l->until == 0 || (l->until > b->since && !heard_by_all(db, l, b))) {
			i++;
			continue;
		}
		memcpy(key, l->key, sizeof(key));
		lingering_drop(all, key);
	}
}

/* Those that the rows do not show. */
static uint64_t
lingering(const struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t since)
{
	const struct lingering *all = &db->rights.lingering;
	uint64_t n = 0;

	for (size_t i = 0; i < all->places; i++) {
		const struct linger *l = &all->list[i];

		n += l->until > since && l->shown <= since && l->pool == pool &&
		     binds(db, l->holder) && memcmp(l->publisher, publisher, 8) == 0;
	}
	return n;
}

int
kmsdb_rights(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool,
    const struct kmsdb_beats *beats, uint64_t capacity, struct rights_purse *out)
{
	const struct rights_state *s = &db->rights;

	memset(out, 0, sizeof(*out));
	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	checkpoint_poll(db);
	out->first = s->first ? capacity : 0;
	for (size_t i = 0; i < s->pool_count; i++) {
		if (s->pools[i].pool != pool || memcmp(s->pools[i].publisher, publisher, 8) != 0)
			continue;
		out->received = s->pools[i].received;
		out->given = s->pools[i].given;
	}
	for (size_t i = 0; i < s->held_count; i++)
		if (s->held[i].pool == pool && s->held[i].until > beats->now &&
		    memcmp(s->held[i].publisher, publisher, 8) == 0)
			out->held += s->held[i].rights;
	out->bound = seats_held(&db->seats, publisher, pool, beats->since, ROW_HOLDER_OWN);
	if (s->first)
		out->bound +=
		    seats_held(&db->seats, publisher, pool, beats->since, ROW_HOLDER_NONE);
	drop_heard(db, beats);
	out->bound += lingering(db, publisher, pool, beats->since);
	return KMS_OK;
}

int
kmsdb_share_told(struct kmsdb *db, const uint8_t host[16], struct kmsdb_share_told *out)
{
	uint8_t key[ROW_SHARE_KEY];
	const uint8_t *row;
	struct wire_reader r;
	unsigned chain;
	size_t len;

	memset(out, 0, sizeof(*out));
	ledger_up_to_date(db);
	if ((chain = chains_find(&db->chains, host)) == db->chains.count)
		return KMS_E_NOT_FOUND;
	share_row_key(key, ENTRY_SHARE, chain);
	if (ledger_row(db, GENERATION_SHARE, key, &row, &len) == KMS_OK) {
		out->share_batch = share_row_batch(row);
		out->first = row[ROW_SHARE_HEAD] == 1;
		if ((len -= ROW_SHARE_HEAD + 1) <= SHARE_NAME)
			memcpy(out->name, row + ROW_SHARE_HEAD + 1, len);
	}
	share_row_key(key, ENTRY_ALONE, chain);
	if (ledger_row(db, GENERATION_SHARE, key, &row, &len) == KMS_OK) {
		wire_reader_init(&r, row + ROW_SHARE_HEAD, len - ROW_SHARE_HEAD);
		out->alone = wire_get_u8(&r) == 1;
		out->alone_time = wire_get_u64(&r);
	}
	return KMS_OK;
}

int
kmsdb_share_heard(
    struct kmsdb *db, const uint8_t teller[16], const uint8_t host[16], struct entry_heard *out)
{
	uint8_t key[ROW_SHARE_KEY];
	unsigned from, of;
	const uint8_t *row;
	size_t len;
	int rc;

	ledger_up_to_date(db);
	from = chains_find(&db->chains, teller);
	of = chains_find(&db->chains, host);
	if (from == db->chains.count || of == db->chains.count)
		return KMS_E_NOT_FOUND;
	share_row_key_heard(key, from, of);
	rc = ledger_row(db, GENERATION_SHARE, key, &row, &len);
	if (rc == KMS_OK)
		entry_heard_get(out, row + ROW_SHARE_HEAD, 0);
	return rc;
}
