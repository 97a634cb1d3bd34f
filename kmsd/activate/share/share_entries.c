/*
 * share_entries.c - see share_entries.h.
 */
#include "kmsd/activate/share/share_entries.h"

#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsdb/share.h"

static int
record(struct activate *a, enum entry_kind kind, const char *text, const uint8_t *blob, size_t len)
{
	struct entry_admin e = { .kind = (uint8_t)kind,
		.text = text,
		.text_len = (uint16_t)strlen(text),
		.blob = blob,
		.blob_len = (uint16_t)len };

	memcpy(e.subject, host_identity_id(a->key), 16);
	return activate_record(a, &e);
}

int
share_record_share(struct activate *a, const char *name, bool first)
{
	const uint8_t blob[ENTRY_SHARE_BLOB] = { first };

	return record(a, ENTRY_SHARE, name, blob, sizeof(blob));
}

int
share_record_give(struct activate *a, const struct entry_give *g)
{
	uint8_t blob[ENTRY_GIVE_BLOB];

	return record(a, ENTRY_GIVE, "", blob, entry_give_put(blob, sizeof(blob), g));
}

int
share_record_alone(struct activate *a, bool alone, const char *reason)
{
	const uint8_t blob[ENTRY_ALONE_BLOB] = { alone };

	return record(a, ENTRY_ALONE, alone ? reason : "", blob, sizeof(blob));
}

struct heard {
	struct entry_heard at[ENTRY_HEARD_MAX];
	unsigned count;
};

static int
add_heard(const struct kmsdb_member *m, void *arg)
{
	struct heard *h = arg;

	if (m->own || m->last == 0 || h->count == ENTRY_HEARD_MAX)
		return 0;
	memcpy(h->at[h->count].host, m->host, 16);
	h->at[h->count].number = m->last;
	memcpy(h->at[h->count++].hash, m->hash, sizeof(m->hash));
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(
	    ((const struct entry_heard *)a)->host, ((const struct entry_heard *)b)->host, 16);
}

int
share_record_heard(struct activate *a)
{
	uint8_t blob[ENTRY_HEARD_BLOB];
	struct heard h = { .count = 0 };

	(void)kmsdb_share_each(a->db, add_heard, &h);
	if (h.count == 0)
		return KMS_E_NOT_FOUND;
	qsort(h.at, h.count, sizeof(h.at[0]), compare);
	return record(a, ENTRY_HEARD, "", blob, entry_heard_put(blob, sizeof(blob), h.at, h.count));
}
