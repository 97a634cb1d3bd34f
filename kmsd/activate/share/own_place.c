/*
 * own_place.c - see own_place.h.
 */
#include "kmsd/activate/share/own_place.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "kmsdb/parcel.h"

static enum share_place
compare_batch(const struct place_host *h, const struct foreign_batch *b, uint64_t *number)
{
	uint8_t have[KMSDB_HASH], hash[32];
	struct batch_header header;

	if (batch_header_decode(&header, b->header) != KMS_OK ||
	    memcmp(header.host_id, h->host_id, 16) != 0 ||
	    batch_verify(b->header, b->signature, h->sign_pk) != KMS_OK)
		return SHARE_PLACE_JUNK;
	*number = header.number;
	if (header.number > h->last)
		return SHARE_PLACE_AHEAD;
	batch_header_hash(hash, b->header);
	if (kmsdb_batch_hash(h->db, header.number, have) != KMS_OK ||
	    memcmp(have, hash, sizeof(have)) != 0)
		return SHARE_PLACE_OTHER;
	return SHARE_PLACE_SAME;
}

enum share_place
place_compare(const struct place_host *h, const uint8_t *parcel, size_t len, uint64_t *through)
{
	struct item *items = calloc(RECORD_ENTRIES, sizeof(*items));
	enum share_place found = SHARE_PLACE_JUNK;
	struct parcel_reader p;
	struct foreign_batch b;
	int rc = items != NULL ? parcel_open(&p, parcel, len, items) : KMS_E_NO_MEMORY;

	while (rc == KMS_OK && (rc = parcel_next(&p, &b)) == KMS_OK) {
		found = compare_batch(h, &b, through);
		if (found != SHARE_PLACE_SAME)
			break;
	}
	free(items);
	return rc == KMS_OK || rc == KMS_E_NOT_FOUND ? found : SHARE_PLACE_JUNK;
}
