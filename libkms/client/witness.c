/*
 * witness.c - see witness.h.
 */
#include "libkms/client/witness.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/batch.h"
#include "libkms/kms_error.h"

/* Its place in the list; -1: it is not there. */
static int
place_of(const struct state *s, const uint8_t host_id[16])
{
	for (unsigned i = 0; i < s->host_count; i++)
		if (memcmp(s->hosts[i].id, host_id, sizeof(s->hosts[i].id)) == 0)
			return (int)i;
	return -1;
}

static struct state_host *
find(struct state *s, const uint8_t host_id[16])
{
	int place = place_of(s, host_id);

	return place < 0 ? NULL : &s->hosts[place];
}

bool
witness_knows(const struct state *s, const uint8_t host_id[16])
{
	return place_of(s, host_id) >= 0;
}

void
witness_header(uint8_t out[MESSAGE_HEADER_SIZE], const struct lease *l)
{
	memcpy(out, l->header, BATCH_HEADER);
	memcpy(out + BATCH_HEADER, l->signature, BATCH_SIGNATURE);
}

/* The number of a header that this host signed; 0: it is not such a one. */
static uint64_t
number_of(const uint8_t header[MESSAGE_HEADER_SIZE], const struct certificate *cert)
{
	struct batch_header h;

	if (batch_header_decode(&h, header) != KMS_OK ||
	    memcmp(h.host_id, cert->host_id, sizeof(h.host_id)) != 0 ||
	    batch_verify(header, header + BATCH_HEADER, cert->sign_pk) != KMS_OK)
		return 0;
	return h.number;
}

/* The state file is not trusted: a header in it that the host did not sign is not told to it. */
void
witness_for(struct witness *w, const struct state *s, const struct certificate *cert)
{
	int place = place_of(s, cert->host_id);
	const struct state_host *h = place < 0 ? NULL : &s->hosts[place];
	struct wire_writer out;

	memset(w, 0, sizeof(*w));
	if (h == NULL || (w->number = number_of(h->highest, cert)) == 0)
		return;
	wire_writer_init(&out, w->text, sizeof(w->text));
	wire_put_u64(&out, w->number);
	batch_header_hash(w->text + 8, h->highest);
	w->shown = h->header_wanted;
	memcpy(w->header, h->highest, sizeof(w->header));
}

/*
 * The header goes with two requests: when two copies of a host take turns in answering, the one
 * that asked gets the second. A host that has just been shown it cannot ask for it again in that
 * answer; otherwise it could keep the client at one header for ever.
 */
void
witness_answered(struct state *s, const struct certificate *cert, const struct witness *w,
    uint64_t show, uint64_t now)
{
	struct state_host *h = find(s, cert->host_id);

	if (h == NULL)
		return;
	h->last_use = now;
	if (w->shown) {
		h->header_wanted = !h->header_shown;
		h->header_shown = h->header_wanted;
	} else if (w->number != 0 && show == w->number) {
		h->header_wanted = true;
		h->header_shown = false;
	}
}

/* Is the stored lease from this host, as its header says? Then that header. */
static bool
lease_header(uint8_t out[MESSAGE_HEADER_SIZE], const struct state *s, const struct state_host *h)
{
	struct batch_header header;
	struct lease l;

	if (lease_decode(&l, s->bundle, s->bundle_len) != KMS_OK ||
	    batch_header_decode(&header, l.header) != KMS_OK ||
	    memcmp(header.host_id, h->id, sizeof(h->id)) != 0)
		return false;
	witness_header(out, &l);
	return true;
}

static bool
gave_the_lease(const struct state *s, const struct state_host *h)
{
	uint8_t header[MESSAGE_HEADER_SIZE];

	return lease_header(header, s, h);
}

/* A place for another host. NULL: each of those that are there has to stay. */
static struct state_host *
make_room(struct state *s)
{
	struct state_host *oldest = NULL;

	if (s->host_count < STATE_HOSTS)
		return &s->hosts[s->host_count++];
	for (unsigned i = 0; i < s->host_count; i++) {
		struct state_host *h = &s->hosts[i];

		if (!h->evidence && !gave_the_lease(s, h) &&
		    (oldest == NULL || h->last_use < oldest->last_use))
			oldest = h;
	}
	return oldest;
}

static void
add(struct state *s, const struct certificate *cert, const uint8_t header[MESSAGE_HEADER_SIZE],
    uint64_t now)
{
	struct state_host *h = make_room(s);

	if (h == NULL)
		return;
	memset(h, 0, sizeof(*h));
	memcpy(h->id, cert->host_id, sizeof(h->id));
	h->last_use = now;
	memcpy(h->highest, header, sizeof(h->highest));
}

static void
keep_pair(struct state_host *h, const uint8_t known[MESSAGE_HEADER_SIZE],
    const uint8_t header[MESSAGE_HEADER_SIZE])
{
	if (h->evidence)
		return;
	h->evidence = true;
	memcpy(h->contradiction[0], known, sizeof(h->contradiction[0]));
	memcpy(h->contradiction[1], header, sizeof(h->contradiction[1]));
}

/* The highest header that is known; the stored lease has a higher one while one is to be shown. */
static uint64_t
newest(uint8_t out[MESSAGE_HEADER_SIZE], const struct state *s, const struct state_host *h,
    const struct certificate *cert)
{
	uint64_t known = number_of(h->highest, cert), leased = 0;

	if (lease_header(out, s, h) && (leased = number_of(out, cert)) > known)
		return leased;
	memcpy(out, h->highest, sizeof(h->highest));
	return known;
}

int
witness_lease(struct state *s, const struct certificate *cert,
    const uint8_t header[MESSAGE_HEADER_SIZE], uint64_t now)
{
	struct state_host *h = find(s, cert->host_id);
	uint64_t known, number = number_of(header, cert);
	uint8_t before[MESSAGE_HEADER_SIZE];

	if (number == 0)
		return KMS_OK;
	if (h == NULL) {
		add(s, cert, header, now);
		return KMS_OK;
	}
	h->last_use = now;
	known = newest(before, s, h, cert);
	if (number > known) {
		if (!h->header_wanted || known == 0)
			memcpy(h->highest, header, sizeof(h->highest));
		return KMS_OK;
	}
	if (number == known && memcmp(before, header, BATCH_HEADER) == 0)
		return KMS_OK;
	keep_pair(h, before, header);
	return KMS_E_HISTORY;
}

bool
witness_evidence(const struct state *s)
{
	for (unsigned i = 0; i < s->host_count; i++)
		if (s->hosts[i].evidence)
			return true;
	return false;
}
