/*
 * audit_copies.c - see audit_copies.h. A client gives each of its requests a higher number than
 * the one before, wherever it asks, and repeats a request under its number and id.
 */
#include "kmsctl/issue/audit_copies.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/audit_file.h"
#include "libkms/base/grow.h"
#include "libkms/core/entry.h"
#include "libkms/kms_error.h"

#define CLOCKS (8 * UINT64_C(3600)) /* how far apart the clocks of two hosts may be */

struct act {
	uint8_t cmid[16], host[16], request[16], name[COMMITMENT];
	uint64_t sequence, time;
};
struct acts {
	struct act *list;
	size_t count, room;
};

/* -- reading -- */

static int
take_act(struct acts *a, const struct entry_client *e, const uint8_t host[16])
{
	struct act *one, *list = grow_list(a->list, a->count, &a->room, sizeof(*list));

	if (list == NULL)
		return KMS_E_NO_MEMORY;
	a->list = list;
	one = &a->list[a->count++];
	*one = (struct act){ .sequence = e->sequence, .time = e->time };
	memcpy(one->cmid, e->cmid, sizeof(one->cmid));
	memcpy(one->host, host, sizeof(one->host));
	memcpy(one->request, e->request_id, sizeof(one->request));
	memcpy(one->name, e->commitments.name, sizeof(one->name));
	return KMS_OK;
}

static int
read_batch(struct acts *a, const struct audit_together *t, const struct audit_batch *b)
{
	struct entry_client e;

	for (uint32_t i = 0; i < b->header.size; i++) {
		const struct item *item = &b->items[i];

		if (!entry_kind_is_client(entry_kind(item->entry, item->entry_len)) ||
		    entry_client_decode(&e, item->entry, item->entry_len) != KMS_OK ||
		    e.kind == ENTRY_REFUSAL || !audit_together_ours(t, e.publisher) ||
		    !audit_clients_several(&t->all, e.cmid))
			continue;
		if (take_act(a, &e, b->header.host_id) != KMS_OK)
			return KMS_E_NO_MEMORY;
	}
	return KMS_OK;
}

static int
read_file(struct acts *a, const struct audit_together *t, const struct audit_named *f,
    struct audit_batch *b)
{
	struct audit_reader r;
	int rc = audit_reader_batches(&r, f->part.data, f->part.len);

	while (rc == KMS_OK && audit_next_batch(&r, b) == KMS_OK)
		if (read_batch(a, t, b) != KMS_OK)
			return KMS_E_NO_MEMORY;
	return KMS_OK;
}

static int
read_all(struct acts *a, const struct audit_chains *c, const struct audit_together *t)
{
	struct audit_batch *b = calloc(1, sizeof(*b));
	int rc = b != NULL ? KMS_OK : KMS_E_NO_MEMORY;

	for (size_t i = 0; i < c->file_count && rc == KMS_OK; i++)
		rc = read_file(a, t, &c->files[i], b);
	free(b);
	return rc;
}

/* -- one client -- */

/* Are there two acts at different hosts that differ in the member, too? Two of each are enough. */
static bool
differ(const struct act *list, size_t count, size_t member)
{
	bool hosts = false, values = false;

	for (size_t i = 1; i < count; i++) {
		hosts = hosts || memcmp(list[0].host, list[i].host, 16) != 0;
		values = values || memcmp((const uint8_t *)&list[0] + member,
				       (const uint8_t *)&list[i] + member, 16) != 0;
	}
	return hosts && values;
}

/* One number, two requests: sorted by number. */
static bool
shares_number(const struct act *list, size_t count)
{
	size_t first = 0;

	for (size_t i = 1; i <= count; i++)
		if (i == count || list[i].sequence != list[first].sequence) {
			if (differ(list + first, i - first, offsetof(struct act, request)))
				return true;
			first = i;
		}
	return false;
}

static int
by_time(const void *x, const void *y)
{
	const struct act *a = x, *b = y;

	return a->time < b->time ? -1 : a->time > b->time;
}

/* The highest number so far, and the highest of any other host than that one's. */
struct highest {
	const struct act *first, *second;
};

static void
lift(struct highest *h, const struct act *a)
{
	if (h->first == NULL || memcmp(h->first->host, a->host, 16) == 0) {
		if (h->first == NULL || a->sequence > h->first->sequence)
			h->first = a;
	} else if (a->sequence > h->first->sequence) {
		h->second = h->first;
		h->first = a;
	} else if (h->second == NULL || a->sequence > h->second->sequence)
		h->second = a;
}

/* Does a number come after a higher one of another host, later than clocks explain? */
static bool
goes_back(struct act *list, size_t count)
{
	struct highest h = { 0 };
	size_t past = 0;

	qsort(list, count, sizeof(*list), by_time);
	for (size_t i = 0; i < count; i++) {
		const struct act *rival;

		while (list[i].time - list[past].time > CLOCKS)
			lift(&h, &list[past++]);
		rival = h.first != NULL && memcmp(h.first->host, list[i].host, 16) == 0 ? h.second
											: h.first;
		if (rival != NULL && rival->sequence > list[i].sequence)
			return true;
	}
	return false;
}

/* -- all -- */

static int
by_number(const void *x, const void *y)
{
	const struct act *a = x, *b = y;
	int order = memcmp(a->cmid, b->cmid, sizeof(a->cmid));

	if (order != 0)
		return order;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static void
judge(struct acts *a, struct audit_findings *f)
{
	size_t first = 0;

	if (a->count > 0)
		qsort(a->list, a->count, sizeof(*a->list), by_number);
	for (size_t i = 1; i <= a->count; i++) {
		struct act *list = a->list + first;
		size_t count = i - first;

		if (i < a->count && memcmp(a->list[i].cmid, list->cmid, 16) == 0)
			continue;
		if (differ(list, count, offsetof(struct act, name)))
			audit_find(f, AUDIT_HOSTS_NAMES, HISTORY_NOTE, 0, 1,
			    "clients sent different names to different hosts");
		if (shares_number(list, count) || goes_back(list, count))
			audit_find(f, AUDIT_HOSTS_CLONE, HISTORY_UNEXPLAINED, 0, 1,
			    "clients asked several hosts as two machines with one key do: with the same sequence number twice, or with a lower one after a higher one");
		first = i;
	}
}

int
audit_copies(const struct audit_chains *c, const struct audit_together *t, struct audit_findings *f)
{
	struct acts a = { 0 };
	int rc = read_all(&a, c, t);

	if (rc == KMS_OK)
		judge(&a, f);
	free(a.list);
	return rc;
}
