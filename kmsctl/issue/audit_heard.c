/*
 * audit_heard.c - see audit_heard.h.
 */
#include "kmsctl/issue/audit_heard.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/audit_table.h"
#include "kmsctl/ledger/audit_file.h"
#include "libkms/base/hex.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_share.h"
#include "libkms/kms_error.h"

typedef unsigned long long ull;

/* A file may have been exported so long before another one that has heard of its host. */
#define LATER (24 * 3600)

/* A batch that was heard. */
struct heard_row {
	uint8_t key[56]; /* host 16, number 8, hash 32: as in the entry */
	uint64_t time;   /* the highest of the entries that say so */
};
/* An entry GIVE, once: files may overlap. */
struct give_row {
	uint8_t key[28]; /* giver 16, batch 8, leaf 4 */
	struct entry_give give;
};
struct first_row {
	uint8_t host[16];
};
/* A host of which batches were heard. */
struct told_row {
	uint8_t host[16];
	bool missing, late, other;
};
/* What a host has of a pool. */
struct purse_row {
	uint8_t key[26]; /* host 16, publisher 8, pool 2 */
	uint64_t given, received;
};
struct heard {
	struct audit_table heard, told, gives, firsts, purses;
};

/* -- reading -- */

static int
take_heard(struct heard *h, const struct entry_admin *e)
{
	for (unsigned i = 0; i < entry_heard_count(e->blob_len); i++) {
		struct heard_row *row =
		    audit_table_at(&h->heard, e->blob + (size_t)i * ENTRY_HEARD_ONE);

		if (row == NULL)
			return KMS_E_NO_MEMORY;
		if (e->time > row->time)
			row->time = e->time;
	}
	return KMS_OK;
}

static int
take_give(struct heard *h, const struct audit_batch *b, uint32_t leaf, const struct entry_admin *e)
{
	struct give_row *row;
	struct wire_writer w;
	uint8_t key[28];

	wire_writer_init(&w, key, sizeof(key));
	wire_put(&w, b->header.host_id, 16);
	wire_put_u64(&w, b->header.number);
	wire_put_u32(&w, leaf);
	if ((row = audit_table_at(&h->gives, key)) == NULL)
		return KMS_E_NO_MEMORY;
	entry_give_get(&row->give, e->blob);
	return KMS_OK;
}

static int
read_batch(struct heard *h, const struct audit_batch *b)
{
	int rc = KMS_OK;

	for (uint32_t i = 0; i < b->header.size && rc == KMS_OK; i++) {
		const struct item *item = &b->items[i];
		struct entry_admin e;

		if (!entry_kind_is_share(entry_kind(item->entry, item->entry_len)) ||
		    entry_admin_decode(&e, item->entry, item->entry_len) != KMS_OK)
			continue;
		if (e.kind == ENTRY_HEARD)
			rc = take_heard(h, &e);
		else if (e.kind == ENTRY_GIVE)
			rc = take_give(h, b, i, &e);
		else if (e.kind == ENTRY_SHARE && e.blob[0] == 1 &&
			 audit_table_at(&h->firsts, b->header.host_id) == NULL)
			rc = KMS_E_NO_MEMORY;
	}
	return rc;
}

static int
read_all(struct heard *h, const struct audit_chains *c)
{
	struct audit_batch *b = calloc(1, sizeof(*b));
	struct audit_reader r;
	int rc = b != NULL ? KMS_OK : KMS_E_NO_MEMORY;

	for (size_t i = 0; i < c->file_count && rc == KMS_OK; i++) {
		const struct audit_part *p = &c->files[i].part;

		if (audit_reader_batches(&r, p->data, p->len) != KMS_OK)
			continue;
		while (rc == KMS_OK && audit_next_batch(&r, b) == KMS_OK)
			rc = read_batch(h, b);
	}
	free(b);
	return rc;
}

/* -- what was heard, and the files -- */

/* Of all chains of a host. */
struct host {
	bool given;    /* a file of it was */
	uint64_t last; /* number of its last batch, */
	uint64_t time; /* and the highest time of the last batches of its chains */
};

static struct host
host_of(const struct audit_chains *c, const uint8_t id[16])
{
	struct host h = { .given = false };

	for (size_t i = 0; i < c->count; i++) {
		const struct audit_chain *one = &c->chains[i];
		uint64_t last = audit_chain_last(one);
		const uint8_t *octets = audit_chain_header(one, last);
		struct batch_header header;

		if (memcmp(one->host, id, 16) != 0 || octets == NULL ||
		    batch_header_decode(&header, octets) != KMS_OK)
			continue;
		h.given = true;
		if (last > h.last)
			h.last = last;
		if (header.time > h.time)
			h.time = header.time;
	}
	return h;
}

/* false, and *known: a chain has another batch of that number. */
static bool
has(const struct audit_chains *c, const uint8_t id[16], const struct entry_heard *e, bool *known)
{
	uint8_t hash[32];

	*known = false;
	for (size_t i = 0; i < c->count; i++) {
		if (memcmp(c->chains[i].host, id, 16) != 0 ||
		    !audit_chain_hash(&c->chains[i], e->number, hash))
			continue;
		*known = true;
		if (memcmp(hash, e->hash, sizeof(hash)) == 0)
			return true;
	}
	return false;
}

static void
find_told(const struct audit_chains *c, const struct told_row *row, struct audit_findings *f)
{
	char hex[33];

	hex_format(hex, row->host, sizeof(row->host));
	if (row->missing)
		audit_find(f, AUDIT_HEARD_MISSING, row->late ? HISTORY_UNEXPLAINED : HISTORY_NOTE,
		    0, 1,
		    "another host heard batches of host %s that no file has: they are missing from batch %llu on",
		    hex, (ull)host_of(c, row->host).last + 1);
	if (row->other)
		audit_find(f, AUDIT_HEARD_OTHER, HISTORY_UNEXPLAINED, 0, 1,
		    "another host heard batches of host %s, and the files of that host have others in their place",
		    hex);
}

static int
check_heard(const struct audit_chains *c, struct heard *h, struct audit_findings *f)
{
	for (size_t i = 0; i < h->heard.count; i++) {
		const struct heard_row *row = audit_table_row(&h->heard, i);
		struct host is = host_of(c, row->key);
		struct told_row *told = audit_table_at(&h->told, row->key);
		struct entry_heard e;
		bool known;

		if (told == NULL)
			return KMS_E_NO_MEMORY;
		entry_heard_get(&e, row->key, 0);
		if (e.number > is.last) {
			told->missing = true;
			told->late |= !is.given || row->time > is.time + LATER;
		}
		told->other |= !has(c, row->key, &e, &known) && known;
	}
	for (size_t i = 0; i < h->told.count; i++)
		find_told(c, audit_table_row(&h->told, i), f);
	return KMS_OK;
}

/* -- rights -- */

static struct purse_row *
purse_of(struct heard *h, const uint8_t host[16], const struct entry_give *g)
{
	struct wire_writer w;
	uint8_t key[26];

	wire_writer_init(&w, key, sizeof(key));
	wire_put(&w, host, 16);
	wire_put(&w, g->publisher, 8);
	wire_put_u16(&w, g->pool);
	return audit_table_at(&h->purses, key);
}

static int
sum_gives(struct heard *h)
{
	for (size_t i = 0; i < h->gives.count; i++) {
		const struct give_row *row = audit_table_row(&h->gives, i);
		struct purse_row *purse = purse_of(h, row->key, &row->give);

		if (purse == NULL)
			return KMS_E_NO_MEMORY;
		purse->given += row->give.rights;
		if ((purse = purse_of(h, row->give.to, &row->give)) == NULL)
			return KMS_E_NO_MEMORY;
		purse->received += row->give.rights;
	}
	return KMS_OK;
}

/* Over all of its time: what a client binds at one moment is not counted here. */
static void
check_purse(const struct heard *h, const struct audit_together *t, const struct purse_row *p,
    struct audit_findings *f)
{
	uint16_t pool = (uint16_t)(p->key[24] << 8 | p->key[25]);
	uint64_t first = 0;
	char hex[33];

	if (!audit_together_ours(t, p->key + 16))
		return;
	if (audit_table_find(&h->firsts, p->key) != NULL)
		first = audit_together_most(t, pool);
	if (first == AUDIT_NO_LIMIT || p->given <= first + p->received)
		return;
	hex_format(hex, p->key, 16);
	audit_find(f, AUDIT_RIGHTS, HISTORY_UNEXPLAINED, 0, 1,
	    "host %s gave other hosts %llu rights of pool %u, and had %llu", hex, (ull)p->given,
	    pool, (ull)(first + p->received));
}

static int
check_rights(struct heard *h, const struct audit_together *t, struct audit_findings *f)
{
	int rc = sum_gives(h);

	for (size_t i = 0; i < h->purses.count && rc == KMS_OK; i++)
		check_purse(h, t, audit_table_row(&h->purses, i), f);
	if (rc == KMS_OK && h->firsts.count > 1)
		audit_find(f, AUDIT_RIGHTS, HISTORY_UNEXPLAINED, 0, 1,
		    "%zu hosts say that they have the first rights, and one host of a share has them",
		    h->firsts.count);
	return rc;
}

int
audit_heard(const struct audit_chains *c, const struct audit_together *t, struct audit_findings *f)
{
	struct heard h;
	int rc;

	audit_table_init(&h.heard, sizeof(struct heard_row), 56);
	audit_table_init(&h.told, sizeof(struct told_row), 16);
	audit_table_init(&h.gives, sizeof(struct give_row), 28);
	audit_table_init(&h.firsts, sizeof(struct first_row), 16);
	audit_table_init(&h.purses, sizeof(struct purse_row), 26);
	rc = read_all(&h, c);
	if (rc == KMS_OK)
		rc = check_heard(c, &h, f);
	if (rc == KMS_OK)
		rc = check_rights(&h, t, f);
	audit_table_free(&h.heard);
	audit_table_free(&h.told);
	audit_table_free(&h.gives);
	audit_table_free(&h.firsts);
	audit_table_free(&h.purses);
	return rc;
}
