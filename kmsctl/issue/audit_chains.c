/*
 * audit_chains.c - see audit_chains.h. Two files of a host that agree in a batch agree in all
 * before it, because each header has the hash of the one before: one comparison, at the highest
 * number that both have, is enough.
 */
#include "kmsctl/issue/audit_chains.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/audit_file.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

void
audit_chains_free(struct audit_chains *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->chains[i].parts);
		free(c->chains[i].files);
	}
	for (size_t i = 0; i < c->file_count; i++)
		free(c->files[i].headers);
	free(c->chains);
	free(c->files);
	*c = (struct audit_chains){ 0 };
}

/* -- a file -- */

static int
keep_header(struct audit_named *f, const struct audit_batch *b, size_t *room)
{
	size_t count = f->headers != NULL ? (size_t)(f->last - f->first + 1) : 0;
	const uint8_t **grown;

	if (count == 0) {
		f->first = b->header.number;
		memcpy(f->before, b->header.previous, sizeof(f->before));
	}
	grown = grow_list((void *)f->headers, count, room, sizeof(const uint8_t *));
	if (grown == NULL)
		return KMS_E_NO_MEMORY;
	f->headers = grown;
	f->headers[count] = b->header_octets;
	f->last = b->header.number;
	return KMS_OK;
}

/* What is malformed in it, audit_verify tells. */
static int
list_batches(struct audit_named *f, struct audit_batch *b)
{
	struct audit_reader r;
	size_t room = 0;
	int rc = audit_reader_batches(&r, f->part.data, f->part.len);

	while (rc == KMS_OK && audit_next_batch(&r, b) == KMS_OK &&
	       (f->headers == NULL || (f->last != UINT64_MAX && b->header.number == f->last + 1)))
		if (keep_header(f, b, &room) != KMS_OK)
			return KMS_E_NO_MEMORY;
	return KMS_OK;
}

static bool
file_hash(const struct audit_named *f, uint64_t number, uint8_t out[32])
{
	if (f->headers == NULL || number > f->last || number + 1 < f->first)
		return false;
	if (number + 1 == f->first)
		memcpy(out, f->before, 32);
	else
		batch_header_hash(out, f->headers[number - f->first]);
	return true;
}

/* -- a chain -- */

bool
audit_chain_hash(const struct audit_chain *c, uint64_t number, uint8_t out[32])
{
	for (size_t i = 0; i < c->count; i++)
		if (file_hash(c->files[i], number, out))
			return true;
	return false;
}

const uint8_t *
audit_chain_header(const struct audit_chain *c, uint64_t number)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct audit_named *f = c->files[i];

		if (f->headers != NULL && number >= f->first && number <= f->last)
			return f->headers[number - f->first];
	}
	return NULL;
}

uint64_t
audit_chain_last(const struct audit_chain *c)
{
	uint64_t last = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->files[i]->last > last)
			last = c->files[i]->last;
	return last;
}

bool
audit_chain_agrees(const struct audit_chain *a, const struct audit_chain *b, uint64_t number)
{
	uint8_t one[32], other[32];

	return audit_chain_hash(a, number, one) && audit_chain_hash(b, number, other) &&
	       memcmp(one, other, sizeof(one)) == 0;
}

uint64_t
audit_chain_common(const struct audit_chain *a, const struct audit_chain *b)
{
	uint64_t one = audit_chain_last(a), other = audit_chain_last(b);

	return one < other ? one : other;
}

uint64_t
audit_chain_part(const struct audit_chain *a, const struct audit_chain *b)
{
	uint64_t low = a->files[0]->first, high = audit_chain_common(a, b);

	if (b->files[0]->first > low)
		low = b->files[0]->first;
	low -= low > 0;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (audit_chain_agrees(a, b, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return audit_chain_agrees(a, b, low) ? low + 1 : low;
}

/* -- all -- */

static int
add_to(struct audit_chain *c, const struct audit_named *f, size_t most)
{
	if (c->parts == NULL)
		c->parts = calloc(most, sizeof(*c->parts));
	if (c->files == NULL)
		c->files = calloc(most, sizeof(const struct audit_named *));
	if (c->parts == NULL || c->files == NULL)
		return KMS_E_NO_MEMORY;
	c->parts[c->count] = f->part;
	c->files[c->count++] = f;
	return KMS_OK;
}

/*
 * The chain of the host to which a file belongs; one that goes on behind a gap belongs to the
 * longest, where the gap is found. NULL: to none, and *other is one from which it parts.
 */
static struct audit_chain *
chain_of(struct audit_chains *all, const struct audit_named *f, struct audit_chain **other)
{
	struct audit_chain *longest = NULL;
	const struct audit_chain alone = { .files = &f, .count = 1 };
	bool gap = true;

	*other = NULL;
	for (size_t i = 0; i < all->count; i++) {
		struct audit_chain *c = &all->chains[i];

		if (memcmp(c->host, f->host, sizeof(f->host)) != 0)
			continue;
		if (audit_chain_agrees(c, &alone, audit_chain_common(c, &alone)))
			return c;
		if (f->first <= audit_chain_last(c) + 1) {
			gap = false;
			*other = *other == NULL ? c : *other;
		}
		if (longest == NULL || audit_chain_last(c) > audit_chain_last(longest))
			longest = c;
	}
	return gap ? longest : NULL;
}

static int
place_file(struct audit_chains *all, const struct audit_named *f)
{
	struct audit_chain *other, *c = chain_of(all, f, &other);
	int rc;

	if (c != NULL)
		return add_to(c, f, all->file_count);
	c = &all->chains[all->count++];
	memcpy(c->host, f->host, sizeof(c->host));
	rc = add_to(c, f, all->file_count);
	if (rc == KMS_OK && other != NULL) {
		c->other = other;
		c->number = audit_chain_part(other, c);
	}
	return rc;
}

/* Files of one host by their first batch, then by their last; otherwise as they were given. */
static bool
goes_before(const struct audit_named *a, const struct audit_named *b)
{
	if (a->first != b->first)
		return a->first < b->first;
	return a->last < b->last;
}

/* Each host at the place of its first file. */
static int
place_host(struct audit_chains *c, size_t first, bool *placed)
{
	const uint8_t *host = c->files[first].host;
	size_t next;
	int rc = KMS_OK;

	do {
		next = c->file_count;
		for (size_t i = 0; i < c->file_count; i++)
			if (!placed[i] && memcmp(c->files[i].host, host, 16) == 0 &&
			    (next == c->file_count || goes_before(&c->files[i], &c->files[next])))
				next = i;
		if (next < c->file_count) {
			placed[next] = true;
			rc = place_file(c, &c->files[next]);
		}
	} while (next < c->file_count && rc == KMS_OK);
	return rc;
}

static int
place_all(struct audit_chains *c)
{
	bool *placed = calloc(c->file_count, sizeof(*placed));
	int rc = placed != NULL ? KMS_OK : KMS_E_NO_MEMORY;

	for (size_t i = 0; i < c->file_count && rc == KMS_OK; i++)
		if (!placed[i])
			rc = place_host(c, i, placed);
	free(placed);
	return rc;
}

int
audit_chains_make(struct audit_chains *c, struct audit_named *files, size_t count,
    const struct minisig_key *publisher, struct fault *fault, const char **bad)
{
	struct audit_batch *b = calloc(1, sizeof(*b));
	int rc = KMS_OK;

	*c = (struct audit_chains){ .files = files, .file_count = count };
	c->chains = calloc(count + 1, sizeof(*c->chains));
	if (b == NULL || c->chains == NULL)
		rc = KMS_E_NO_MEMORY;
	for (size_t i = 0; i < count && rc == KMS_OK; i++) {
		struct audit_named *f = &files[i];

		*bad = f->name;
		rc = audit_host(f->host, publisher, f->part.data, f->part.len, fault);
		if (rc == KMS_OK)
			rc = list_batches(f, b);
	}
	free(b);
	return rc == KMS_OK ? place_all(c) : rc;
}
