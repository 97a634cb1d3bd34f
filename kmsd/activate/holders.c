/*
 * holders.c - see holders.h.
 */
#include "kmsd/activate/holders.h"

#include <sodium.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/challenge.h"
#include "kmsd/activate/testimony.h"

/*
 * An administrator who forgets a client begins anew with it: what was before is no first time. It
 * is known by the minute; of the minute of the FORGET, only the row tells whether it was before.
 */
static uint64_t
caught_up(const struct kmsdb_client *row, const struct kmsdb_cold *cold)
{
	if (row->kind == ENTRY_FORGET || cold->caught_up < cold->forgotten / 60)
		return 0;
	return cold->caught_up * UINT64_C(60);
}

static bool
is_among(const uint8_t id[16], const struct message_request *request)
{
	for (unsigned i = 0; i < request->after_count; i++)
		if (memcmp(id, request->after + 16 * i, 16) == 0)
			return true;
	return false;
}

/* A row that is older than a lease which the client has is of a ledger that was restored. */
static bool
is_older(const struct kmsdb_client *row, const struct message_request *request)
{
	return request->witness != NULL && testimony_batch(request->witness) > row->batch;
}

/*
 * Was another holder served meanwhile? A client says which of its requests to this host may have
 * been served last. An older client does not say it, and of one that was ended no id is known. When
 * another host served it last, the client does not say it, either, and that host's batches have
 * numbers of their own.
 */
static enum policy_after
after(const struct kmsdb_client *row, const struct message_request *request)
{
	if (request->after == NULL || row->chain != 0 || sodium_is_zero(row->request_id, 16))
		return POLICY_NOT_SAID;
	return is_among(row->request_id, request) || is_older(row, request) ? POLICY_KNOWN
									    : POLICY_PASSED;
}

int
holders_look(struct activate *a, const struct kmsdb_client *row,
    const struct message_request *request, const struct policy_product *product,
    struct policy_client *client)
{
	bool held = (row->flags & KMSDB_HELD) != 0, bind = product != NULL && product->bind;
	struct publisher_product before;
	struct kmsdb_cold cold;
	int rc;

	client->echoed =
	    request->echo != NULL && request->sequence > row->sequence &&
	    challenge_right(request->echo, a->challenge, row->cmid, row->sequence, a->now);
	client->after = after(row, request);
	if (!held && !bind && !client->echoed)
		return KMS_OK;
	if ((rc = kmsdb_cold_get(a->db, row->cmid, &cold)) != KMS_OK)
		return rc;
	client->held_until = held ? cold.hold_end : 0;
	client->caught_up = caught_up(row, &cold);
	if (client->echoed && !holders_same_product(row, request) &&
	    publishers_find(&a->publishers, row->product, &before))
		client->before = before.product;
	/* A hash of product and machine says nothing about another product. */
	client->bound = cold.bound && holders_same_product(row, request);
	memcpy(client->binding, cold.binding, sizeof(client->binding));
	return KMS_OK;
}

int
holders_hold(struct activate *a, const uint8_t cmid[16], uint64_t end)
{
	struct entry_about e = { .kind = ENTRY_HOLD, .value = end };

	memcpy(e.cmid, cmid, 16);
	return activate_stage_about(a, &e);
}
